"""The receipt of a consent: ISO/IEC TS 27560 as linked data in the Data Privacy Vocabulary.

The shape follows the vocabulary's guide to that standard (https://w3id.org/dpv/schema/dpv-27560),
profile `receipt`. It is personal data: it leaves to its person alone, or to the app for its guest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.sharing.domain.admission import RECIPIENT_PREFIX
from services.sharing.domain.concepts import Concept, Concepts
from services.sharing.domain.records import (
    VALID_CONSENTS,
    Consent,
    ConsentRevision,
    Recipient,
)
from services.sharing.domain.rulebook import Rulebook

JSON = Mapping[str, object]

_PROFILE = "https://w3id.org/dpv/schema/dpv-27560#"
_NAMES = {
    "dct": "http://purl.org/dc/terms/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "schema": "https://schema.org/",
    "skos": "http://www.w3.org/2004/02/skos/core#",
}
# Properties whose text names a thing and is no text.
_LINKS = (
    "dct:conformsTo",
    "dpv:hasConsentStatus",
    "dpv:hasJurisdiction",
    "dpv:hasLegalBasis",
    "dpv:hasPersonalData",
    "dpv:hasPurpose",
    "dpv:hasRecipient",
    "dpv:hasService",
    "dpv:isIndicatedBy",
    "schema:recipient",
    "skos:broader",
)
_WITHDRAWAL = "the portal of this service, under Sharing; one press, at any time"
_WITHDRAWAL_BY_GUESTS = "the service where it was given, at any time while the session lasts"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a receipt tells of: a consent with its history, whose it is, and with whom."""

    revisions: Sequence[ConsentRevision]  # oldest first, one of them an answer
    holder: str  # accounts/… or guests/<session>
    country: str  # of a guest as the app says today: it finds the controller, and is not told
    recipient: Recipient | None  # when the consent names an organisation


def receipt(rulebook: Rulebook, evidence: Evidence, id_: str, now: datetime) -> JSON:
    """Return the receipt as JSON-LD."""
    concepts = rulebook.concepts
    newest = evidence.revisions[-1].consent
    guest = evidence.holder.startswith("guests/")
    controller = rulebook.controller(newest.scope.service, evidence.country, now.date())
    # Where a guest is, the app says when it asks: it is on no record that could be attested.
    where = {} if guest else {"dpv:hasJurisdiction": f"loc:{evidence.country}"}
    return {
        "@context": {
            **_NAMES,
            **concepts.prefixes,
            **{link: {"@type": "@id"} for link in _LINKS},
        },
        "@id": f"urn:uuid:{id_}",
        "@type": "dpv:ConsentReceipt",
        "dpv:hasIdentifier": id_,
        "dct:identifier": id_,
        "dct:conformsTo": f"{_PROFILE}receipt",
        "dct:created": _time(now),
        "dct:publisher": {"@type": "dpv:DataController", "dpv:hasName": controller.name},
        "schema:recipient": "dpv:DataSubject",
        "dpv:hasRecordOfActivity": {
            "@type": "dpv:ConsentRecord",
            "dpv:hasIdentifier": newest.name,
            "dct:identifier": newest.name,
            "dct:conformsTo": f"{_PROFILE}record",
            "dpv:hasDataSubject": {
                "@type": "dpv:DataSubject",
                "dct:identifier": evidence.holder,
            },
            "dpv:hasDataController": {
                "@type": "dpv:DataController",
                "dpv:hasName": controller.name,
            },
            **where,
            "dpv:hasLegalBasis": "dpv:ExpressedConsent",
            "dpv:hasProcess": _process(concepts, newest, evidence.recipient),
            "dpv:hasNotice": _notice(_answer(evidence.revisions)),
            "dpv:hasConsentControl": {
                "@type": "dpv:WithdrawConsent",
                "dpv:isExercisedAt": _WITHDRAWAL_BY_GUESTS if guest else _WITHDRAWAL,
            },
            "dpv:hasConsentStatus": _statuses(concepts, evidence.revisions, now),
        },
    }


def _process(concepts: Concepts, consent: Consent, recipient: Recipient | None) -> JSON:
    """Tell for what, of which data, and with whom."""
    scope = consent.scope
    named = scope.recipient.startswith(RECIPIENT_PREFIX)
    receiver: object
    if named and recipient is not None:
        receiver = {
            "@type": "dpv:Recipient",
            "dct:identifier": recipient.name,
            "dpv:hasName": recipient.display_name,
            "skos:broader": _term(concepts, concepts.of("kinds", recipient.kind)),
        }
    else:
        receiver = _term(concepts, concepts.of("kinds", scope.recipient))
    process: dict[str, object] = {
        "@type": "dpv:Process",
        "dpv:hasPurpose": _terms(concepts, "purposes", scope.purposes),
        "dpv:hasPersonalData": _terms(concepts, "categories", scope.categories),
        "dpv:hasRecipient": [receiver],
    }
    if scope.service:
        process["dpv:hasService"] = _term(concepts, concepts.of("services", scope.service))
    return process


def _statuses(
    concepts: Concepts, revisions: Sequence[ConsentRevision], now: datetime
) -> list[JSON]:
    """Tell every step in the order of time; the last is how the consent stands."""
    steps = [_status(concepts, revision) for revision in revisions]
    newest = revisions[-1].consent
    ended = newest.state_at(now)
    if ended is not newest.state and newest.expires is not None:
        expired = _term(concepts, concepts.of("consent_states", ended.value))
        steps.append({"@type": [expired], "dpv:isIndicatedAtTime": _time(newest.expires)})
    return steps


def _status(concepts: Concepts, revision: ConsentRevision) -> JSON:
    consent = revision.consent
    state = consent.state_at(revision.recorded)
    said = consent.indication
    status: dict[str, object] = {
        "@type": [_term(concepts, concepts.of("consent_states", state.value))],
        "dpv:isIndicatedAtTime": _time(revision.recorded),
        "dpv:isIndicatedBy": _indicator(concepts, consent),
        "dpv:hasIndicationMethod": said.method.value,
    }
    if consent.answered:
        status["dpv:hasNotice"] = _notice(consent)
    if state in VALID_CONSENTS:
        status["dpv:hasDuration"] = (
            {"@type": "dpv:UntilTimeDuration", "rdf:value": _time(consent.expires)}
            if consent.expires
            else {"@type": "dpv:UntilEventDuration", "rdf:value": "dpv:ConsentWithdrawn"}
        )
    return status


def _answer(revisions: Sequence[ConsentRevision]) -> Consent:
    """Return the latest answer to the question itself."""
    return next(each.consent for each in reversed(revisions) if each.consent.answered)


def _notice(consent: Consent) -> JSON:
    return {
        "@type": "dpv:ConsentNotice",
        "dct:identifier": consent.notice,
        "dct:language": consent.language,
    }


def _indicator(concepts: Concepts, consent: Consent) -> object:
    said = consent.indication
    who = _term(concepts, concepts.of("indicators", said.by.value))
    return {"skos:broader": who, "dpv:hasName": said.name} if said.name else who


def _terms(concepts: Concepts, family: str, keys: frozenset[str]) -> list[object]:
    return [_term(concepts, concepts.of(family, key)) for key in sorted(keys)]


def _term(concepts: Concepts, concept: Concept) -> object:
    """A term of the vocabulary by its short name, one of ours with what it narrows."""
    if not concept.broader:
        return concepts.short(concept.iri)
    return {
        "@id": concepts.short(concept.iri),
        "skos:broader": [concepts.short(iri) for iri in concept.broader],
    }


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
