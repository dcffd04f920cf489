"""The witness as an HTTPS door and those who ask it, over real TLS between two regions."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runtime.authority import Authority
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.cosignature import Cosigner
from services.audit.domain.faults import LogDamagedError, PutBackError
from services.audit.domain.note import COSIGNATURE, open_note
from services.audit.domain.policy import Policy
from services.audit.domain.ports import Cosigned
from services.audit.domain.witnessing import MAX_BYTES
from services.audit.peers.witnesses import HttpsWitnesses
from services.audit.store.note_key import NoteKey, NoteVerifier
from tests.contract.audit.witnesses import LOG, TOKEN, Asker, Region
from tests.unit.audit.histories import History, new_log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


TRUE = History(LOG)
IDS = {name: hashlib.sha256(name.encode()).hexdigest() for name in (LOG.origin, "unknown")}


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    path = tmp_path / "roots"
    path.mkdir()
    return path


@pytest.fixture
async def nl(tmp_path: Path, roots: Path) -> AsyncIterator[Asker]:
    asker = Asker(tmp_path / "nl", roots)
    yield asker
    await asker.close()


@pytest.fixture
async def in_(tmp_path: Path, roots: Path) -> AsyncIterator[Region]:
    region = Region("in", tmp_path / "in", roots)
    async with region.serving():
        yield region
    await region.database.close()


@pytest.fixture
async def sg(tmp_path: Path, roots: Path) -> AsyncIterator[Region]:
    region = Region("sg", tmp_path / "sg", roots)
    async with region.serving():
        yield region
    await region.database.close()


def cosigners(cosigned: Cosigned, *regions: Region) -> list[str]:
    """Returns whose cosignatures the note has, all of them verified."""
    opened = open_note(cosigned.note, [Cosigner(each.key) for each in regions])
    return [signature.key.name.partition(".")[0] for signature in opened.signatures]


async def test_the_door_speaks_the_protocol(nl: Asker, in_: Region) -> None:
    presented = TRUE.presented(0, 3)
    async with in_.client(nl.bench.authority) as client:

        async def post(body: str | bytes) -> tuple[int, str, str]:
            answer = await client.post("/add-checkpoint", content=body)
            return answer.status_code, answer.headers["content-type"], answer.text

        text = "text/plain; charset=utf-8"
        assert (await client.get(f"/{IDS[LOG.origin]}/checkpoint")).status_code == 404
        status, kind, line = await post(str(presented))
        assert (status, kind) == (200, text)
        open_note(presented.note + line, [Cosigner(in_.key)])
        newest = await client.get(f"/{IDS[LOG.origin]}/checkpoint")
        assert (newest.status_code, newest.text) == (200, presented.note + line)
        assert await post(str(presented)) == (409, "text/x.tlog.size", "3\n")
        following = TRUE.presented(3, 9)
        bare = following.note.rpartition("\n\n")[0]
        for body, expected in (
            (str(replace(following, proof=())), 422),
            (str(History(LOG, "forged").presented(3, 9)), 422),
            (str(History(LOG, "forged").presented(3, 3)), 422),
            (str(replace(TRUE.presented(3, 8), old_size=9)), 400),
            (str(replace(following, note=f"{bare}\n\n— {LOG.origin} AAAAAAAA\n")), 403),
            (str(History(new_log("unknown")).presented(0, 9)), 404),
            (str(replace(following, proof=(bytes(32),) * 64)), 400),
            ("", 400),
            ("old 3\n", 400),
            ("old 3\n\n", 400),
            (str(following).replace("old 3", "old 03"), 400),
            (str(following).replace("old 3", "old +3"), 400),
            (str(following).replace("old 3", "old  3"), 400),
            (str(following).replace("old 3", "old 9223372036854775808"), 400),
            (str(following).replace("old 3\n", "old 3\nAAAA\n"), 400),
            (str(following).replace("old 3\n", "old 3\nnonsense\n"), 400),
            (str(following).replace("\n", "\r\n"), 400),
            (b"\xff" + str(following).encode(), 400),
        ):
            status, kind, _ = await post(body)
            assert (status, kind) == (expected, text), body
        assert (await post(str(following)))[0] == 200
        assert (await client.post("/elsewhere")).status_code == 404
        assert (await client.get("/add-checkpoint")).status_code == 405
        assert (await client.get(f"/{IDS['unknown']}/checkpoint")).status_code == 404
        assert (await client.get(f"/{IDS[LOG.origin].upper()}/checkpoint")).status_code == 404


async def test_a_body_is_bounded_before_it_is_read_whole(nl: Asker, in_: Region) -> None:
    body = str(TRUE.presented(0, 3)).encode()
    async with in_.client(nl.bench.authority) as client:
        answer = await client.post("/add-checkpoint", content=body + b"x" * MAX_BYTES)
        assert answer.status_code == 413
        assert (await client.post("/add-checkpoint", content=body)).status_code == 200


async def test_each_caller_has_so_many_requests_a_second(nl: Asker, in_: Region) -> None:
    async with in_.client(nl.bench.authority) as client, in_.client(None, token=TOKEN) as other:
        for _ in range(100):
            assert (await client.get(f"/{IDS['unknown']}/checkpoint")).status_code == 404
        refused = await client.get(f"/{IDS['unknown']}/checkpoint")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert (await other.get(f"/{IDS['unknown']}/checkpoint")).status_code == 404
        in_.time += 0.02
        assert (await client.get(f"/{IDS['unknown']}/checkpoint")).status_code == 404
        assert (await client.get(f"/{IDS['unknown']}/checkpoint")).status_code == 429


async def test_only_audit_services_of_trusted_regions_and_tokens_are_let_in(
    nl: Asker, in_: Region
) -> None:
    """A root speaks for its own region: in's root cannot make a certificate that says nl."""
    own = in_.bench.authority
    impostor = Authority("nl.accord.internal", own.certificate, own.key)
    stranger = Authority.create("ru.accord.internal")
    for authority, path, token, status in (
        (nl.bench.authority, "svc/audit", "", 404),
        (None, "", TOKEN, 404),
        (impostor, "svc/audit", "", 401),
        (nl.bench.authority, "svc/sharing", "", 401),
        (nl.bench.authority, "app/mi-store", "", 401),
        (nl.bench.authority, "staff/auditor/aisha", "", 401),
        (own, "app/elsewhere", "", 401),
        (None, "", "", 401),
        (None, "", "wrong", 401),
        (nl.bench.authority, "svc/audit", "wrong", 401),
        (nl.bench.authority, "svc/audit", TOKEN, 401),
    ):
        async with in_.client(authority, path, token) as client:
            answer = await client.get(f"/{IDS['unknown']}/checkpoint")
            assert answer.status_code == status, (path, token, answer.text)
            if status == 401:
                posted = await client.post("/add-checkpoint", content=str(TRUE.presented(0, 3)))
                assert posted.status_code == 401
    async with in_.client(stranger) as client:
        with pytest.raises(httpx.TransportError):
            await client.get(f"/{IDS['unknown']}/checkpoint")


async def test_all_witnesses_cosign_and_only_hashes_cross_the_border(
    nl: Asker, in_: Region, sg: Region
) -> None:
    asking = nl.asking("all", in_, sg)
    for size in (0, 1, 3, 3, 300):
        cosigned = await asking.cosign(TRUE.checkpoint(size), TRUE.prove)
        assert cosigned.satisfied
        assert cosigners(cosigned, in_, sg) == ["in", "sg"]
        assert Checkpoint.read(cosigned.note, LOG).size == size
    for wire in (in_.wire, sg.wire):
        sent = b"".join(wire.bodies).decode()
        known = {LOG.origin, *(f"{n}" for n in (0, 1, 3, 300)), ""}
        for line in sent.split("\n"):
            word = line.removeprefix("old ").removeprefix(f"— {LOG.origin} ")
            assert word in known or len(base64.b64decode(word, validate=True)) in {32, 68}, line
        names = {name for name, _ in wire.headers}
        assert names <= {
            *(b"host", b"accept", b"accept-encoding", b"connection", b"content-length"),
            *(b"content-type", b"user-agent"),
        }


async def test_who_has_forgotten_what_a_witness_saw_asks_once_more(nl: Asker, in_: Region) -> None:
    await nl.asking("all", in_).cosign(TRUE.checkpoint(5), TRUE.prove)
    in_.wire.bodies.clear()
    restarted = nl.asking("all", in_)
    assert (await restarted.cosign(TRUE.checkpoint(9), TRUE.prove)).satisfied
    assert [body.partition(b"\n")[0] for body in in_.wire.bodies if body] == [b"old 0", b"old 5"]
    in_.wire.bodies.clear()
    assert (await restarted.cosign(TRUE.checkpoint(12), TRUE.prove)).satisfied
    assert [body.partition(b"\n")[0] for body in in_.wire.bodies if body] == [b"old 9"]


async def test_a_witness_that_has_seen_more_than_there_is_does_not_cosign(
    nl: Asker, in_: Region
) -> None:
    """The log was put back to an old state: it must not go on from there."""
    await nl.asking("all", in_).cosign(TRUE.checkpoint(9), TRUE.prove)
    with pytest.raises(PutBackError, match="which has 5: it was put back") as found:
        await nl.asking("all", in_).cosign(TRUE.checkpoint(5), TRUE.prove)
    assert found.value.size == 9
    fork = History(LOG, "forged", since=5)
    for size in (9, 12):
        with pytest.raises(LogDamagedError, match="two histories"):
            await nl.asking("all", in_).cosign(fork.checkpoint(size), fork.prove)


async def test_no_witness_stops_a_log_by_its_word_alone(nl: Asker, in_: Region) -> None:
    await nl.asking("all", in_).cosign(TRUE.checkpoint(9), TRUE.prove)
    in_.wire.spoil = lambda body: body.replace(b"\n9\n", b"\n8\n")
    put_back = await nl.asking("all", in_).cosign(TRUE.checkpoint(5), TRUE.prove)
    assert put_back == Cosigned(TRUE.checkpoint(5).note, satisfied=False)


async def test_a_witness_that_is_away_is_missing_and_comes_back_by_itself(
    nl: Asker, in_: Region, tmp_path: Path, roots: Path
) -> None:
    sg = Region("sg", tmp_path / "sg", roots)
    async with sg.serving():
        pass
    both, one = nl.asking("all", in_, sg), nl.asking("any", in_, sg)
    for asking, satisfied in ((both, False), (one, True)):
        cosigned = await asking.cosign(TRUE.checkpoint(5), TRUE.prove)
        assert cosigners(cosigned, in_, sg) == ["in"]
        assert cosigned.satisfied is satisfied
    async with sg.serving(f"127.0.0.1:{sg.port}"):
        cosigned = await both.cosign(TRUE.checkpoint(9), TRUE.prove)
        assert cosigned.satisfied
        assert cosigners(cosigned, in_, sg) == ["in", "sg"]
    await sg.database.close()


async def test_a_witness_that_hangs_does_not_hold_up_the_others(
    nl: Asker, in_: Region, sg: Region
) -> None:
    sg.wire.hold = asyncio.Event()
    one = nl.asking("any", in_, sg, deadline_s=300)
    async with asyncio.timeout(60):
        for size in (4, 5):
            cosigned = await one.cosign(TRUE.checkpoint(size), TRUE.prove)
            assert cosigned.satisfied
            assert cosigners(cosigned, in_, sg) == ["in"]
        both = nl.asking("all", in_, sg, deadline_s=1)
        assert not (await both.cosign(TRUE.checkpoint(6), TRUE.prove)).satisfied
    sg.wire.hold.set()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda _: b"nonsense",
        lambda _: b"\xff" * 100,
        lambda _: b"x" * (1 << 20),
        lambda line: line.replace(b"in.accord", b"sg.accord"),
        lambda line: line[:-6] + b"AAA=\n",
    ],
)
async def test_what_does_not_verify_is_not_counted(
    nl: Asker, in_: Region, spoil: Callable[[bytes], bytes]
) -> None:
    in_.wire.spoil = spoil
    cosigned = await nl.asking("all", in_).cosign(TRUE.checkpoint(5), TRUE.prove)
    assert cosigned == Cosigned(TRUE.checkpoint(5).note, satisfied=False)


async def test_cosignatures_of_strangers_in_an_answer_are_left_there(
    nl: Asker, in_: Region
) -> None:
    in_.wire.spoil = lambda line: b"\xe2\x80\x94 stranger.example AAAAAAAA\n" + line
    cosigned = await nl.asking("all", in_).cosign(TRUE.checkpoint(5), TRUE.prove)
    assert cosigned.satisfied
    assert "stranger" not in cosigned.note


async def test_a_witness_is_known_by_the_root_of_its_own_region(
    nl: Asker, in_: Region, roots: Path
) -> None:
    """Whoever answers at its address with another region's certificate is not asked anything."""
    (roots / "in.pem").write_bytes(Authority.create("in.accord.internal").pem)
    cosigned = await nl.asking("all", in_).cosign(TRUE.checkpoint(5), TRUE.prove)
    assert not cosigned.satisfied
    assert in_.wire.bodies == []


async def test_certificates_and_roots_may_change_while_it_runs(
    nl: Asker, in_: Region, roots: Path
) -> None:
    asking = nl.asking("all", in_)
    assert (await asking.cosign(TRUE.checkpoint(5), TRUE.prove)).satisfied
    successor = Authority.create("nl.accord.internal")
    issued = successor.issue("svc/audit", dns=["audit.nl.accord.internal"])
    (roots / "nl.pem").write_bytes(nl.bench.authority.pem + successor.pem)
    issued.write(nl.means.credentials.certificate_file.with_suffix(""))
    (roots / "nl.pem").write_bytes(successor.pem)
    assert (await asking.cosign(TRUE.checkpoint(9), TRUE.prove)).satisfied


@pytest.mark.parametrize(("url", "why"), [("http://127.0.0.1:1", "https"), ("nonsense", "https")])
async def test_an_address_that_is_not_https_is_refused(nl: Asker, url: str, why: str) -> None:
    key = NoteKey("in.accord.internal/witness", Ed25519PrivateKey.generate(), COSIGNATURE).key
    policy = Policy.parse(f"witness w {key} {url}\nquorum w\n".encode())
    with pytest.raises(ValueError, match=why):
        HttpsWitnesses(policy, LOG, nl.means, NoteVerifier)
    with pytest.raises(ValueError, match="roots are not known"):
        HttpsWitnesses(
            Policy.parse(f"witness w {key} https://in\nquorum w\n".encode()),
            LOG,
            replace(nl.means, regions=None),
            NoteVerifier,
        )
