"""From audit's answer to a proof: what is shown as verified is what was verified, and no more."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from accord.audit.v1 import entry_pb2
from accord.audit.v1.read_service_pb2 import ProveInclusionResponse
from accord_client.checkpoint import ProofFile
from accord_client.failure import VerificationError
from accord_client.merkle import leaf_hash
from accord_client.note import VerifierKey
from accord_client.verify import VerifiedEntry, pack_proof, verify_proof

from services.portal.domain.trace import Entry, Proof, Readability, Section
from services.portal.peers.convert import known, moment

_READABILITY: Mapping["entry_pb2.Readability.ValueType", Readability] = {
    entry_pb2.READABILITY_FULL: Readability.FULL,
    entry_pb2.READABILITY_PARTIAL: Readability.PARTIAL,
    entry_pb2.READABILITY_NONE: Readability.NONE,
}
_MEMBERS = frozenset({"@account", "@actor", "@resource"})


def read_proof(answer: ProveInclusionResponse, index: int, keys: Sequence[VerifierKey]) -> Proof:
    """Verify an answer to what was asked about `index`, under pinned keys.

    An entry whose proof holds is read from the bytes that were hashed and the openings that were
    recomputed; whatever else the log says about it goes unread. A sound proof of another entry
    than the one asked for is a problem of inclusion. With a problem, the entry asked for is shown
    as the log states it, for the auditor to see what was claimed.
    """
    packed = pack_proof(answer)
    try:
        verified = _verify(packed, index, keys)
    except VerificationError as error:
        return Proof(
            entry=replace(stated_entry(answer.entry), index=index),
            size=answer.checkpoint.size,
            leaf_hash=leaf_hash(answer.entry.leaf),
            root_hash=answer.checkpoint.root_hash,
            path=packed.path,
            note=answer.checkpoint.note,
            file=packed.serialise(),
            problem=error.obligation,
            published=index < answer.published_size,
            witnesses=_witnesses(keys),
        )
    cosigned = {one.key for one in verified.checkpoint.cosignatures}
    return Proof(
        entry=_verified_entry(verified),
        size=verified.checkpoint.size,
        leaf_hash=verified.leaf_hash,
        root_hash=verified.checkpoint.root,
        path=packed.path,
        note=answer.checkpoint.note,
        file=packed.serialise(),
        published=index < answer.published_size,
        cosigned=len(cosigned),
        witnesses=_witnesses(keys),
    )


def stated_entry(entry: entry_pb2.Entry) -> Entry:
    """Return an entry as the log states it, unverified."""
    return Entry(
        index=entry.index,
        producer=entry.producer,
        sequence=entry.sequence,
        event_id=entry.event_id,
        action=entry.action,
        outcome=entry.outcome,
        at=moment(entry.event_time),
        trace_id=entry.trace_id,
        span_id=entry.span_id,
        readability=known(_READABILITY, entry.readability),
        account=entry.account,
        actor=entry.actor,
        resource=entry.resource,
        fields=[*_stated_members(entry), *_fields(entry.fields)],
        sections=[Section(section.account, _fields(section.fields)) for section in entry.sections],
    )


def _verify(packed: ProofFile, index: int, keys: Sequence[VerifierKey]) -> VerifiedEntry:
    verified = verify_proof(packed, keys)
    if verified.index != index:
        raise VerificationError("inclusion", "the proof is of another entry")
    return verified


def _witnesses(keys: Sequence[VerifierKey]) -> int:
    """Return how many of the pinned keys are witnesses'."""
    return len({key for key in keys if key.algorithm.cosigns})


def _verified_entry(verified: VerifiedEntry) -> Entry:
    header = verified.entry
    values = dict(verified.shown)
    several = verified.shown_of_several
    return Entry(
        index=verified.index,
        producer=header.producer,
        sequence=header.sequence,
        event_id=header.event_id.hex(),
        action=verified.action,
        outcome=header.outcome,
        at=verified.event_time,
        trace_id=header.trace_id.hex(),
        span_id=header.span_id.hex(),
        readability=_readability(len(verified.openings), verified.commitments),
        account=values.get("@account", ""),
        actor=header.actor or values.get("@actor", ""),
        resource=values.get("@resource", ""),
        fields=[
            *([("app", header.app)] if header.app else ()),
            *_without_members(verified.shown),
        ],
        sections=[
            _section(several.get(number, ()))
            for number in range(header.own_sections, len(header.sections))
        ],
    )


def _section(shown: Sequence[tuple[str, str]]) -> Section:
    return Section(dict(shown).get("@account", ""), _without_members(shown))


def _without_members(shown: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the values but for those that an Entry has by name; the log's own lose their `@`."""
    return [(name.removeprefix("@"), value) for name, value in shown if name not in _MEMBERS]


def _stated_members(entry: entry_pb2.Entry) -> list[tuple[str, str]]:
    decision = entry.decision
    said = {
        "on_behalf_of": entry.on_behalf_of,
        "app": entry.app,
        "recipients": "\n".join(entry.recipients),
        "contracts": "\n".join(entry.contracts),
        "decision.name": decision.name,
        "decision.outcome": decision.outcome,
        "decision.reasons": "\n".join(decision.reasons),
        "decision.citations": "\n".join(decision.citations),
        "decision.rulebook": decision.rulebook_digest,
    }
    return [(name, value) for name, value in said.items() if value]


def _fields(fields: Iterable[entry_pb2.Field]) -> list[tuple[str, str]]:
    return [(field.name, field.value) for field in fields]


def _readability(opened: int, commitments: int) -> Readability:
    if opened >= commitments:
        return Readability.FULL
    return Readability.PARTIAL if opened else Readability.NONE
