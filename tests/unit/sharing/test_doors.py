"""The doors' readers: whatever JSON comes is a question or a refusal that names its place."""

from __future__ import annotations

from typing import Any

import pytest
from accord.sharing.v1 import decision_pb2, decision_service_pb2, reason_pb2
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import CODES, http_status_of
from runtime.fault import Fault, invalid
from services.sharing.api.doors import asking, entities
from services.sharing.domain.vocabulary import Obligation, Reason
from services.sharing.store.rulebook import load_rulebook

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
GOOD: dict[str, Any] = {
    "subject": {"type": "affiliate", "id": "a"},
    "action": {"name": "share", "properties": {"purpose": "security"}},
    "resource": {"type": "personal_data", "id": "x", "properties": {"categories": ["account.id"]}},
    "context": {"service": "mi_store", "relation": "r", "signed_in": True, "token": "t"},
}


def places(value: Any, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every place of an object where something else could stand."""
    inner = value.items() if isinstance(value, dict) else ()
    return [at, *(place for key, each in inner for place in places(each, (*at, key)))]


@given(st.sampled_from(places(GOOD)), ANYTHING)
def test_whatever_stands_in_a_place_is_read_or_refused_by_name(
    place: tuple[str, ...], value: Any
) -> None:
    body = changed(GOOD, place, value)
    if not isinstance(body, dict):
        return  # the transport refuses it
    fault = refusal(body)
    if fault is not None:
        field, written = fault.metadata["field"], ".".join(place)
        assert fault.reason == "INVALID_FIELD"
        within = field.startswith(written) or written.startswith(field)
        assert within or field == "context.freshness"


def refusal(body: dict[str, Any]) -> Fault | None:
    """Why a body is no question; nothing else is ever raised."""
    try:
        asking.asked(entities.evaluation(body), "")
    except Fault as fault:
        return fault
    return None


def changed(body: Any, place: tuple[str, ...], value: Any) -> Any:
    """A copy with something else in a place."""
    if not place:
        return value
    return {**body, place[0]: changed(body[place[0]], place[1:], value)}


@given(st.dictionaries(st.sampled_from(list(GOOD)), ANYTHING), ANYTHING)
def test_an_item_prevails_key_by_whole_key(defaults: dict[str, Any], item: Any) -> None:
    if not isinstance(item, dict):
        with pytest.raises(Fault, match="evaluations"):
            entities.overridden(defaults, item, "evaluations[0]")
        return
    item = item | {"resource": {"type": "x"}}
    merged = entities.overridden(defaults, item, "evaluations[0]")
    assert merged["resource"] == {"type": "x"}
    assert merged.keys() <= GOOD.keys()


def test_every_reason_and_obligation_has_its_words() -> None:
    rulebook = load_rulebook()
    response = decision_service_pb2.CheckResponse()
    for reason in Reason:
        response.decision.reasons.add(reason=reason_pb2.Reason.Value(f"REASON_{reason.name}"))
    for duty in Obligation:
        response.decision.obligations.append(
            decision_pb2.Obligation.Value(f"OBLIGATION_{duty.name}")
        )
    context: Any = asking.answered(response, rulebook)["context"]
    assert [each["id"] for each in context["reasons"]] == [reason.name for reason in Reason]
    assert all(each["reason_user"]["en"] for each in context["reasons"])
    assert [each["id"] for each in context["obligations"]] == [duty.value for duty in Obligation]


def test_only_permit_is_true() -> None:
    rulebook = load_rulebook()
    for outcome in decision_pb2.Outcome.values():
        response = decision_service_pb2.CheckResponse()
        response.decision.outcome = outcome
        answer = asking.answered(response, rulebook)
        assert answer["decision"] is (outcome == decision_pb2.OUTCOME_PERMIT)


def test_a_refusal_names_the_place_as_it_was_written() -> None:
    for field, said in (
        ("question.recipient", "subject.id"),
        ("purpose", "action.properties.purpose"),
        ("question.relation", "context.relation"),
        ("guest.session", "resource.id"),
    ):
        assert asking.translated(invalid(field, "is odd")).message == f"{said}: is odd"
    other = Fault("NOT_FOUND", "no such thing")
    assert asking.translated(other) is other


def test_every_reason_of_an_error_has_a_status_of_http() -> None:
    statuses = {reason: http_status_of(Fault(reason, "")) for reason in CODES}
    assert {reason for reason, status in statuses.items() if status == 500} == {"INTERNAL"}
    assert all(400 <= status < 600 for status in statuses.values())
    assert statuses["WRONG_REGION"] == 421
