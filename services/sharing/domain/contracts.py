"""Gate 6 and the safeguards of gate 7: one contract must cover the request alone."""

from collections.abc import Callable

from services.sharing.domain.case import Case
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


def best_contract(case: Case, categories: tuple[str, ...]) -> tuple[Contract | None, list[Finding]]:
    """Return the contract with the fewest failing reasons (tie: latest effective), and those.

    The safeguard that a border needs counts among the reasons, so that a contract which covers
    the request alone is always found when there is one.
    """
    best: Contract | None = None
    fewest: list[Finding] = []
    for candidate in case.facts.contracts:
        failing = _failing(case, candidate, categories)
        if best is None or (-len(failing), candidate.terms.effective) >= (
            -len(fewest),
            best.terms.effective,
        ):
            best, fewest = candidate, failing
    if best is None:
        fewest = [Finding(Reason.CONTRACT_MISSING, case.clauses(categories), categories)]
    return best, fewest


def _failing(case: Case, contract: Contract, categories: tuple[str, ...]) -> list[Finding]:
    terms = contract.terms
    findings = []
    if contract.state is not ContractState.ACTIVE:
        findings.append(_finding(case, Reason.CONTRACT_NOT_ACTIVE, categories))
    keys = case.rulebook.category_keys
    outside = tuple(key for key in categories if keys[key].isdisjoint(terms.categories))
    if outside:
        findings.append(_finding(case, Reason.CONTRACT_SCOPE_CATEGORY, outside))
    findings.extend(
        _finding(case, reason, categories) for reason, fails in _TERMS_FAIL if fails(case, terms)
    )
    return findings


def _not_yet_effective(case: Case, terms: Terms) -> bool:
    return terms.effective > case.today


def _expired(case: Case, terms: Terms) -> bool:
    return terms.expires < case.today


def _outside_purposes(case: Case, terms: Terms) -> bool:
    return case.question.purpose not in terms.purposes


def _outside_origins(case: Case, terms: Terms) -> bool:
    return case.place is not None and case.place.areas.isdisjoint(terms.origins)


def _outside_destinations(case: Case, terms: Terms) -> bool:
    return case.destination_areas.isdisjoint(terms.destinations)


def _not_examined(case: Case, terms: Terms) -> bool:
    found = terms.due_diligence
    return case.kind.due_diligence and (found is None or found.on > case.today)


def _examination_failed(case: Case, terms: Terms) -> bool:
    found = terms.due_diligence
    return (
        case.kind.due_diligence
        and found is not None
        and found.on <= case.today
        and not found.passed
    )


def _examination_expired(case: Case, terms: Terms) -> bool:
    found = terms.due_diligence
    return (
        case.kind.due_diligence
        and found is not None
        and found.on <= case.today
        and found.expires < case.today
    )


def _subprocessor_unlisted(case: Case, terms: Terms) -> bool:
    named = case.question.subprocessor
    return bool(named) and named not in terms.subprocessors


def _not_confidential(case: Case, terms: Terms) -> bool:
    return case.kind.confidentiality and not terms.confidentiality


def _border_closed(case: Case, terms: Terms) -> bool:
    """Gate 7: at home, adequate, or safeguarded; where no safeguard is asked for, always open."""
    place, destination, today = case.place, case.question.destination, case.today
    if place is None or destination == place.country or not place.safeguards:
        return False
    if not place.safeguards.isdisjoint(terms.safeguards):
        return False
    return not any(
        country == destination and since <= today and (until is None or today <= until)
        for country, since, until in place.adequate
    )


# State and categories aside, which are judged above.
_TERMS_FAIL: tuple[tuple[Reason, Callable[[Case, Terms], bool]], ...] = (
    (Reason.CONTRACT_NOT_YET_EFFECTIVE, _not_yet_effective),
    (Reason.CONTRACT_EXPIRED, _expired),
    (Reason.CONTRACT_SCOPE_PURPOSE, _outside_purposes),
    (Reason.CONTRACT_SCOPE_ORIGIN, _outside_origins),
    (Reason.CONTRACT_SCOPE_DESTINATION, _outside_destinations),
    (Reason.DUE_DILIGENCE_MISSING, _not_examined),
    (Reason.DUE_DILIGENCE_FAILED, _examination_failed),
    (Reason.DUE_DILIGENCE_EXPIRED, _examination_expired),
    (Reason.SUBPROCESSOR_NOT_LISTED, _subprocessor_unlisted),
    (Reason.CONFIDENTIALITY_MISSING, _not_confidential),
    (Reason.TRANSFER_SAFEGUARD_MISSING, _border_closed),
)

_TOPICS = {
    Reason.DUE_DILIGENCE_MISSING: "due_diligence",
    Reason.DUE_DILIGENCE_FAILED: "due_diligence",
    Reason.DUE_DILIGENCE_EXPIRED: "due_diligence",
    Reason.TRANSFER_SAFEGUARD_MISSING: "border",
}


def _finding(case: Case, reason: Reason, categories: tuple[str, ...]) -> Finding:
    topic = _TOPICS.get(reason)
    return Finding(reason, case.topic(topic) if topic else case.clauses(categories), categories)
