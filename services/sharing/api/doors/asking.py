"""From an AuthZEN evaluation to a question to DecisionService, and from the answer back.

subject   {type: kind of the recipient, id: recipient}
action    {name: share | transfer | disclose, properties: {purpose}}
resource  {type: personal_data, id: account, properties: {categories}}
context   {service, destination, relation, …}
"""

from collections.abc import Mapping

from accord.sharing.v1 import decision_pb2, decision_service_pb2, freshness_pb2, reason_pb2

from runtime.fault import Fault, invalid
from services.sharing.api.doors import entities
from services.sharing.api.doors.entities import Evaluation, Json
from services.sharing.domain.admission import RECIPIENT_PREFIX
from services.sharing.domain.rulebook import Rulebook

PERSON, GUEST, NOBODY = "personal_data", "guest_data", "aggregate_data"
SHARE = "share"
# The property that names whose data a search for resources is about; nobody's needs no name.
NAMED_BY = {PERSON: "account", GUEST: "session", NOBODY: ""}

_ACTIONS = (SHARE, "transfer", "disclose")
_ACCOUNT_PREFIX = "accounts/"
_OUTCOME = "OUTCOME_"
_REASON = "REASON_"
_OBLIGATION = "OBLIGATION_"
# DecisionService's names of what callers of these doors write elsewhere.
_SAID = {
    "account": "resource.id",
    "guest": "resource",
    "guest.session": "resource.id",
    "guest.jurisdiction": "resource.properties.jurisdiction",
    "recipient": "subject.id",
    "purpose": "action.properties.purpose",
    "categories": "resource.properties.categories",
}
_IN_CONTEXT = ("service", "destination", "relation", "subprocessor", "instrument")


def asked(evaluation: Evaluation, service: str) -> decision_service_pb2.CheckRequest:
    """Make the request to DecisionService; `service` when the context names none."""
    if evaluation.action.name not in _ACTIONS:
        raise invalid("action.name", f"must be one of {', '.join(_ACTIONS)}")
    at, given = "context.", evaluation.context
    question = decision_pb2.Question(
        recipient=recipient_name(evaluation.subject.id),
        purpose=entities.text(evaluation.action.properties, "purpose", "action.properties."),
        categories=entities.texts(
            evaluation.resource.properties, "categories", "resource.properties."
        ),
        signed_in=entities.flag(given, "signed_in", at),
        de_identified=entities.flag(given, "de_identified", at),
    )
    for key in _IN_CONTEXT:
        setattr(question, key, entities.maybe_text(given, key, at))
    question.service = question.service or service
    if evaluation.resource.type == PERSON:
        question.account = account_name(evaluation.resource.id)
    elif evaluation.resource.type == GUEST:
        question.guest.session = evaluation.resource.id
        question.guest.jurisdiction = entities.text(
            evaluation.resource.properties, "jurisdiction", "resource.properties."
        )
    elif evaluation.resource.type != NOBODY:  # nobody's: DecisionService admits it for statistics
        raise invalid("resource.type", f"must be one of {PERSON}, {GUEST}, {NOBODY}")
    return decision_service_pb2.CheckRequest(
        question=question,
        freshness=_freshness(given),
        permit=entities.flag(given, "permit", at),
    )


def recipient_name(value: str) -> str:
    """Return a recipient's name; AuthZEN's ids may come without the collection."""
    return RECIPIENT_PREFIX + value.removeprefix(RECIPIENT_PREFIX)


def bare(name: str) -> str:
    """Return the id in a name: what AuthZEN shows of `recipients/dhl` is `dhl`."""
    return name.partition("/")[2]


def account_name(value: str) -> str:
    """Return an account's name; AuthZEN's ids may come without the collection."""
    return _ACCOUNT_PREFIX + value.removeprefix(_ACCOUNT_PREFIX)


def translated(fault: Fault) -> Fault:
    """Return DecisionService's refusal with the field named as the caller wrote it."""
    field = fault.metadata.get("field", "").removeprefix("question.")
    if fault.reason != "INVALID_FIELD" or not field:
        return fault
    said = _SAID.get(field, f"context.{field}" if field in _IN_CONTEXT else field)
    (_, description), *_ = [*fault.violations, (field, "is wrong")]
    return invalid(said, description)


def answered(response: decision_service_pb2.CheckResponse, rulebook: Rulebook) -> dict[str, object]:
    """Return AuthZEN's answer: true for PERMIT alone."""
    decision = response.decision
    context: dict[str, object] = {
        "decision_id": decision.name,
        "outcome": _word(decision_pb2.Outcome.Name(decision.outcome), _OUTCOME),
        "token": decision.token,
        "rulebook": decision.rulebook_digest,
    }
    if decision.reasons:
        context["reasons"] = [_reason(reason, rulebook) for reason in decision.reasons]
        context["permitted_categories"] = list(decision.permitted_categories)
    if decision.obligations:
        context["obligations"] = obligations(decision)
    if response.permit:
        context["permit"] = response.permit
    return {"decision": decision.outcome == decision_pb2.OUTCOME_PERMIT, "context": context}


def obligations(decision: decision_pb2.Decision) -> list[dict[str, object]]:
    """Return what the holder has to do, as the obligations profile (draft, 2026-07) has it."""
    return [
        {"id": word, "type": "custom", "properties": {"vendor": "accord", "action": word}}
        for word in obligation_words(decision)
    ]


def obligation_words(decision: decision_pb2.Decision) -> list[str]:
    """Return the keys of the obligations, such as `record_disclosure`."""
    return [
        _word(decision_pb2.Obligation.Name(duty), _OBLIGATION).lower()
        for duty in decision.obligations
    ]


def reason_word(reason: decision_pb2.DecisionReason) -> str:
    """Return the key of a reason: `CONSENT_WITHDRAWN`."""
    return _word(reason_pb2.Reason.Name(reason.reason), _REASON)


def _reason(reason: decision_pb2.DecisionReason, rulebook: Rulebook) -> dict[str, object]:
    key = reason_word(reason)
    labels: Mapping[str, str] = rulebook.reasons[key]
    return {
        "id": key,
        "outcome": _word(decision_pb2.Outcome.Name(reason.outcome), _OUTCOME),
        "gate": reason.gate,
        "citations": list(reason.citations),
        "categories": list(reason.categories),
        "reason_admin": {"en": f"{key}: {'; '.join(reason.citations)}"},
        "reason_user": dict(labels),
    }


def _freshness(context: Json) -> freshness_pb2.Freshness:
    """Read how new the facts must be: a token, or the word for all that was acknowledged."""
    token = entities.maybe_text(context, "token", "context.")
    mode = entities.maybe_text(context, "freshness", "context.")
    wanted = freshness_pb2.Freshness()
    match mode, token:
        case "", "":
            pass
        case "", _:
            wanted.at_least_as_fresh = token
        case "minimize_latency", "":
            wanted.minimize_latency.SetInParent()
        case "fully_consistent", "":
            wanted.fully_consistent.SetInParent()
        case _, "":
            raise invalid("context.freshness", "must be minimize_latency or fully_consistent")
        case _:
            raise invalid("context.freshness", "does not go with a token")
    return wanted


def _word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix)
