"""From messages to the domain's values."""

import re

from accord.sharing.v1 import (
    consent_pb2,
    decision_pb2,
    freshness_pb2,
    preference_pb2,
    subject_pb2,
)

from runtime.call import Call
from runtime.fault import Fault, invalid
from runtime.ids import require_home
from services.sharing.api import fields
from services.sharing.cases.means import Means
from services.sharing.domain.admission import RECIPIENT_PREFIX, check_country
from services.sharing.domain.freshness import (
    FULLY_CONSISTENT,
    MINIMIZE_LATENCY,
    Freshness,
    Mode,
    position,
)
from services.sharing.domain.question import Question
from services.sharing.domain.records import (
    Guest,
    Indication,
    IndicationMethod,
    Indicator,
    Scope,
    Subject,
    SubjectStatus,
)
from services.sharing.domain.vocabulary import LEGAL_DISCLOSURE, Outcome

_MAX_REFERENCE = 128
_MAX_KEY = 64
_SESSION = re.compile(r"[A-Za-z0-9_-]{1,64}")
LANGUAGES = ("en", "zh-Hant")

_STATUSES = {
    subject_pb2.SUBJECT_STATUS_ACTIVE: SubjectStatus.ACTIVE,
    subject_pb2.SUBJECT_STATUS_FROZEN: SubjectStatus.FROZEN,
    subject_pb2.SUBJECT_STATUS_RESTRICTED: SubjectStatus.RESTRICTED,
    subject_pb2.SUBJECT_STATUS_DELETED: SubjectStatus.DELETED,
}
_OPT_OUTS = {
    preference_pb2.OPT_OUT_CHOICE_DIRECT_MARKETING: "direct_marketing",
    preference_pb2.OPT_OUT_CHOICE_PERSONALISATION: "personalisation",
}
_METHODS = {
    consent_pb2.INDICATION_METHOD_UNSPECIFIED: IndicationMethod.PORTAL_FORM,
    consent_pb2.INDICATION_METHOD_PORTAL_FORM: IndicationMethod.PORTAL_FORM,
    consent_pb2.INDICATION_METHOD_GUARDIAN_FORM: IndicationMethod.GUARDIAN_FORM,
    consent_pb2.INDICATION_METHOD_SPOKEN_TO_STAFF: IndicationMethod.SPOKEN_TO_STAFF,
    consent_pb2.INDICATION_METHOD_WRITTEN: IndicationMethod.WRITTEN,
}
_INDICATORS = {
    consent_pb2.INDICATOR_UNSPECIFIED: Indicator.PERSON,
    consent_pb2.INDICATOR_PERSON: Indicator.PERSON,
    consent_pb2.INDICATOR_GUARDIAN: Indicator.GUARDIAN,
    consent_pb2.INDICATOR_REPRESENTATIVE: Indicator.REPRESENTATIVE,
}
_OUTCOMES = {
    decision_pb2.OUTCOME_UNSPECIFIED: None,
    decision_pb2.OUTCOME_PERMIT: Outcome.PERMIT,
    decision_pb2.OUTCOME_DENY: Outcome.DENY,
    decision_pb2.OUTCOME_GAP: Outcome.GAP,
}


def question(message: decision_pb2.Question, means: Means) -> Question:
    """Read a question; WRONG_REGION for an account or a guest whose home is elsewhere."""
    if message.account:
        require_home(message.account, means.region, "question.account")
    return Question(
        account=message.account,
        service=message.service,
        recipient=fields.name("question.recipient", message.recipient, "recipients"),
        purpose=message.purpose,
        categories=fields.keys("question.categories", message.categories),
        destination=fields.country(message.destination),
        relation=fields.text("question.relation", message.relation, _MAX_REFERENCE),
        subprocessor=fields.text("question.subprocessor", message.subprocessor, _MAX_REFERENCE),
        # Nothing but legal disclosure rests on one. Were it kept with another question, an app
        # could name one that is secret, and hide from the person what it sent.
        instrument=fields.name("question.instrument", message.instrument, "instruments")
        if message.instrument and message.purpose == LEGAL_DISCLOSURE
        else "",
        signed_in=message.signed_in,
        de_identified=message.de_identified,
        guest=guest("question.guest", message.guest, means) if message.HasField("guest") else None,
    )


def guest(field: str, message: decision_pb2.Guest, means: Means) -> Guest:
    """Read a guest; WRONG_REGION for one whose data is at home elsewhere."""
    if not _SESSION.fullmatch(message.session):
        raise invalid(f"{field}.session", "must be 1 to 64 of a-z, A-Z, 0-9, - and _")
    country = fields.country(message.jurisdiction)
    check_country(f"{field}.jurisdiction", country, means.rulebook)
    home = means.rulebook.places[country].home(means.clock.now().date()).lower()
    if home != means.region:
        raise Fault("WRONG_REGION", f"the home of this guest is {home}", metadata={"region": home})
    return Guest(country, message.session)


def subject(message: subject_pb2.Subject, region: str) -> Subject:
    """Read a subject; WRONG_REGION for an account whose home is elsewhere."""
    require_home(message.account, region, "subject.account")
    if message.version < 1:
        raise invalid("subject.version", "counts from 1")
    fields.required("subject.since_time", message, "since_time")
    born = message.birth_date
    return Subject(
        account=message.account,
        jurisdiction=fields.country(message.jurisdiction),
        birth_date=fields.day("subject.birth_date", born) if born else None,
        status=fields.one_of("subject.status", message.status, _STATUSES),
        since=fields.moment("subject.since_time", message.since_time),
        version=message.version,
    )


def scope(message: consent_pb2.ConsentScope) -> Scope:
    """Read the scope of a consent."""
    return Scope(
        service=message.service,
        purposes=frozenset(fields.keys("scope.purposes", message.purposes)),
        categories=frozenset(fields.keys("scope.categories", message.categories)),
        recipient=recipient_scope("scope.recipient", message.recipient),
    )


def indication(message: consent_pb2.Indication, call: Call) -> Indication:
    """Read how and by whom something was said; unset means the person, on the caller's own form.

    An app speaks for guests, who are known by their session alone: nobody speaks for them.
    """
    if call.caller.kind == "app":
        if message != consent_pb2.Indication():
            raise invalid("indication", "a guest speaks on a form of the app, and alone")
        return Indication(IndicationMethod.APP_FORM)
    method = fields.one_of("indication.method", message.method, _METHODS)
    by = fields.one_of("indication.indicator", message.indicator, _INDICATORS)
    return Indication(method, by, fields.text("indication.name", message.name, _MAX_REFERENCE))


def recipient_scope(field: str, value: str) -> str:
    """Read an organisation, or the key or prefix of a kind."""
    if value.startswith(RECIPIENT_PREFIX):
        return fields.name(field, value, "recipients")
    return fields.text(field, value, _MAX_KEY, 1)


def language(value: str) -> str:
    """Read the language of a notice."""
    if value not in LANGUAGES:
        raise invalid("language", f"must be one of {', '.join(LANGUAGES)}")
    return value


def opt_out(value: preference_pb2.OptOutChoice.ValueType) -> str:
    """Read what is opted out of."""
    return fields.one_of("choice", value, _OPT_OUTS)


def freshness(message: freshness_pb2.Freshness, region: str) -> Freshness:
    """Read how new the facts must be; FRESHNESS_TOKEN_INVALID for a token not made here."""
    match message.WhichOneof("mode"):
        case "at_least_as_fresh":
            return Freshness(Mode.AT_LEAST_AS_FRESH, position(message.at_least_as_fresh, region))
        case "fully_consistent":
            return FULLY_CONSISTENT
    return MINIMIZE_LATENCY


def outcome(value: decision_pb2.Outcome.ValueType) -> Outcome | None:
    """Read the filter of a list; unspecified means all."""
    return fields.one_of("outcome", value, _OUTCOMES)
