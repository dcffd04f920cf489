"""From the domain's values to messages."""

from datetime import datetime

from accord.sharing.v1 import (
    consent_pb2,
    contract_pb2,
    decision_pb2,
    disclosure_pb2,
    preference_pb2,
    reason_pb2,
    recipient_pb2,
)
from google.protobuf.timestamp_pb2 import Timestamp

from runtime.instants import to_wire
from services.sharing.api import terms
from services.sharing.domain.agreement import Agreement
from services.sharing.domain.decision import Decision
from services.sharing.domain.disclosure import Disclosure
from services.sharing.domain.notices import NoticeChange
from services.sharing.domain.question import Answer, Finding, Ground, Question
from services.sharing.domain.records import (
    Consent,
    ConsentRevision,
    ConsentState,
    ContractState,
    IndicationMethod,
    Indicator,
    Preference,
    PreferenceKind,
    Recipient,
)
from services.sharing.domain.vocabulary import Basis, Obligation, Outcome, Reason

# The wire's name of each word is the word in capitals behind the enum's prefix; a word without
# one fails at import.
OUTCOMES = {word: decision_pb2.Outcome.Value(f"OUTCOME_{word.name}") for word in Outcome}
BASES = {word: decision_pb2.LegalBasis.Value(f"LEGAL_BASIS_{word.name}") for word in Basis}
REASONS = {word: reason_pb2.Reason.Value(f"REASON_{word.name}") for word in Reason}
OBLIGATIONS = {
    word: decision_pb2.Obligation.Value(f"OBLIGATION_{word.name}") for word in Obligation
}
CONTRACTS = {
    word: contract_pb2.ContractState.Value(f"CONTRACT_STATE_{word.name}") for word in ContractState
}
CONSENTS = {
    word: consent_pb2.ConsentState.Value(f"CONSENT_STATE_{word.name}") for word in ConsentState
}
_METHODS = {
    word: consent_pb2.IndicationMethod.Value(f"INDICATION_METHOD_{word.name}")
    for word in IndicationMethod
}
_INDICATORS = {word: consent_pb2.Indicator.Value(f"INDICATOR_{word.name}") for word in Indicator}
_OPT_OUTS = {
    "": preference_pb2.OPT_OUT_CHOICE_UNSPECIFIED,
    "direct_marketing": preference_pb2.OPT_OUT_CHOICE_DIRECT_MARKETING,
    "personalisation": preference_pb2.OPT_OUT_CHOICE_PERSONALISATION,
}


def stamp(value: datetime | None) -> Timestamp | None:
    """Encode an instant; absence is absence."""
    if value is None:
        return None
    return to_wire(value)


def recipient(value: Recipient) -> recipient_pb2.Recipient:
    """Encode a recipient."""
    return recipient_pb2.Recipient(
        name=value.name,
        display_name=value.display_name,
        kind=value.kind,
        jurisdiction=value.jurisdiction,
        create_time=stamp(value.created),
    )


def contract(value: Agreement) -> contract_pb2.Contract:
    """Encode a contract."""
    in_force = value.active_state is ContractState.ACTIVE
    suspended = value.active_state is ContractState.SUSPENDED
    return contract_pb2.Contract(
        name=value.name,
        recipient=value.recipient,
        version=value.version,
        state=CONTRACTS[value.state],
        terms=terms.encode(value.terms),
        active_version=value.active_version if in_force else 0,
        suspended_version=value.active_version if suspended else 0,
        author=value.author,
        create_time=stamp(value.created),
        history=[
            contract_pb2.ContractEvent(
                version=step.version,
                state=CONTRACTS[step.state],
                actor=step.actor,
                event_time=stamp(step.time),
                note=step.note,
            )
            for step in value.history
        ],
    )


def consent(value: Consent, now: datetime) -> consent_pb2.Consent:
    """Encode a consent as it stands now."""
    return consent_pb2.Consent(
        name=value.name,
        scope=consent_pb2.ConsentScope(
            service=value.scope.service,
            purposes=sorted(value.scope.purposes),
            categories=sorted(value.scope.categories),
            recipient=value.scope.recipient,
        ),
        state=CONSENTS[value.state_at(now)],
        indicate_time=stamp(value.at),
        withdraw_time=stamp(value.withdrawn),
        expire_time=stamp(value.expires),
        notice=value.notice,
        language=value.language,
        indication=consent_pb2.Indication(
            method=_METHODS[value.indication.method],
            indicator=_INDICATORS[value.indication.by],
            name=value.indication.name,
        ),
    )


def revision(value: ConsentRevision) -> consent_pb2.ConsentRevision:
    """Encode a step in the life of a consent, as it stood then."""
    return consent_pb2.ConsentRevision(
        revision=value.number,
        consent=consent(value.consent, value.recorded),
        record_time=stamp(value.recorded),
    )


def preference(value: Preference) -> preference_pb2.Preference:
    """Encode a standing choice."""
    kind = value.kind

    def where(wanted: PreferenceKind) -> str:
        return value.value if kind is wanted else ""

    return preference_pb2.Preference(
        name=value.name,
        opt_out=_OPT_OUTS[where(PreferenceKind.OPT_OUT)],
        object_to=where(PreferenceKind.OBJECT_TO),
        stop_sharing_with=where(PreferenceKind.STOP_SHARING_WITH),
        accepted_notice=where(PreferenceKind.ACCEPTED_NOTICE),
        restricted=kind is PreferenceKind.RESTRICT,
        create_time=stamp(value.at),
        lift_time=stamp(value.lifted),
    )


def disclosure(value: Disclosure) -> disclosure_pb2.Disclosure:
    """Encode a disclosure."""
    return disclosure_pb2.Disclosure(
        name=value.name,
        decision=value.decision,
        categories=value.categories,
        record_count=value.records,
        disclose_time=stamp(value.time),
        record_time=stamp(value.recorded),
        late=value.late,
        recipient=value.recipient,
        purpose=value.purpose,
        sender=value.sender,
    )


def notice_change(value: NoticeChange) -> preference_pb2.NoticeChange:
    """Encode what a notice adds."""
    return preference_pb2.NoticeChange(
        notice=value.notice,
        accepted_notice=value.accepted,
        accepted_by_choice=value.by_choice,
        services=value.services,
        additions=[
            preference_pb2.NoticeAddition(
                recipient_kind=each.kind,
                purpose=each.purpose,
                categories=each.categories,
                citations=each.citations,
            )
            for each in value.additions
        ],
    )


def decision(value: Decision) -> decision_pb2.Decision:
    """Encode a decision."""
    message = answered(value.question, value.answer)
    message.name = value.name
    message.MergeFrom(circumstances(value))
    return message


def answered(question: Question, answer: Answer) -> decision_pb2.Decision:
    """Encode what was asked and answered."""
    message = decision_pb2.Decision(
        outcome=OUTCOMES[answer.outcome],
        reasons=[reason(found) for found in answer.findings],
        permitted_categories=answer.permitted_categories,
        obligations=[OBLIGATIONS[duty] for duty in answer.obligations],
        grounds=[ground(each) for each in answer.grounds],
        contract=answer.contract,
    )
    _fill(message.question, question)
    return message


def circumstances(value: Decision) -> decision_pb2.Decision:
    """Encode the last fields, which all decisions of one call have in common."""
    return decision_pb2.Decision(
        decide_time=stamp(value.time),
        rulebook_digest=value.rulebook_digest,
        trace_id=value.trace_id,
        asker=value.asker,
        token=value.token,
    )


def reason(found: Finding) -> decision_pb2.DecisionReason:
    """Encode what stands in the way."""
    return decision_pb2.DecisionReason(
        reason=REASONS[found.reason],
        outcome=OUTCOMES[found.outcome],
        gate=found.gate,
        citations=found.citations,
        categories=found.categories,
    )


def ground(value: Ground) -> decision_pb2.Ground:
    """Encode on what categories rest."""
    return decision_pb2.Ground(
        categories=value.categories,
        citation=value.citation,
        basis=BASES[value.basis],
        consent=value.consent,
    )


def _fill(message: decision_pb2.Question, question: Question) -> None:
    message.account = question.account
    message.service = question.service
    message.recipient = question.recipient
    message.purpose = question.purpose
    message.categories.extend(question.categories)
    message.destination = question.destination
    message.relation = question.relation
    message.subprocessor = question.subprocessor
    message.instrument = question.instrument
    message.signed_in = question.signed_in
    message.de_identified = question.de_identified
    if question.guest:
        message.guest.jurisdiction = question.guest.jurisdiction
        message.guest.session = question.guest.session
