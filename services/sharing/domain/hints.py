"""What would take a reason away: typed hints, worded by whoever shows them.

A hint names the records that stand in the way and the question's own words, never what else a
record says, so that a hint tells nobody more than the reason that it goes with.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.sharing.domain.case import Case
from services.sharing.domain.engine import decide
from services.sharing.domain.question import Finding
from services.sharing.domain.records import (
    RESTRICTION,
    Contract,
    ContractState,
    PreferenceKind,
    Scope,
    SubjectStatus,
    Terms,
)
from services.sharing.domain.vocabulary import STATISTICS, Outcome, Reason

_CONTRACT = 6  # the number of the gate


class Remedy(StrEnum):
    """What to do; the wire's Remedy says which fields of a hint go with each."""

    NONE = "none"
    LEAVE_OUT = "leave_out"
    DE_IDENTIFY = "de_identify"
    UNFREEZE = "unfreeze"
    LIFT_RESTRICTION = "lift_restriction"
    NAME_ACCOUNT = "name_account"
    RECORD_BIRTH_DATE = "record_birth_date"
    CHANGE_NOTICE = "change_notice"
    SIGN_IN = "sign_in"
    ACCEPT_NOTICE = "accept_notice"
    GIVE_CONSENT = "give_consent"
    LIFT_CHOICE = "lift_choice"
    NAME_RELATION = "name_relation"
    NAME_INSTRUMENT = "name_instrument"
    RECORD_CONTRACT = "record_contract"
    ACTIVATE_CONTRACT = "activate_contract"
    WAIT = "wait"
    RENEW_CONTRACT = "renew_contract"
    AMEND_CONTRACT = "amend_contract"
    EXAMINE_RECIPIENT = "examine_recipient"
    STORE_AT_HOME = "store_at_home"
    NAME_NOBODY = "name_nobody"


class Party(StrEnum):
    """Who can do it."""

    NOBODY = "nobody"
    PERSON = "person"
    APP = "app"
    OFFICER = "officer"


class Term(StrEnum):
    """What a contract would have to say more."""

    PURPOSES = "purposes"
    CATEGORIES = "categories"
    ORIGINS = "origins"
    DESTINATIONS = "destinations"
    SUBPROCESSORS = "subprocessors"
    CONFIDENTIALITY = "confidentiality"
    SAFEGUARDS = "safeguards"


@dataclass(frozen=True, slots=True)
class Hint:
    """One thing to do."""

    remedy: Remedy
    party: Party
    categories: tuple[str, ...] = ()
    resource: str = ""
    term: Term | None = None
    values: tuple[str, ...] = ()
    day: date | None = None
    consent: Scope | None = None


def hints(case: Case, contract: Contract | None, finding: Finding) -> tuple[Hint, ...]:
    """Say what would take a finding away, all together; `contract` is the one that was judged."""
    return tuple(_BY_REASON[finding.reason](_Matter(case, contract, finding)))


@dataclass(frozen=True, slots=True)
class _Matter:
    case: Case
    contract: Contract | None
    finding: Finding

    @property
    def judged(self) -> str:
        """Return the contract version that was judged; empty when none is on record."""
        return self.contract.version_name if self.contract else ""

    @property
    def day(self) -> date | None:
        """Return the day on which the contract begins or ends to count, if that is the matter."""
        if self.contract is None:
            return None
        terms = self.contract.terms
        match self.finding.reason:
            case Reason.CONTRACT_NOT_YET_EFFECTIVE:
                return terms.effective
            case Reason.CONTRACT_EXPIRED:
                return terms.expires
            case Reason.DUE_DILIGENCE_EXPIRED if terms.due_diligence:
                return terms.due_diligence.expires
        return None

    def hint(self, remedy: Remedy, party: Party, resource: str = "") -> Hint:
        """Make a hint about the categories of the finding."""
        return Hint(remedy, party, self.finding.categories, resource)


_Source = Callable[[_Matter], Iterator[Hint]]


def _simply(remedy: Remedy, party: Party) -> _Source:
    def source(matter: _Matter) -> Iterator[Hint]:
        yield matter.hint(remedy, party)

    return source


def _about_account(remedy: Remedy) -> _Source:
    def source(matter: _Matter) -> Iterator[Hint]:
        yield matter.hint(remedy, Party.PERSON, matter.case.question.account)

    return source


def _leave_out(otherwise: Remedy) -> _Source:
    """What cannot be had is left out, if anything is left to ask for."""

    def source(matter: _Matter) -> Iterator[Hint]:
        if len(matter.finding.categories) < len(matter.case.question.categories):
            yield matter.hint(Remedy.LEAVE_OUT, Party.APP)
        elif otherwise is Remedy.NONE:
            yield matter.hint(Remedy.NONE, Party.NOBODY)
        else:
            yield matter.hint(otherwise, Party.OFFICER)

    return source


def _not_in_notice(matter: _Matter) -> Iterator[Hint]:
    case = matter.case
    about_nobody = case.speaking.covering(case.kind.key, STATISTICS)
    if (
        case.purpose.key == STATISTICS
        and case.question.personal
        and all(key in about_nobody for key in case.question.categories)
    ):
        yield matter.hint(Remedy.NAME_NOBODY, Party.APP)
        return
    yield from _leave_out(Remedy.CHANGE_NOTICE)(matter)


def _age(matter: _Matter) -> Iterator[Hint]:
    if matter.case.subject is None:
        yield matter.hint(Remedy.NAME_ACCOUNT, Party.APP)
    else:
        yield from _about_account(Remedy.RECORD_BIRTH_DATE)(matter)


def _accept_notice(matter: _Matter) -> Iterator[Hint]:
    newest = matter.case.speaking.versions[-1]
    found = matter.finding.categories
    yield Hint(Remedy.ACCEPT_NOTICE, Party.PERSON, found, values=(newest,))


def _give_consent(matter: _Matter) -> Iterator[Hint]:
    """One hint for each consent that stands in the way, and one for where there is none."""
    question = matter.case.question
    in_the_way: dict[str, list[str]] = {}
    for category in matter.finding.categories:
        consent = matter.case.consents[category][1]
        in_the_way.setdefault(consent.name if consent else "", []).append(category)
    for resource, categories in in_the_way.items():
        scope = Scope(
            question.service,
            frozenset({question.purpose}),
            frozenset(categories),
            question.recipient,
        )
        yield Hint(Remedy.GIVE_CONSENT, Party.PERSON, tuple(categories), resource, consent=scope)


def _lift(kind: PreferenceKind) -> _Source:
    def source(matter: _Matter) -> Iterator[Hint]:
        case = matter.case
        concerned = {
            PreferenceKind.OBJECT_TO: {case.purpose.key},
            PreferenceKind.OPT_OUT: {case.purpose.opt_out},
            PreferenceKind.STOP_SHARING_WITH: case.recipient_keys,
            PreferenceKind.RESTRICT: {RESTRICTION},
        }[kind]
        for choice in case.choices:
            if choice.kind is kind and choice.value in concerned:
                yield matter.hint(Remedy.LIFT_CHOICE, Party.PERSON, choice.name)

    return source


def _unrestrict(matter: _Matter) -> Iterator[Hint]:
    """A restriction is a choice of the person, a state of the account, or both."""
    yield from _lift(PreferenceKind.RESTRICT)(matter)
    subject = matter.case.subject
    if subject and subject.status is SubjectStatus.RESTRICTED:
        yield from _about_account(Remedy.LIFT_RESTRICTION)(matter)


def _name_instrument(matter: _Matter) -> Iterator[Hint]:
    """One instrument has to order it all, also what the one that was named covers."""
    asked = matter.case.question
    yield Hint(Remedy.NAME_INSTRUMENT, Party.OFFICER, asked.categories, asked.instrument)


def _record_contract(matter: _Matter) -> Iterator[Hint]:
    """What a contract that says nothing at all would lack is what a new one has to contain."""
    case = matter.case
    yield matter.hint(Remedy.RECORD_CONTRACT, Party.OFFICER, case.question.recipient)
    nothing: frozenset[str] = frozenset()
    silent = Terms(nothing, nothing, nothing, nothing, effective=case.today, expires=case.today)
    blank = Contract("", 0, ContractState.ACTIVE, silent)
    facts = case.facts._replace(contracts=(blank,))
    for found in decide(case.rulebook, case.question, facts, case.now).findings:
        if found.gate >= _CONTRACT and found.outcome is Outcome.GAP:
            yield from _BY_REASON[found.reason](_Matter(case, None, found))


def _of_contract(remedy: Remedy) -> _Source:
    def source(matter: _Matter) -> Iterator[Hint]:
        party = Party.NOBODY if remedy is Remedy.WAIT else Party.OFFICER
        yield Hint(remedy, party, matter.finding.categories, matter.judged, day=matter.day)

    return source


def _amend(term: Term) -> _Source:
    def source(matter: _Matter) -> Iterator[Hint]:
        case = matter.case
        place = case.place
        values: tuple[str, ...] = ()
        match term:
            case Term.PURPOSES:
                values = (case.purpose.key,)
            case Term.ORIGINS:
                values = tuple(sorted(place.areas)) if place else ()
            case Term.DESTINATIONS:
                values = tuple(sorted(case.destination_areas))
            case Term.SUBPROCESSORS:
                values = (case.question.subprocessor,)
            case Term.SAFEGUARDS:
                values = tuple(sorted(place.safeguards)) if place else ()
        yield Hint(
            Remedy.AMEND_CONTRACT,
            Party.OFFICER,
            matter.finding.categories,
            matter.judged,
            term=term,
            values=values,
        )

    return source


def _store_at_home(matter: _Matter) -> Iterator[Hint]:
    place = matter.case.place
    home = (place.country,) if place else ()
    yield Hint(Remedy.STORE_AT_HOME, Party.APP, matter.finding.categories, values=home)


_NEVER = _simply(Remedy.NONE, Party.NOBODY)
_EXAMINE = _of_contract(Remedy.EXAMINE_RECIPIENT)

_BY_REASON: dict[Reason, _Source] = {
    Reason.SALE_PROHIBITED: _NEVER,
    Reason.PARTNER_MARKETING_PROHIBITED: _NEVER,
    Reason.MINOR_MARKETING_PROHIBITED: _NEVER,
    Reason.SENSITIVE_CATEGORY_PROHIBITED: _leave_out(Remedy.NONE),
    Reason.IDENTIFIABLE_PUBLICATION: _simply(Remedy.DE_IDENTIFY, Party.APP),
    Reason.ACCOUNT_DELETED: _NEVER,
    Reason.ACCOUNT_FROZEN: _about_account(Remedy.UNFREEZE),
    Reason.PROCESSING_RESTRICTED: _unrestrict,
    Reason.SUBJECT_UNKNOWN: _simply(Remedy.NAME_ACCOUNT, Party.APP),
    Reason.AGE_UNKNOWN: _age,
    Reason.NOT_IN_NOTICE: _not_in_notice,
    Reason.NOT_SIGNED_IN: _simply(Remedy.SIGN_IN, Party.PERSON),
    Reason.RECONSENT_REQUIRED: _accept_notice,
    Reason.CONSENT_REFUSED: _give_consent,
    Reason.CONSENT_WITHDRAWN: _give_consent,
    Reason.OBJECTED: _lift(PreferenceKind.OBJECT_TO),
    Reason.MARKETING_OPTED_OUT: _lift(PreferenceKind.OPT_OUT),
    Reason.PERSONALISATION_OPTED_OUT: _lift(PreferenceKind.OPT_OUT),
    Reason.SHARING_STOPPED: _lift(PreferenceKind.STOP_SHARING_WITH),
    Reason.CONSENT_MISSING: _give_consent,
    Reason.CONSENT_EXPIRED: _give_consent,
    Reason.CONSENT_SCOPE: _give_consent,
    Reason.RELATION_MISSING: _simply(Remedy.NAME_RELATION, Party.APP),
    Reason.LEGAL_INSTRUMENT_MISSING: _name_instrument,
    Reason.CONTRACT_MISSING: _record_contract,
    Reason.CONTRACT_NOT_ACTIVE: _of_contract(Remedy.ACTIVATE_CONTRACT),
    Reason.CONTRACT_NOT_YET_EFFECTIVE: _of_contract(Remedy.WAIT),
    Reason.CONTRACT_EXPIRED: _of_contract(Remedy.RENEW_CONTRACT),
    Reason.CONTRACT_SCOPE_PURPOSE: _amend(Term.PURPOSES),
    Reason.CONTRACT_SCOPE_CATEGORY: _amend(Term.CATEGORIES),
    Reason.CONTRACT_SCOPE_ORIGIN: _amend(Term.ORIGINS),
    Reason.CONTRACT_SCOPE_DESTINATION: _amend(Term.DESTINATIONS),
    Reason.DUE_DILIGENCE_MISSING: _EXAMINE,
    Reason.DUE_DILIGENCE_FAILED: _EXAMINE,
    Reason.DUE_DILIGENCE_EXPIRED: _EXAMINE,
    Reason.SUBPROCESSOR_NOT_LISTED: _amend(Term.SUBPROCESSORS),
    Reason.CONFIDENTIALITY_MISSING: _amend(Term.CONFIDENTIALITY),
    Reason.LOCALISATION: _store_at_home,
    Reason.TRANSFER_SAFEGUARD_MISSING: _amend(Term.SAFEGUARDS),
}
