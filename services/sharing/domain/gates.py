"""Gates 1 to 5 and 7: prohibitions, account, notice, choices, legal basis, border.

Each gate looks at the whole case and notes every reason that holds; none stops the others.
Gate 6, the contract, is in contracts.py; the pipeline is in engine.py.
"""

from collections.abc import Iterable

from services.sharing.domain.case import Case
from services.sharing.domain.consents import ConsentVerdict
from services.sharing.domain.notices import accepted_version
from services.sharing.domain.records import PreferenceKind, SubjectStatus
from services.sharing.domain.vocabulary import (
    DATA_HOSTING,
    LEGAL_CLAIMS,
    LEGAL_DISCLOSURE,
    WINNER_PUBLICATION,
    Basis,
    Reason,
)

_BUSINESS_PARTNER = "business_partner"


def absolute_prohibitions(case: Case) -> None:
    """Gate 1: what no record can allow."""
    purpose, kind = case.purpose, case.kind
    if purpose.prohibited == "sale":
        case.found(Reason.SALE_PROHIBITED, case.topic("sale"))
    if purpose.prohibited == "partner_marketing" or (
        purpose.marketing and kind.key == _BUSINESS_PARTNER
    ):
        case.found(Reason.PARTNER_MARKETING_PROHIBITED, case.topic("partner_marketing"))
    if purpose.marketing and is_minor(case):
        case.found(Reason.MINOR_MARKETING_PROHIBITED, case.topic("minors"))
    if kind.sensitive_prohibited and case.flow.sensitive:
        prohibited = case.flow.sensitive
        case.found(Reason.SENSITIVE_CATEGORY_PROHIBITED, case.topic("sensitive"), prohibited)
    if purpose.key == WINNER_PUBLICATION and not case.question.de_identified:
        case.found(Reason.IDENTIFIABLE_PUBLICATION, case.topic("publication"))


def account(case: Case) -> None:
    """Gate 2: what the person's account allows at all."""
    if not case.question.personal:
        return
    subject = case.subject
    if subject:
        match subject.status:
            case SubjectStatus.DELETED if not _legal(case):
                case.found(Reason.ACCOUNT_DELETED, case.topic("deletion"))
            case SubjectStatus.FROZEN:
                _found_paused(case, Reason.ACCOUNT_FROZEN, "freeze")
    elif not case.question.guest:
        case.found(Reason.SUBJECT_UNKNOWN, case.topic("subject_unknown"))
    if _restricted(case):
        _found_paused(case, Reason.PROCESSING_RESTRICTED, "restriction")
    if case.purpose.marketing and (subject is None or subject.birth_date is None):
        case.found(Reason.AGE_UNKNOWN, case.topic("minors"))


def notice(case: Case) -> None:
    """Gate 3: whether a notice that speaks for the service lets the recipient have it."""
    uncovered, hidden = case.flow.uncovered, case.flow.hidden
    if uncovered:
        case.found(Reason.NOT_IN_NOTICE, case.topic("sharing"), uncovered)
    if hidden and not case.question.signed_in:
        case.found(Reason.NOT_SIGNED_IN, case.clauses(hidden), hidden)
    if case.speaking.versions and case.subject:
        accepted = accepted_version(
            case.rulebook,
            case.speaking.versions,
            case.standing(PreferenceKind.ACCEPTED_NOTICE),
            case.subject.since.date(),
        )
        known = case.rulebook.cells[accepted].get((case.kind.key, case.purpose.key), {})
        new = _those(case, (key for key in case.cells if key not in known))
        if new:
            case.found(Reason.RECONSENT_REQUIRED, case.topic("update"), new)


def choices(case: Case) -> None:
    """Gate 4: what the person decided against."""
    if not case.question.personal or case.purpose.key == LEGAL_DISCLOSURE:
        return
    if case.unconsented:
        _found_consents(case, ConsentVerdict.REFUSED, Reason.CONSENT_REFUSED, "consent")
        _found_consents(case, ConsentVerdict.WITHDRAWN, Reason.CONSENT_WITHDRAWN, "withdrawal")
    if not case.choices:
        return
    if case.purpose.key in case.standing(PreferenceKind.OBJECT_TO):
        against = _those(
            case,
            (
                key
                for key, cell in case.cells.items()
                if cell.objectable and case.bases[key] is Basis.LEGITIMATE_INTEREST
            ),
        )
        if against:
            case.found(Reason.OBJECTED, case.topic("objection"), against)
    opted_out = case.purpose.opt_out
    if opted_out and opted_out in case.standing(PreferenceKind.OPT_OUT):
        reason = (
            Reason.MARKETING_OPTED_OUT
            if opted_out == "direct_marketing"
            else Reason.PERSONALISATION_OPTED_OUT
        )
        case.found(reason, case.topic("opt_out"))
    if not case.recipient_keys.isdisjoint(case.standing(PreferenceKind.STOP_SHARING_WITH)):
        case.found(Reason.SHARING_STOPPED, case.topic("sharing_stopped"))


def legal_basis(case: Case) -> None:
    """Gate 5: whether the basis that each category rests on is there."""
    if not case.question.personal:
        return
    if case.purpose.key == LEGAL_DISCLOSURE:
        _legal_instrument(case)
        return
    if case.unconsented:
        _found_consents(case, ConsentVerdict.MISSING, Reason.CONSENT_MISSING, "consent")
        _found_consents(case, ConsentVerdict.EXPIRED, Reason.CONSENT_EXPIRED, "consent")
        _found_consents(case, ConsentVerdict.SCOPE, Reason.CONSENT_SCOPE, "consent")
    if case.purpose.relation and not case.question.relation:
        loose = _those(case, (key for key in case.cells if case.bases[key] is Basis.CONTRACT))
        if loose:
            case.found(Reason.RELATION_MISSING, case.topic("relation"), loose)


def localisation(case: Case) -> None:
    """Gate 7, first half: the storage of record stays where the law wants it."""
    place = case.place
    if place is None or not place.localised or case.purpose.key != DATA_HOSTING:
        return
    if case.question.destination != place.country:
        case.found(Reason.LOCALISATION, case.topic("border"))


def is_minor(case: Case) -> bool:
    """Tell whether the law of the person's country protects them as a child."""
    age = case.subject.age(case.today) if case.subject else None
    return age is not None and case.place is not None and age < case.place.adult_age


def _restricted(case: Case) -> bool:
    """Tell whether the person asked to leave the data alone, at account or here."""
    if case.subject and case.subject.status is SubjectStatus.RESTRICTED:
        return True
    return bool(case.choices and case.standing(PreferenceKind.RESTRICT))


def _legal(case: Case) -> bool:
    return case.purpose.key in {LEGAL_DISCLOSURE, LEGAL_CLAIMS}


def _found_paused(case: Case, reason: Reason, topic: str) -> None:
    """Freeze and restriction leave law, consent, and storage at home."""
    at_home = (
        case.purpose.key == DATA_HOSTING
        and case.place is not None
        and case.question.destination == case.place.home(case.today)
    )
    if at_home or _legal(case):
        return
    paused = _those(case, (key for key, basis in case.bases.items() if basis is not Basis.CONSENT))
    if paused:
        case.found(reason, case.topic(topic), paused)


def _found_consents(case: Case, verdict: ConsentVerdict, reason: Reason, topic: str) -> None:
    concerned = _those(case, (key for key, found in case.unconsented.items() if found is verdict))
    if concerned:
        case.found(reason, case.topic(topic), concerned)


def _legal_instrument(case: Case) -> None:
    """Without an instrument that is in its dates, for the person and for the category: no."""
    instrument = case.facts.instrument
    uncovered = case.question.categories
    if (
        instrument
        and instrument.id == case.question.instrument
        and instrument.account == case.question.account
        and instrument.on <= case.today <= instrument.expires
    ):
        uncovered = _those(
            case,
            (
                key
                for key in uncovered
                if case.rulebook.category_keys[key].isdisjoint(instrument.categories)
            ),
        )
    if uncovered:
        case.found(Reason.LEGAL_INSTRUMENT_MISSING, case.topic("instrument"), uncovered)


def _those(case: Case, keys: Iterable[str]) -> tuple[str, ...]:
    """Return categories in the question's order."""
    wanted = set(keys)
    return tuple(key for key in case.question.categories if key in wanted) if wanted else ()
