"""Regions that cosign each other's logs: real processes, each with roots and keys of its own.

Audit alone runs in each: what its auditors read is itself on record, and makes the logs grow.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest
from accord.audit.v1.read_service_pb2 import ListEntriesRequest
from accord_client.cli import cli
from accord_client.cli.session import Exit
from accord_client.clients import Audit
from accord_client.note import parse_keys
from click.testing import CliRunner, Result

from sandbox.mesh import Mesh, Ports
from sandbox.regions import Regions
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.cosignature import Cosigner
from services.audit.domain.log_keys import KnownLog
from services.audit.domain.note import Verifier, VerifierKey, open_note
from services.audit.store.note_key import NoteVerifier
from tests.mesh.log import checkpoint
from tests.mesh.records import profile

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("regions")  # three regions are started once, and in turn
_PATIENCE_S = 60.0
NAMES = ("nl", "in", "sg")
# A witness of others, which cosigns none of these logs.
_STRANGER = "witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN"


@pytest.fixture(scope="module")
def regions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Regions]:
    """Three regions; each log needs both of the others."""
    root = tmp_path_factory.mktemp("regions")
    with Regions(NAMES, root, lambda _: Ports.free(), only=("audit",)) as regions:
        yield regions


def key(file: Path) -> Verifier:
    return NoteVerifier(VerifierKey.parse(file.read_text().strip()))


@dataclass
class Seen:
    """A checkpoint, and which regions have cosigned it."""

    size: int
    by: set[str]


def read(regions: Regions, mesh: Mesh, note: str) -> Seen:
    """Verifies a checkpoint with pinned keys alone."""
    log = KnownLog(f"{mesh.region}.accord.internal/audit", (key(mesh.material.log_key),))
    witnesses = [Cosigner(key(each.material.key("witness.vkey"))) for each in regions]
    size = Checkpoint.read(note, log).size
    signatures = open_note(note, [*log.verifiers, *witnesses]).signatures
    names = {signature.key.name for signature in signatures}
    return Seen(size, {name[:2] for name in names if name.endswith("/witness")})


def published(
    regions: Regions, name: str, enough: Callable[[Seen], bool], wait_s: float = _PATIENCE_S
) -> Seen:
    """The published checkpoint, once it is `enough`; TimeoutError when it never is."""
    mesh = regions[name]
    return read(
        regions,
        mesh,
        checkpoint(mesh, lambda note: enough(read(regions, mesh, note)), wait_s),
    )


def settled(regions: Regions, name: str, wait_s: float = 2.0) -> Seen:
    """The published checkpoint that no other has followed for a while."""
    newest = published(regions, name, lambda _: True)
    with contextlib.suppress(TimeoutError):
        while True:
            size = newest.size
            newest = published(regions, name, partial(_is_beyond, size), wait_s)
    return newest


def _is_beyond(size: int, seen: Seen) -> bool:
    return seen.size > size


def grow(regions: Regions, name: str) -> None:
    """Reads the log, which is on record."""

    async def ask() -> None:
        async with Audit.connect(profile(regions[name], "auditor"), "a test") as client:
            async for _ in client.entries(ListEntriesRequest()):
                break

    asyncio.run(ask())


def test_every_region_has_its_log_cosigned_by_the_others(regions: Regions) -> None:
    for name in NAMES:
        grow(regions, name)
    for name in NAMES:
        seen = published(regions, name, lambda seen: seen.size > 0 and bool(seen.by))
        assert seen.by == set(NAMES) - {name}


def test_the_portal_is_told_which_keys_cosign(regions: Regions) -> None:
    pinned = parse_keys(regions["nl"].material.witness("pins").read_text())
    assert [(key.name, key.algorithm.cosigns) for key in pinned] == [
        ("nl.accord.internal/audit", False),
        ("in.accord.internal/witness", True),
        ("sg.accord.internal/witness", True),
    ]


def test_an_auditor_with_the_policy_is_told_who_cosigned(regions: Regions, tmp_path: Path) -> None:
    grow(regions, "nl")
    published(regions, "nl", lambda seen: seen.size > 0 and len(seen.by) == len(NAMES) - 1)
    material = regions["nl"].material
    online = ["--profile", str(material.profile("auditor"))]
    trusted = ["--key", str(material.log_key), "--policy", str(material.witness("policy"))]

    def accord(*words: str) -> Result:
        return CliRunner().invoke(cli, [*words, *trusted], env={"ACCORD_PURPOSE": "a test"})

    kept, bundle = tmp_path / "kept.checkpoint", tmp_path / "all.bundle"
    said = accord(*online, "audit", "checkpoint", "--out", str(kept))
    assert said.exit_code == Exit.OK, said.stderr
    assert "the quorum (2 of in, sg) holds" in said.stdout
    assert (
        "the quorum (2 of in, sg) holds" in accord(*online, "audit", "consistent", str(kept)).stdout
    )
    exporting = [*online, "audit", "export", "--all", "--purpose", "a test", "--out", str(bundle)]
    assert CliRunner().invoke(cli, exporting).exit_code == Exit.OK
    answer = json.loads(accord("audit", "verify", str(bundle), "--json").stdout)
    assert answer["quorum"] is True
    assert {one["name"] for one in answer["cosigned_by"]} == {"in", "sg"}

    other = regions["in"].material.key("witness.vkey").read_text().strip()
    stricter = tmp_path / "stricter.policy"
    stricter.write_text(
        f"witness in {other}\nwitness ru {_STRANGER}\ngroup G all in ru\nquorum G\n"
    )
    trusted[-1] = str(stricter)
    refused = accord("audit", "verify", str(bundle))
    assert refused.exit_code == Exit.REFUSED
    assert (
        "NOT VERIFIED (quorum): the policy requires 2 of in, ru; cosigned by in" in refused.stderr
    )


def test_a_witness_that_is_away_blocks_as_the_policy_says_and_comes_back_by_itself(
    regions: Regions,
) -> None:
    grow(regions, "nl")
    published(regions, "nl", lambda seen: seen.size > 0 and len(seen.by) == 2)
    away = regions["sg"].process("audit")
    away.kill()
    before = settled(regions, "nl")
    grow(regions, "nl")
    with pytest.raises(TimeoutError):
        published(regions, "nl", lambda seen: seen.size > before.size and bool(seen.by), wait_s=5)
    regions["sg"].restart("audit")
    after = published(regions, "nl", lambda seen: seen.size > before.size and bool(seen.by))
    assert after.by == {"in", "sg"}


def test_where_one_suffices_another_may_be_away(regions: Regions) -> None:
    """The last of these tests: sg stays away."""
    nl = regions["nl"]
    nl.process("audit").kill()
    nl.meet([regions["in"], regions["sg"]], enough=1)
    regions["sg"].process("audit").kill()
    nl.restart("audit")
    grow(regions, "nl")
    before = published(regions, "nl", lambda seen: seen.size > 0)
    grow(regions, "nl")
    after = published(regions, "nl", lambda seen: seen.size > before.size)
    assert after.by == {"in"}
