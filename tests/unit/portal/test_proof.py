"""What is shown as verified was verified, and nothing that the log merely said beside it."""

from __future__ import annotations

import pytest
from accord.audit.v1 import entry_pb2, log_entry_pb2
from accord.audit.v1.read_service_pb2 import ProveInclusionResponse
from accord_client.merkle import leaf_hash, root_of
from google.protobuf.timestamp_pb2 import Timestamp

from services.portal.domain.trace import Proof, Readability, Section
from services.portal.peers.proof import read_proof
from tests.unit.sdk.evidence import ORIGIN, Signer, commitment, entry, proof_file

LOG = Signer(ORIGIN)
FIELDS = {"@account": "accounts/nl-a", "@actor": "accounts/nl-b", "purpose": "delivery"}
ENTRIES = [entry(n, FIELDS) for n in range(1, 6)]
INDEX = 3


def _answer(*, opened: int = len(FIELDS)) -> ProveInclusionResponse:
    """Answer as a log does that lies wherever no proof would show it."""
    proof = proof_file(LOG, ENTRIES, INDEX, None)
    answer = ProveInclusionResponse(
        entry=entry_pb2.Entry(
            index=INDEX,
            leaf=ENTRIES[INDEX],
            producer="account",
            sequence=99,
            event_id="ff" * 16,
            action="sharing:decision:deny",
            outcome="deny",
            event_time=Timestamp(seconds=1),
            trace_id="ee" * 16,
            readability=entry_pb2.READABILITY_FULL,
            account="accounts/nl-liar",
            actor="accounts/nl-liar",
            resource="decisions/nl-liar",
            fields=[entry_pb2.Field(name="purpose", value="sale")],
        ),
        proof=proof.path,
        openings=[
            entry_pb2.Opening(
                section=0, position=number, name=name, salt=bytes([number]) * 32, value=value
            )
            for number, (name, value) in list(enumerate(FIELDS.items()))[:opened]
        ],
    )
    answer.checkpoint.note = proof.checkpoint.decode()
    answer.checkpoint.size = 77
    answer.checkpoint.root_hash = b"r" * 32
    return answer


def _read(answer: ProveInclusionResponse, index: int = INDEX) -> Proof:
    return read_proof(answer, index, [LOG.key])


def test_a_verified_entry_is_shown_as_it_was_hashed_and_opened() -> None:
    proof = _read(_answer())
    assert proof.problem == ""
    shown = proof.entry
    assert (shown.index, shown.producer, shown.sequence) == (INDEX, "sharing", INDEX + 1)
    assert (shown.action, shown.outcome) == ("sharing:decision:permit", "permit")
    assert (shown.event_id, shown.trace_id, shown.at.timestamp()) == ("00" * 16, "", 0)
    assert (shown.account, shown.actor, shown.resource) == ("accounts/nl-a", "accounts/nl-b", "")
    assert shown.fields == [("purpose", "delivery")]
    assert shown.readability is Readability.FULL
    assert proof.size == len(ENTRIES)
    assert proof.leaf_hash == leaf_hash(ENTRIES[INDEX])
    assert proof.root_hash == root_of([leaf_hash(each) for each in ENTRIES])


@pytest.mark.parametrize(
    ("opened", "readability"), [(0, Readability.NONE), (2, Readability.PARTIAL)]
)
def test_what_was_not_opened_is_not_shown(opened: int, readability: Readability) -> None:
    shown = _read(_answer(opened=opened)).entry
    assert shown.readability is readability
    assert shown.fields == []
    assert "liar" not in shown.account + shown.actor + shown.resource


def test_what_is_said_about_several_people_is_shown_of_each_as_far_as_it_was_opened() -> None:
    message = log_entry_pb2.LogEntry.FromString(entry(1, {"count": "2"}))
    message.account_pseudonym = b""
    said = [{"@account": "accounts/nl-a", "answer": "permit"}, {"@account": "accounts/nl-b"}]
    for number, fields in enumerate(said):
        section = message.sections.add(pseudonym=bytes([number]) * 16, sealed=b"sealed")
        section.commitments.extend(commitment(bytes(32), n, v) for n, v in fields.items())
    leaf = message.SerializeToString(deterministic=True)
    proof = proof_file(LOG, [leaf], 0, None)
    answer = ProveInclusionResponse(
        entry=entry_pb2.Entry(leaf=leaf, sections=[entry_pb2.EventSection(account="liar")]),
        openings=[
            entry_pb2.Opening(section=1, position=n, name=name, salt=bytes(32), value=value)
            for n, (name, value) in enumerate(said[0].items())
        ],
    )
    answer.checkpoint.note = proof.checkpoint.decode()
    shown = _read(answer, 0)
    assert shown.problem == ""
    assert shown.entry.sections == [
        Section("accounts/nl-a", [("answer", "permit")]),
        Section("", []),
    ]
    assert (shown.entry.account, shown.entry.readability) == ("", Readability.PARTIAL)


def test_an_opening_that_is_repeated_opens_nothing_more() -> None:
    answer = _answer(opened=2)
    answer.openings.append(answer.openings[0])
    assert _read(answer).entry.readability is Readability.PARTIAL


def test_a_proof_of_another_entry_than_was_asked_for_is_none() -> None:
    proof = _read(_answer(), INDEX - 1)
    assert proof.problem == "inclusion"
    assert proof.entry.index == INDEX - 1  # the page stays that of the entry asked for


@pytest.mark.parametrize("problem", ["signature", "inclusion", "format", "opening"])
def test_a_proof_that_does_not_hold_is_shown_with_what_the_log_said(problem: str) -> None:
    answer = _answer()
    if problem == "signature":
        answer.checkpoint.note = answer.checkpoint.note.replace("5\n", "6\n", 1)
    elif problem == "inclusion":
        answer.entry.leaf = ENTRIES[0]
    elif problem == "format":
        _become_of_another_format(answer)
    else:
        answer.openings[2].value = "sale"
    proof = _read(answer, answer.entry.index)
    assert proof.problem == problem
    assert proof.entry.action == "sharing:decision:deny"


def _become_of_another_format(answer: ProveInclusionResponse) -> None:
    leaf = ENTRIES[INDEX].replace(b"\x08\x01", b"\x08\x02", 1)
    answer.entry.leaf, answer.entry.index = leaf, 0
    del answer.proof[:]
    answer.checkpoint.note = proof_file(LOG, [leaf], 0, None).checkpoint.decode()
