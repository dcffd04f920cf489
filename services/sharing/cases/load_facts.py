"""Fills the empty store of a policy test with facts as they stand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time

from runtime.fault import Fault, invalid, not_found
from services.sharing.cases.means import Means
from services.sharing.domain.acting import Acting
from services.sharing.domain.admission import check_country
from services.sharing.domain.agreement import Agreement, Step
from services.sharing.domain.instrument import LegalInstrument
from services.sharing.domain.ports import Records, Request
from services.sharing.domain.records import (
    Consent,
    ContractState,
    Preference,
    Recipient,
    Subject,
    Terms,
)

# Since when a fact counts that counts always.
ALWAYS = datetime.min.replace(tzinfo=UTC)
# How a draft came to stand where it does.
_STEPS = {
    ContractState.DRAFT: (),
    ContractState.UNDER_REVIEW: (ContractState.UNDER_REVIEW,),
    ContractState.ACTIVE: (ContractState.ACTIVE,),
    ContractState.SUSPENDED: (ContractState.ACTIVE, ContractState.SUSPENDED),
    ContractState.TERMINATED: (ContractState.ACTIVE, ContractState.TERMINATED),
}
_ENDED = {ContractState.SUSPENDED, ContractState.TERMINATED}


@dataclass(frozen=True, slots=True)
class StandingContract:
    """A contract in its first version, and the state that it is in."""

    name: str
    recipient: str
    state: ContractState
    terms: Terms


@dataclass(frozen=True, slots=True)
class GivenFacts:
    """Everything to load; consents and choices, each with its holder, in the order they count."""

    subjects: Sequence[Subject]
    recipients: Sequence[Recipient]
    contracts: Sequence[StandingContract]
    consents: Sequence[tuple[str, Consent]]
    preferences: Sequence[tuple[str, Preference]]
    instruments: Sequence[LegalInstrument]


async def load_facts(
    means: Means, request: Request[None], given: GivenFacts, acting: Acting
) -> None:
    """Store facts as they are given; STORE_NOT_EMPTY when anything is stored already."""
    for subject in given.subjects:
        check_country("subjects.jurisdiction", subject.jurisdiction, means.rulebook)
    for recipient in given.recipients:
        check_country("recipients.jurisdiction", recipient.jurisdiction, means.rulebook)
        if recipient.kind not in means.rulebook.kinds:
            raise invalid("recipients.kind", "unknown key")
    now = means.clock.now()

    def unit(records: Records) -> None:
        def change() -> None:
            if not records.empty():
                raise Fault("STORE_NOT_EMPTY", "facts are loaded into an empty store alone")
            _store(records, given, acting.who)
            records.publish(
                acting.event(
                    action="sharing:facts:load",
                    time=now,
                    fields={"subjects": str(len(given.subjects))},
                )
            )

        records.once(request, now, change)

    await means.store.write(unit)


def _store(records: Records, given: GivenFacts, actor: str) -> None:
    for subject in given.subjects:
        records.subjects.put(subject, ALWAYS)
    for recipient in given.recipients:
        if not records.recipients.add(recipient):
            raise invalid("recipients.name", "each at most once")
    for contract in given.contracts:
        if records.recipients.get(contract.recipient) is None:
            raise not_found(contract.recipient)
        _store_contract(records, contract, actor)
    for holder, consent in given.consents:
        records.consents.add(holder, consent, ALWAYS)
    for holder, preference in given.preferences:
        records.preferences.add(holder, preference, ALWAYS)
    for instrument in given.instruments:
        records.instruments.save(instrument)


def _store_contract(records: Records, contract: StandingContract, actor: str) -> None:
    """Store a contract that always stood as it does; what ended it counts from its effect on."""
    begun = datetime.combine(contract.terms.effective, time(tzinfo=UTC))
    agreement = Agreement.draft(contract.name, contract.recipient, contract.terms, actor, ALWAYS)
    records.contracts.save(agreement, Step(1, agreement.state, actor, ALWAYS))
    for state in _STEPS[contract.state]:
        agreement = replace(agreement, state=state)
        if state is not ContractState.UNDER_REVIEW:
            agreement = replace(agreement, active_version=1, active_state=state)
        since = begun if state in _ENDED else ALWAYS
        records.contracts.save(agreement, Step(1, state, actor, since))
