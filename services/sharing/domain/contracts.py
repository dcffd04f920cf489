"""Gate 6 and the safeguards of gate 7: one contract must cover the request alone."""

from collections.abc import Iterable, Sequence
from datetime import date

from services.sharing.domain.case import Case
from services.sharing.domain.compiled import Place
from services.sharing.domain.question import Finding
from services.sharing.domain.records import Contract, ContractState, Terms
from services.sharing.domain.vocabulary import LEGAL_DISCLOSURE, Reason


def contract(case: Case) -> None:
    """Choose the contract that fails least and note all its reasons (gates 6 and 7)."""
    if not needs_contract(case):
        return
    case.contract, findings = best_contract(case, case.question.categories)
    case.findings.extend(findings)


def needs_contract(case: Case) -> bool:
    """Tell whether gate 6 applies: not to chosen recipients, and not where law orders it."""
    return case.kind.contract and case.purpose.key != LEGAL_DISCLOSURE


def by_effect(contracts: Iterable[Contract]) -> tuple[Contract, ...]:
    """Order contracts, given oldest first, the latest effective first (tie: recorded last)."""
    return tuple(sorted(contracts, key=_effective))[::-1]


def best_contract(case: Case, categories: tuple[str, ...]) -> tuple[Contract | None, list[Finding]]:
    """Return the contract with the fewest failing reasons (tie: latest effective), and those.

    The safeguard that a border needs counts among the reasons, so that a contract which covers
    the request alone is always found when there is one.
    """
    best: Contract | None = None
    fewest: Sequence[Reason] = ()
    for candidate in case.facts.contracts:
        failing = _failing(case, candidate, categories)
        if not failing:
            return candidate, []
        if best is None or len(failing) < len(fewest):
            best, fewest = candidate, failing
    if best is None:
        return None, [Finding(Reason.CONTRACT_MISSING, case.clauses(categories), categories)]
    return best, [_finding(case, best.terms, reason, categories) for reason in fewest]


def _effective(contract: Contract) -> date:
    return contract.terms.effective


def _failing(case: Case, contract: Contract, categories: tuple[str, ...]) -> list[Reason]:
    """Return every reason of gates 6 and 7 that holds, in the order of the gates."""
    failing = [] if contract.state is ContractState.ACTIVE else [Reason.CONTRACT_NOT_ACTIVE]
    terms = contract.terms
    _out_of_term(case, terms, failing)
    _out_of_scope(case, terms, categories, failing)
    if case.kind.due_diligence:
        _not_examined(case, terms, failing)
    if case.question.subprocessor and case.question.subprocessor not in terms.subprocessors:
        failing.append(Reason.SUBPROCESSOR_NOT_LISTED)
    if case.kind.confidentiality and not terms.confidentiality:
        failing.append(Reason.CONFIDENTIALITY_MISSING)
    if case.place and _border_closed(case, case.place, terms):
        failing.append(Reason.TRANSFER_SAFEGUARD_MISSING)
    return failing


def _out_of_term(case: Case, terms: Terms, failing: list[Reason]) -> None:
    if terms.effective > case.today:
        failing.append(Reason.CONTRACT_NOT_YET_EFFECTIVE)
    if terms.expires < case.today:
        failing.append(Reason.CONTRACT_EXPIRED)


def _out_of_scope(
    case: Case, terms: Terms, categories: tuple[str, ...], failing: list[Reason]
) -> None:
    if case.question.purpose not in terms.purposes:
        failing.append(Reason.CONTRACT_SCOPE_PURPOSE)
    if _outside(case, terms, categories):
        failing.append(Reason.CONTRACT_SCOPE_CATEGORY)
    if case.place and case.place.areas.isdisjoint(terms.origins):
        failing.append(Reason.CONTRACT_SCOPE_ORIGIN)
    if case.destination_areas.isdisjoint(terms.destinations):
        failing.append(Reason.CONTRACT_SCOPE_DESTINATION)


def _not_examined(case: Case, terms: Terms, failing: list[Reason]) -> None:
    found = terms.due_diligence
    if found is None or found.on > case.today:
        failing.append(Reason.DUE_DILIGENCE_MISSING)
        return
    if not found.passed:
        failing.append(Reason.DUE_DILIGENCE_FAILED)
    if found.expires < case.today:
        failing.append(Reason.DUE_DILIGENCE_EXPIRED)


def _outside(case: Case, terms: Terms, categories: tuple[str, ...]) -> tuple[str, ...]:
    keys, agreed = case.rulebook.category_keys, terms.categories
    return tuple([key for key in categories if keys[key].isdisjoint(agreed)])


def _border_closed(case: Case, place: Place, terms: Terms) -> bool:
    """Gate 7: at home, adequate, or safeguarded; where no safeguard is asked for, always open."""
    destination, today = case.question.destination, case.today
    if destination == place.country or not place.safeguards:
        return False
    if not place.safeguards.isdisjoint(terms.safeguards_on(today)):
        return False
    return not any(term.holds(today) for term in place.adequate.get(destination, ()))


_TOPICS = {
    Reason.DUE_DILIGENCE_MISSING: "due_diligence",
    Reason.DUE_DILIGENCE_FAILED: "due_diligence",
    Reason.DUE_DILIGENCE_EXPIRED: "due_diligence",
    Reason.TRANSFER_SAFEGUARD_MISSING: "border",
}


def _finding(case: Case, terms: Terms, reason: Reason, categories: tuple[str, ...]) -> Finding:
    topic = _TOPICS.get(reason)
    if reason is Reason.CONTRACT_SCOPE_CATEGORY:
        categories = _outside(case, terms, categories)
    return Finding(reason, case.topic(topic) if topic else case.clauses(categories), categories)
