"""Holds records against the rulebook before they are kept: INVALID_FIELD for what it knows not."""

from collections.abc import Collection, Iterable, Sequence

from runtime.fault import invalid
from services.sharing.domain.instrument import LegalInstrument
from services.sharing.domain.records import OPT_OUTS, RESTRICTION, PreferenceKind, Scope, Terms
from services.sharing.domain.rulebook import EVERYWHERE, Rulebook

RECIPIENT_PREFIX = "recipients/"
_SCC = "scc"


def check_country(field: str, country: str, rulebook: Rulebook) -> None:
    """Refuse what is no country."""
    if country not in rulebook.places:
        raise invalid(field, "no country of ISO 3166-1")


def check_notice(field: str, notice: str, rulebook: Rulebook) -> None:
    """Refuse an unknown version of a notice."""
    if notice not in rulebook.notices:
        raise invalid(field, "unknown notice")


def check_terms(terms: Terms, rulebook: Rulebook) -> None:
    """Refuse terms with words that the rulebook does not know, or that can never be in force."""
    areas = {EVERYWHERE, *rulebook.places, *rulebook.area_countries}
    _keys("terms.purposes", terms.purposes, rulebook.purposes)
    _keys("terms.categories", terms.categories, rulebook.category_scopes)
    _keys("terms.origins", terms.origins, areas)
    _keys("terms.destinations", terms.destinations, areas)
    _known("terms.safeguards", terms.safeguards, rulebook.safeguards)
    if terms.expires < terms.effective:
        raise invalid("terms.expire_date", "is before the effective date")
    if terms.due_diligence and terms.due_diligence.expires < terms.due_diligence.on:
        raise invalid("terms.due_diligence.expire_date", "is before its own date")
    _check_details(terms)
    _check_chain(terms, rulebook)


def _check_details(terms: Terms) -> None:
    """Refuse details of safeguards that the terms do not have, or that say too little."""
    field = "terms.safeguard_details"
    _listed_once(field, [detail.safeguard for detail in terms.safeguard_details], terms.safeguards)
    for detail in terms.safeguard_details:
        if (detail.safeguard == _SCC) != (detail.scc_module is not None):
            raise invalid(f"{field}.scc_module", f"goes with {_SCC}, and with nothing else")
        if detail.expires and detail.expires < terms.effective:
            raise invalid(f"{field}.expire_date", "is before the effective date")


def _check_chain(terms: Terms, rulebook: Rulebook) -> None:
    """Refuse a chain that is none: names that are not listed, parents unknown or in a circle."""
    field = "terms.subprocessor_chain"
    parents = {link.name: link.parent for link in terms.subprocessor_chain}
    _listed_once(field, [link.name for link in terms.subprocessor_chain], terms.subprocessors)
    for link in terms.subprocessor_chain:
        check_country(f"{field}.jurisdiction", link.jurisdiction, rulebook)
        above, seen = link.parent, {link.name}
        while above:
            if above not in parents or above in seen:
                raise invalid(f"{field}.parent", "is not in the chain, or goes in a circle")
            seen.add(above)
            above = parents[above]


def check_instrument(instrument: LegalInstrument, rulebook: Rulebook) -> None:
    """Refuse an instrument with words that the rulebook does not know, or never in force."""
    orders = instrument.orders
    check_country("instrument.issuer", instrument.issuer, rulebook)
    _keys("instrument.categories", orders.categories, rulebook.category_scopes)
    if orders.expires < orders.on:
        raise invalid("instrument.expire_date", "is before its own date")


def check_scope(scope: Scope, rulebook: Rulebook) -> None:
    """Refuse the scope of a consent with words that the rulebook does not know."""
    if scope.service and scope.service not in rulebook.services:
        raise invalid("scope.service", "unknown key")
    _keys("scope.purposes", scope.purposes, rulebook.purposes)
    _keys("scope.categories", scope.categories, rulebook.category_scopes)
    check_recipient_scope("scope.recipient", scope.recipient, rulebook)


def check_recipient_scope(field: str, recipient: str, rulebook: Rulebook) -> None:
    """Refuse what is neither the name of a recipient nor a kind or a kind prefix."""
    if not recipient.startswith(RECIPIENT_PREFIX) and recipient not in rulebook.kind_scopes:
        raise invalid(field, "neither recipients/… nor a kind of recipients")


def check_choice(field: str, kind: PreferenceKind, value: str, rulebook: Rulebook) -> None:
    """Refuse a choice that no rule reads."""
    match kind:
        case PreferenceKind.OPT_OUT:
            _known(field, [value], OPT_OUTS)
        case PreferenceKind.OBJECT_TO:
            _known(field, [value], rulebook.purposes)
            if not rulebook.purposes[value].objectable:
                raise invalid(field, "this purpose does not rest on legitimate interest")
        case PreferenceKind.STOP_SHARING_WITH:
            check_recipient_scope(field, value, rulebook)
        case PreferenceKind.ACCEPTED_NOTICE:
            check_notice(field, value, rulebook)
        case PreferenceKind.RESTRICT:
            _known(field, [value], [RESTRICTION])


def _listed_once(field: str, keys: Sequence[str], listed: Collection[str]) -> None:
    if len(set(keys)) != len(keys) or any(key not in listed for key in keys):
        raise invalid(field, "each details one of those that the terms list")


def _keys(field: str, keys: Collection[str], known: Collection[str]) -> None:
    if not keys:
        raise invalid(field, "at least one is needed")
    _known(field, keys, known)


def _known(field: str, keys: Iterable[str], known: Collection[str]) -> None:
    if any(key not in known for key in keys):
        raise invalid(field, "unknown key")
