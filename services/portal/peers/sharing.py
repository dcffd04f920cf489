"""Sharing over mTLS: what a person chooses and what was decided about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from accord.sharing.v1 import (
    decision_pb2,
    decision_service_pb2,
    decision_service_pb2_grpc,
    preference_pb2,
    preference_service_pb2,
    preference_service_pb2_grpc,
    recipient_pb2,
    recipient_service_pb2,
    recipient_service_pb2_grpc,
    rulebook_service_pb2,
    rulebook_service_pb2_grpc,
)

from runtime.clock import Clock
from services.portal.domain.consents import Addition, NoticeChange
from services.portal.domain.person import Person
from services.portal.domain.sharing import (
    Choice,
    Decision,
    Ground,
    Hindrance,
    Outcome,
    Preference,
    Recipient,
    Vocabulary,
)
from services.portal.peers.convert import known, moment
from services.portal.peers.peer import PAGE, Peer
from services.portal.peers.vocabulary import BASES, enum_key, read_vocabulary, reason_key

_DECISIONS = 25
# A new rulebook shows in the pages after at most this long; decisions never wait for it.
_VOCABULARY_AGE = timedelta(seconds=60)

OUTCOMES = {
    decision_pb2.OUTCOME_PERMIT: Outcome.PERMIT,
    decision_pb2.OUTCOME_DENY: Outcome.DENY,
    decision_pb2.OUTCOME_GAP: Outcome.GAP,
}
_OUTCOMES_OUT = {ours: theirs for theirs, ours in OUTCOMES.items()}
_CHOICES = {
    preference_pb2.OPT_OUT_CHOICE_DIRECT_MARKETING: Choice.DIRECT_MARKETING,
    preference_pb2.OPT_OUT_CHOICE_PERSONALISATION: Choice.PERSONALISATION,
}
_CHOICES_OUT = {ours: theirs for theirs, ours in _CHOICES.items()}


@dataclass(frozen=True)
class SharingStubs:
    """The services of sharing that a person's pages use."""

    rulebook: "Peer[rulebook_service_pb2_grpc.RulebookServiceAsyncStub]"
    recipients: "Peer[recipient_service_pb2_grpc.RecipientServiceAsyncStub]"
    preferences: "Peer[preference_service_pb2_grpc.PreferenceServiceAsyncStub]"
    decisions: "Peer[decision_service_pb2_grpc.DecisionServiceAsyncStub]"


class ChoicesPeer:
    """A person's choices and decisions, and the words to show them in."""

    def __init__(self, stubs: SharingStubs, clock: Clock) -> None:
        self._stubs = stubs
        self._clock = clock
        self._vocabulary: tuple[datetime, Vocabulary] | None = None

    async def vocabulary(self, person: Person) -> Vocabulary:
        """Return the words of the rules, at most a minute old. They are the same for everyone."""
        now = self._clock.now()
        if self._vocabulary and now - self._vocabulary[0] < _VOCABULARY_AGE:
            return self._vocabulary[1]
        request = rulebook_service_pb2.GetVocabularyRequest()
        answer = await self._stubs.rulebook.ask(person, lambda stub: stub.GetVocabulary, request)
        vocabulary = read_vocabulary(answer.vocabulary)
        self._vocabulary = (now, vocabulary)
        return vocabulary

    async def recipients(self, person: Person, kind: str = "") -> Sequence[Recipient]:
        """Return every recipient, or those of a kind or kind prefix, by name."""
        request = recipient_service_pb2.ListRecipientsRequest(page_size=PAGE, kind=kind)
        pages = self._stubs.recipients.pages(person, lambda stub: stub.ListRecipients, request)
        return [recipient_of(each) async for page in pages for each in page.recipients]

    async def preferences(self, person: Person) -> Sequence[Preference]:
        """Return the person's standing choices, newest first, lifted ones included."""
        request = preference_service_pb2.ListPreferencesRequest(page_size=PAGE)
        pages = self._stubs.preferences.pages(person, lambda stub: stub.ListPreferences, request)
        return [_preference(each) async for page in pages for each in page.preferences]

    async def opt_out(self, person: Person, request_id: str, choice: Choice) -> None:
        """Opt out of marketing or personalisation."""
        request = preference_service_pb2.OptOutRequest(
            request_id=request_id, choice=_CHOICES_OUT[choice]
        )
        await self._stubs.preferences.ask(person, lambda stub: stub.OptOut, request)

    async def object_to(self, person: Person, request_id: str, purpose: str) -> None:
        """Object to a purpose that rests on legitimate interest."""
        request = preference_service_pb2.ObjectRequest(request_id=request_id, purpose=purpose)
        await self._stubs.preferences.ask(person, lambda stub: stub.Object, request)

    async def stop_sharing(self, person: Person, request_id: str, recipient: str) -> None:
        """Stop sharing with a recipient or a kind of recipients."""
        request = preference_service_pb2.StopSharingRequest(
            request_id=request_id, recipient=recipient
        )
        await self._stubs.preferences.ask(person, lambda stub: stub.StopSharing, request)

    async def restrict(self, person: Person, request_id: str) -> None:
        """Restrict the use of the person's data."""
        request = preference_service_pb2.RestrictRequest(request_id=request_id)
        await self._stubs.preferences.ask(person, lambda stub: stub.Restrict, request)

    async def notice_changes(self, person: Person) -> Sequence[NoticeChange]:
        """Return what is new in the notices in force since the versions the person accepted."""
        request = preference_service_pb2.ListNoticeChangesRequest()
        answer = await self._stubs.preferences.ask(
            person, lambda stub: stub.ListNoticeChanges, request
        )
        return [_notice_change(each) for each in answer.changes]

    async def lift(self, person: Person, request_id: str, key: str) -> None:
        """Lift a standing choice from now on."""
        request = preference_service_pb2.LiftRequest(
            request_id=request_id, name=f"{person.account}/preferences/{key}"
        )
        await self._stubs.preferences.ask(person, lambda stub: stub.Lift, request)

    async def accept_notice(self, person: Person, request_id: str, notice: str) -> None:
        """Accept a version of a notice."""
        request = preference_service_pb2.AcceptNoticeRequest(request_id=request_id, notice=notice)
        await self._stubs.preferences.ask(person, lambda stub: stub.AcceptNotice, request)

    async def decisions(
        self, person: Person, outcome: Outcome | None, page: str
    ) -> tuple[Sequence[Decision], str]:
        """Return one page of the decisions about the person, newest first, and the next token."""
        request = decision_service_pb2.ListDecisionsRequest(
            page_size=_DECISIONS,
            page_token=page,
            outcome=_OUTCOMES_OUT[outcome] if outcome else decision_pb2.OUTCOME_UNSPECIFIED,
        )
        answer = await self._stubs.decisions.ask(person, lambda stub: stub.ListDecisions, request)
        return [_decision(each) for each in answer.decisions], answer.next_page_token

    async def decision(self, person: Person, key: str, purpose: str = "") -> Decision:
        """Return one decision about the person, or any to staff who state a purpose."""
        request = decision_service_pb2.GetDecisionRequest(name=f"decisions/{key}", purpose=purpose)
        answer = await self._stubs.decisions.ask(person, lambda stub: stub.GetDecision, request)
        return _decision(answer.decision)


def recipient_of(recipient: recipient_pb2.Recipient) -> Recipient:
    """Read a recipient."""
    return Recipient(
        name=recipient.name,
        display_name=recipient.display_name,
        kind=recipient.kind,
        jurisdiction=recipient.jurisdiction,
        since=moment(recipient.create_time),
    )


def _preference(preference: preference_pb2.Preference) -> Preference:
    return Preference(
        name=preference.name,
        since=moment(preference.create_time),
        lifted=moment(preference.lift_time) if preference.HasField("lift_time") else None,
        opt_out=_CHOICES.get(preference.opt_out),
        object_to=preference.object_to,
        stop_sharing_with=preference.stop_sharing_with,
        accepted_notice=preference.accepted_notice,
        restricted=preference.restricted,
    )


def _notice_change(change: preference_pb2.NoticeChange) -> NoticeChange:
    return NoticeChange(
        notice=change.notice,
        accepted=change.accepted_notice,
        by_choice=change.accepted_by_choice,
        services=tuple(change.services),
        additions=[
            Addition(
                kind=each.recipient_kind,
                purpose=each.purpose,
                categories=tuple(each.categories),
                citations=tuple(each.citations),
            )
            for each in change.additions
        ],
    )


def _decision(decision: decision_pb2.Decision) -> Decision:
    question = decision.question
    return Decision(
        name=decision.name,
        outcome=known(OUTCOMES, decision.outcome),
        at=moment(decision.decide_time),
        service=question.service,
        recipient=question.recipient,
        purpose=question.purpose,
        categories=tuple(question.categories),
        destination=question.destination,
        relation=question.relation,
        asker=decision.asker,
        hindrances=[
            Hindrance(
                reason=reason_key(each.reason),
                denies=each.outcome == decision_pb2.OUTCOME_DENY,
                gate=each.gate,
                citations=tuple(each.citations),
                categories=tuple(each.categories),
            )
            for each in decision.reasons
        ],
        grounds=[
            Ground(
                categories=tuple(each.categories),
                citation=each.citation,
                basis=known(BASES, each.basis),
                consent=each.consent,
            )
            for each in decision.grounds
        ],
        obligations=[
            enum_key(decision_pb2.Obligation.Name, each, "OBLIGATION_").lower()
            for each in decision.obligations
        ],
        contract=decision.contract,
        rulebook_digest=decision.rulebook_digest,
        trace_id=decision.trace_id,
        subject=question.account or question.guest.session,
        subprocessor=question.subprocessor,
        instrument=question.instrument,
        said=[key for key in ("signed_in", "de_identified") if getattr(question, key)],
        token=decision.token,
    )
