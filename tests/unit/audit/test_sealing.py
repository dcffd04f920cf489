"""Sealing: who can read what, what is committed to, and what remains when keys are destroyed."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from accord.audit.v1.log_entry_pb2 import LogEntry
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.event import Decision, Event, Section, Trace
from services.audit.api.envelope import LogEntryEnvelope
from services.audit.domain.entry import (
    FORMAT,
    Facet,
    OpenedEntry,
    Readability,
    StoredEntry,
    Submission,
)
from services.audit.domain.faults import LogDamagedError
from services.audit.domain.merkle import leaf_hash
from services.audit.domain.sealing import (
    ORGANISATION,
    open_entry,
    parties,
    same_content,
    seal,
    tag,
)
from services.audit.store.key_ring import StoredPartyKeys
from tests.committed import commitment, preimage

# The same examples each time, and no judgement of how busy the machine is.
patient = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
ORIGIN = "nl.accord.internal/audit"
PERSON, OTHER, CHILD = "accounts/nl-person", "accounts/nl-other", "accounts/nl-child"
OFFICER = "spiffe://nl.accord.internal/staff/officer/ana"
APP = "spiffe://nl.accord.internal/app/mi-store"
KEYS = {
    party: StoredPartyKeys(secrets.token_bytes(64), secrets.token_bytes(16))
    for party in (PERSON, OTHER, CHILD, OFFICER, ORGANISATION)
}
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,20}", fullmatch=True)
FIELDS = st.dictionaries(NAMES, st.text(st.characters(codec="utf-8")), max_size=6)
EVENTS = st.builds(
    Event,
    action=st.just("sharing:decision:permit"),
    outcome=st.just("permit"),
    time=st.datetimes(timezones=st.just(UTC)),
    account=st.sampled_from(["", PERSON]),
    actor=st.sampled_from(["", PERSON, OFFICER, APP]),
    on_behalf_of=st.sampled_from(["", CHILD]),
    app=st.sampled_from(["", "app/mi-store"]),
    resource=st.sampled_from(["", "orders/1"]),
    recipients=st.sampled_from([(), ("recipients/dhl",), ("recipients/dhl", "recipients/ads")]),
    contracts=st.sampled_from([(), ("contracts/c-1",)]),
    decision=st.builds(
        Decision,
        name=st.sampled_from(["", "decisions/nl-1"]),
        outcome=st.sampled_from(["", "PERMIT"]),
        reasons=st.sampled_from([(), ("NO_CONTRACT", "OPTED_OUT")]),
        citations=st.sampled_from([(), ("GDPR 6(1)(a)", "§ 7 UWG")]),
        rulebook=st.sampled_from(["", "5a" * 32]),
    ),
    fields=FIELDS,
    trace=st.sampled_from(
        [Trace(), Trace("ab" * 16, "cd" * 8, 1), Trace("ab" * 16, "cd" * 8, 0x301, "a=1,b=2")]
    ),
    sections=st.lists(st.builds(Section, st.sampled_from([PERSON, OTHER]), FIELDS), max_size=4).map(
        tuple
    ),
)
BATCH = Event(
    "sharing:decision:batch",
    "done",
    NOON,
    actor=PERSON,
    fields={"count": "3"},
    sections=(
        Section(PERSON, {"answer": "permit"}),
        Section(OTHER, {"answer": "deny"}),
        Section(PERSON, {"answer": "gap"}),
    ),
)


def stored(event: Event, index: int = 0) -> StoredEntry:
    sealed = seal(ORIGIN, "sharing", Submission(1, event), KEYS)
    leaf = LogEntryEnvelope().encode(sealed)
    return StoredEntry(index, leaf, leaf_hash(leaf), LogEntryEnvelope().decode(leaf))


def opened(event: Event, *with_keys_of: str) -> OpenedEntry:
    return open_entry(
        ORIGIN, stored(event), {KEYS[party].pseudonym: KEYS[party] for party in with_keys_of}
    )


@patient
@given(EVENTS)
def test_an_event_comes_back_whole_from_its_bytes(event: Event) -> None:
    entry = opened(event, *KEYS)
    assert entry.event == event
    assert entry.readability is Readability.FULL


@patient
@given(EVENTS)
def test_every_opening_matches_its_commitment(event: Event) -> None:
    entry = opened(event, *KEYS)
    for opening in entry.openings:
        section = entry.stored.sealed.sections[opening.section]
        expected = commitment(opening.salt, opening.name, opening.value)
        assert section.commitments[opening.position] == expected
    assert len({opening.salt for opening in entry.openings}) == len(entry.openings)


def test_a_section_seals_what_is_hashed_behind_its_lengths() -> None:
    event = Event("account:link:add", "success", NOON, PERSON, fields={"a": "1", "ä": "ß\n"})
    entry = opened(event, PERSON)
    (section,) = entry.stored.sealed.sections
    context = (
        b"accord-audit-section",
        FORMAT.to_bytes(4),
        ORIGIN.encode(),
        bytes.fromhex(event.event_id),
        section.pseudonym,
    )
    associated = b"".join(len(part).to_bytes(4) + part for part in context)
    hashed = [preimage(shown.salt, shown.name, shown.value) for shown in entry.openings]
    lengths = [len(each).to_bytes(4) for each in hashed]
    assert KEYS[PERSON].decrypt(section.sealed, associated) == b"".join((*lengths, *hashed))


@patient
@given(EVENTS)
def test_invariant_4_no_value_stands_in_clear_in_an_entry(event: Event) -> None:
    marked = Event(
        action=event.action,
        outcome=event.outcome,
        time=event.time,
        account=event.account,
        actor=event.actor,
        on_behalf_of=event.on_behalf_of,
        app=event.app,
        resource=event.resource,
        recipients=("recipients/canary",),
        contracts=("contracts/canary",),
        decision=Decision("canary", "CANARY", ("CANARY",), ("canary",), "canary"),
        trace=Trace("ab" * 16, "cd" * 8, 1, "canary=1"),
        fields={name: f"canary {value}" for name, value in event.fields.items()},
        sections=tuple(Section(s.account, {"f": "canary"}) for s in event.sections),
    )
    leaf = stored(marked).leaf
    assert b"canary" not in leaf.lower()
    assert b"accounts/" not in leaf
    assert leaf.count(b"spiffe") == (event.actor == APP)
    assert b"staff" not in leaf
    assert b"contracts/" not in leaf


def test_each_party_reads_and_loses_its_own_part_alone() -> None:
    event = Event(
        "sharing:contract:activate", "success", NOON, PERSON, OFFICER, "orders/1", {"a": "1"}
    )
    assert set(parties(event)) == {PERSON, OFFICER}
    without_person = opened(event, OFFICER)
    assert without_person.readability is Readability.PARTIAL
    assert (without_person.event.account, without_person.event.actor) == ("", OFFICER)
    assert (without_person.event.resource, without_person.event.fields) == ("", {})
    without_officer = opened(event, PERSON)
    assert (without_officer.event.account, without_officer.event.actor) == (PERSON, "")
    assert without_officer.event.fields == {"a": "1"}
    nobody = opened(event)
    assert nobody.readability is Readability.NONE
    assert nobody.event.action == event.action


def test_a_workload_is_named_in_clear_and_has_neither_key_nor_section() -> None:
    for workload in (APP, "spiffe://nl.accord.internal/svc/account"):
        event = Event(
            "sharing:decision:permit", "permit", NOON, PERSON, workload, app="app/mi-store"
        )
        assert parties(event) == (PERSON,)
        sealed = stored(event).sealed
        assert (sealed.actor, sealed.app, len(sealed.sections)) == (workload, "app/mi-store", 1)
        assert sealed.actor_pseudonym == b""
        nobody = opened(event).event
        assert (nobody.account, nobody.actor, nobody.app) == ("", workload, "app/mi-store")
        assert (Facet.ACTOR, workload.encode()) in set(sealed.postings)


@pytest.mark.parametrize(
    "actor",
    [
        OFFICER,
        PERSON,
        "spiffe://nl.accord.internal/app/mi-store/ana",
        "spiffe://nl.accord.internal/app/Ana",
        "spiffe://elsewhere.example/app/mi-store",
        "app/mi-store",
    ],
)
def test_whatever_is_no_workload_of_ours_acts_under_a_pseudonym(actor: str) -> None:
    event = Event("sharing:decision:permit", "permit", NOON, PERSON, actor)
    assert set(parties(event)) == {PERSON, actor}
    keys = {**KEYS, actor: KEYS.get(actor, KEYS[OTHER])}
    sealed = seal(ORIGIN, "sharing", Submission(1, event), keys)
    assert (sealed.actor, sealed.actor_pseudonym) == ("", keys[actor].pseudonym)
    assert actor.encode() not in LogEntryEnvelope().encode(sealed)


def test_of_several_people_each_loses_their_own_sections_alone() -> None:
    assert set(parties(BATCH)) == {ORGANISATION, PERSON, OTHER}
    sealed = stored(BATCH).sealed
    assert sealed.account_pseudonym == b""
    assert sealed.people == {KEYS[PERSON].pseudonym, KEYS[OTHER].pseudonym}
    without_person = opened(BATCH, ORGANISATION, OTHER)
    assert without_person.readability is Readability.PARTIAL
    assert (without_person.event.actor, without_person.event.fields) == ("", {"count": "3"})
    unreadable = Section("")
    assert without_person.event.sections == (unreadable, BATCH.sections[1], unreadable)


def test_asked_about_one_person_nothing_of_the_others_is_opened() -> None:
    entry = open_entry(
        ORIGIN,
        stored(BATCH),
        {keys.pseudonym: keys for keys in KEYS.values()},
        about={KEYS[OTHER].pseudonym},
    )
    assert entry.event.sections == (BATCH.sections[1],)
    assert entry.readability is Readability.FULL
    assert {opening.section for opening in entry.openings} == {0, 1, 3}


def test_a_repeated_batch_is_told_from_one_that_says_other_things() -> None:
    entry = opened(BATCH, *KEYS)
    first, second, third = BATCH.sections
    for other in (
        (second, first, third),
        (first, second),
        (first, second, third, third),
        (first, second, Section(PERSON, {"answer": "permit"})),
        (first, second, Section(OTHER, {"answer": "gap"})),
    ):
        assert not same_content(Submission(1, replace(BATCH, sections=other)), entry)
    assert same_content(Submission(1, BATCH), entry)


@patient
@given(EVENTS)
def test_an_event_is_never_larger_sealed_than_its_producer_reckons(event: Event) -> None:
    assert len(stored(event).leaf) <= event.size
    assert event.size - len(stored(event).leaf) < 500 + 30 * len(event.sections)


def test_what_concerns_no_one_is_sealed_by_the_organisation() -> None:
    event = Event("sharing:facts:load", "success", NOON, fields={"a": "1"})
    assert parties(event) == (ORGANISATION,)
    assert opened(event, ORGANISATION).event == event


def test_a_member_of_staff_who_is_erased_takes_their_name_and_no_record_of_the_organisation() -> (
    None
):
    event = Event(
        "sharing:contract:activate", "success", NOON, "", OFFICER, "contracts/c-1", {"version": "2"}
    )
    assert set(parties(event)) == {ORGANISATION, OFFICER}
    erased = opened(event, ORGANISATION)
    assert (erased.event.resource, erased.event.fields) == ("contracts/c-1", {"version": "2"})
    assert erased.event.actor == ""


@pytest.mark.parametrize("moved", ["origin", "event", "bytes", "commitment"])
def test_a_section_opens_in_its_own_place_alone(moved: str) -> None:
    event = Event("account:link:add", "success", NOON, PERSON, fields={"a": "1"})
    entry = stored(event)
    sealed, origin = entry.sealed, ORIGIN
    (section,) = sealed.sections
    if moved == "origin":
        origin = "in.accord.internal/audit"
    elif moved == "event":
        sealed = sealed._replace(event_id="00" * 16)
    elif moved == "bytes":
        flipped = section.sealed[:-1] + bytes([section.sealed[-1] ^ 1])
        sealed = sealed._replace(sections=(section._replace(sealed=flipped),))
    else:
        sealed = sealed._replace(sections=(section._replace(commitments=(bytes(32),) * 2),))
    with pytest.raises(LogDamagedError, match="entry 7: section 0"):
        open_entry(
            origin,
            StoredEntry(7, entry.leaf, entry.leaf_hash, sealed),
            {KEYS[PERSON].pseudonym: KEYS[PERSON]},
        )


@patient
@given(EVENTS, EVENTS)
def test_a_repetition_is_told_from_other_content(event: Event, other: Event) -> None:
    entry = opened(event, *KEYS)
    assert same_content(Submission(1, event), entry)
    assert not same_content(Submission(1, other), entry)
    twin = replace(event, fields={**event.fields, "one-more": ""})
    assert not same_content(Submission(1, twin), entry)
    assert not same_content(Submission(1, replace(event, resource="elsewhere")), entry)


def test_a_repetition_is_still_known_when_its_keys_are_destroyed() -> None:
    event = Event("account:link:add", "success", NOON, PERSON, fields={"a": "1"})
    entry = opened(event)
    assert same_content(Submission(1, event), entry)
    for other in ({"outcome": "failure"}, {"app": "app/live-chat"}, {"actor": APP}):
        assert not same_content(Submission(1, replace(event, **other)), entry)  # type: ignore[arg-type]  # any member


def test_equal_values_give_unequal_commitments() -> None:
    event = Event("account:link:add", "success", NOON, PERSON, fields={"a": "x", "b": "x"})
    commitments = [*stored(event).sealed.sections[0].commitments]
    assert len(set(commitments)) == len(commitments)


@patient
@given(
    EVENTS,
    st.sampled_from([1, 127, 128, 1 << 14, (1 << 63) - 1]) | st.integers(1, (1 << 63) - 1),
    st.sampled_from(["", "2026-11"]),
)
def test_the_bytes_of_an_entry_are_those_of_its_message(
    event: Event, sequence: int, destroyed: str
) -> None:
    """They are written without a message: a reader finds what its serialisation would be."""
    sealed = seal(ORIGIN, "sharing", Submission(sequence, event), KEYS)
    sealed = sealed._replace(destroyed=destroyed)
    leaf = LogEntryEnvelope().encode(sealed)
    assert LogEntry.FromString(leaf).SerializeToString(deterministic=True) == leaf
    assert LogEntryEnvelope().decode(leaf) == sealed


def test_an_entry_is_found_by_whom_and_what_it_is_about() -> None:
    event = replace(
        BATCH,
        on_behalf_of=CHILD,
        app="app/mi-store",
        recipients=("recipients/dhl", "recipients/ads"),
        contracts=("contracts/c-1",),
        trace=Trace("ab" * 16, "cd" * 8, 1),
    )
    organisation = KEYS[ORGANISATION]
    postings = list(stored(event).sealed.postings)
    assert len(postings) == len(set(postings))
    assert set(postings) == {
        *((Facet.PERSON, KEYS[party].pseudonym) for party in (PERSON, OTHER, CHILD)),
        (Facet.ACTOR, KEYS[PERSON].pseudonym),
        (Facet.APP, b"app/mi-store"),
        (Facet.TRACE, bytes.fromhex("ab" * 16)),
        (Facet.RECIPIENT, tag(organisation, Facet.RECIPIENT, "recipients/dhl")),
        (Facet.RECIPIENT, tag(organisation, Facet.RECIPIENT, "recipients/ads")),
        (Facet.CONTRACT, tag(organisation, Facet.CONTRACT, "contracts/c-1")),
        (Facet.EVENT, (2003).to_bytes(2)),
        (Facet.OUTCOME, b"done"),
    }
    # The facet is part of what is tagged, and other keys make other tags.
    assert tag(organisation, Facet.RECIPIENT, "x") != tag(organisation, Facet.CONTRACT, "x")
    assert tag(KEYS[PERSON], Facet.CONTRACT, "x") != tag(organisation, Facet.CONTRACT, "x")


def test_an_erased_person_takes_their_part_and_leaves_the_app() -> None:
    event = Event(
        "sharing:consent:give", "ok", NOON, PERSON, OFFICER, on_behalf_of=CHILD, app="app/mi-store"
    )
    erased = opened(event, OFFICER, ORGANISATION).event
    assert (erased.account, erased.on_behalf_of) == ("", "")
    assert (erased.actor, erased.app) == (OFFICER, "app/mi-store")
