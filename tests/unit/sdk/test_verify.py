"""One entry verified offline: each obligation holds, and each is missed when it should be."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from accord_client.entry import parse_entry, people_of
from accord_client.failure import VerificationError
from accord_client.verify import verify_proof
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sdk.evidence import ORIGIN, Signer, commitment, entry, proof_file

LOG = Signer(ORIGIN)
FIELDS = {"recipient": "recipients/dhl", "姓名": "purpose"}
ENTRIES = [entry(n, FIELDS) for n in range(1, 8)]


def extra(leaf: bytes, **changes: object) -> bytes:
    openings = [
        {
            "section": 0,
            "position": number,
            "name": name,
            "salt": base64.b64encode(bytes([number]) * 32).decode(),
            "value": value,
        }
        for number, (name, value) in enumerate(FIELDS.items())
    ]
    openings[0].update(changes)
    rows = [list(opening.values()) for opening in openings]
    return json.dumps({"leaf": base64.b64encode(leaf).decode(), "openings": rows}).encode()


PROOF = proof_file(LOG, ENTRIES, 4, extra(ENTRIES[4]))


def refused(proof: object, obligation: str) -> None:
    with pytest.raises(VerificationError) as caught:
        verify_proof(proof, [LOG.key])  # type: ignore[arg-type] # replace() loses the type
    assert caught.value.obligation == obligation


def test_a_proof_shows_the_entry_and_its_opened_values() -> None:
    verified = verify_proof(PROOF, [LOG.key])
    assert verified.checkpoint.size == 7
    assert verified.index == 4
    assert verified.entry.sequence == 5
    assert verified.shown == tuple(FIELDS.items())
    assert verified.commitments == 2


def test_what_is_shown_of_several_people_is_kept_apart() -> None:
    message = parse_entry(entry(1, FIELDS))
    section = message.sections.add(pseudonym=b"q" * 16, sealed=b"sealed")
    section.commitments.append(commitment(bytes(32), "recipient", "recipients/ads"))
    assert people_of(message) == {b"p" * 16, b"q" * 16}
    leaf = message.SerializeToString(deterministic=True)
    content = json.loads(extra(leaf))
    told = [1, 0, "recipient", base64.b64encode(bytes(32)).decode(), "recipients/ads"]
    content["openings"] += [told, told]
    proof = proof_file(LOG, [leaf], 0, json.dumps(content).encode())
    verified = verify_proof(proof, [LOG.key])
    assert verified.shown == tuple(FIELDS.items())
    assert verified.shown_of_several == {1: (("recipient", "recipients/ads"),)}
    assert len(verified.openings) == verified.commitments == 3
    # An actor who is somebody else has the second section: then it is not about the actor.
    message.actor_pseudonym, message.own_sections = b"q" * 16, 2
    assert people_of(message) == {b"p" * 16}


def test_1_key_another_key_of_the_same_name_does_not_do() -> None:
    with pytest.raises(VerificationError) as caught:
        verify_proof(PROOF, [Signer(ORIGIN).key])
    assert caught.value.obligation == "signature"


def test_2_inclusion_another_entry_or_place_does_not_do() -> None:
    refused(replace(PROOF, extra=extra(ENTRIES[3])), "inclusion")
    refused(replace(PROOF, index=3), "inclusion")
    refused(replace(PROOF, index=7), "inclusion")
    refused(replace(PROOF, path=PROOF.path[:-1]), "inclusion")


def test_3_format_what_is_no_entry_is_refused_though_it_is_in_the_log() -> None:
    for leaf in (b"\xff", b"", entry().replace(b"\x08\x01", b"\x08\x02", 1)):
        refused(proof_file(LOG, [leaf], 0, extra(leaf)), "format")


@pytest.mark.parametrize(
    "changes",
    [
        {"value": "recipients/other"},
        {"name": "purpose"},
        {"section": 1},
        {"position": 1},
        {"position": 2},
        {"position": -1},
        {"salt": base64.b64encode(bytes(31)).decode()},
        {"name": "n" * 70_000},
    ],
)
def test_4_openings_a_value_that_was_not_committed_is_refused(changes: dict[str, object]) -> None:
    refused(replace(PROOF, extra=extra(ENTRIES[4], **changes)), "opening")


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b"\xff",
        extra(ENTRIES[4], section="0"),
        extra(ENTRIES[4], value=None),
        extra(ENTRIES[4], value="\ud800"),
        extra(ENTRIES[4], salt="AB"),
    ],
)
def test_what_carries_no_entry_is_refused_as_malformed(content: bytes | None) -> None:
    refused(replace(PROOF, extra=content), "format")


@given(position=st.integers(0, len(ENTRIES[4]) - 1), bit=st.integers(0, 7))
def test_no_flipped_bit_of_an_entry_is_accepted(position: int, bit: int) -> None:
    leaf = bytearray(ENTRIES[4])
    leaf[position] ^= 1 << bit
    refused(replace(PROOF, extra=extra(bytes(leaf))), "inclusion")


@pytest.mark.parametrize(
    "change",
    [
        {"producer": ""},
        {"sequence": 0},
        {"sequence": 1 << 63},
        {"event": 0},
        {"event": 1 << 16},
        {"event": -1},
        {"outcome": ""},
        {"event_id": b"short"},
        {"trace_id": bytes(8)},
        {"span_id": bytes(8)},
        {"actor_pseudonym": bytes(15)},
        {"actor": "spiffe://nl.accord.internal/staff/officer/ana"},
        {"actor": "spiffe://nl.accord.internal/app/x", "actor_pseudonym": bytes(16)},
        {"app": "app/Ana"},
        {"recipient_tags": [bytes(16), bytes(16)]},
        {"contract_tags": [b""]},
        {"own_sections": 0},
        {"own_sections": 2},
    ],
)
def test_3_format_what_no_entry_says_is_refused(change: dict[str, object]) -> None:
    message = parse_entry(entry())
    for name, value in change.items():
        message.ClearField(name)  # type: ignore[arg-type]  # a name of the message
        if isinstance(value, list):
            getattr(message, name).extend(value)
        else:
            setattr(message, name, value)
    leaf = message.SerializeToString()
    refused(proof_file(LOG, [leaf], 0, extra(leaf)), "format")


def test_3_format_sections_and_commitments_are_of_their_length() -> None:
    for alter in ("pseudonym", "sealed", "commitments"):
        message = parse_entry(entry(fields=FIELDS))
        section = message.sections[0]
        if alter == "commitments":
            section.commitments[0] = bytes(31)
        else:
            setattr(section, alter, b"")
        leaf = message.SerializeToString()
        refused(proof_file(LOG, [leaf], 0, extra(leaf)), "format")
