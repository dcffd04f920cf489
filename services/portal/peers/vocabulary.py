"""From sharing's vocabulary to plain values, and the keys of the rules that answers are made of."""

from collections.abc import Callable
from datetime import date
from typing import TypeVar

from accord.sharing.v1 import decision_pb2, reason_pb2, vocabulary_pb2

from services.portal.domain.sharing import (
    Basis,
    Category,
    Kind,
    Notice,
    Purpose,
    Vocabulary,
)
from services.portal.peers.convert import known

_V = TypeVar("_V", bound=int)

BASES = {
    decision_pb2.LEGAL_BASIS_UNSPECIFIED: Basis.NONE,
    decision_pb2.LEGAL_BASIS_CONSENT: Basis.CONSENT,
    decision_pb2.LEGAL_BASIS_CONTRACT: Basis.CONTRACT,
    decision_pb2.LEGAL_BASIS_LEGAL_OBLIGATION: Basis.LEGAL_OBLIGATION,
    decision_pb2.LEGAL_BASIS_LEGITIMATE_INTEREST: Basis.LEGITIMATE_INTEREST,
    decision_pb2.LEGAL_BASIS_NOT_PERSONAL: Basis.NOT_PERSONAL,
}


def read_vocabulary(vocabulary: vocabulary_pb2.Vocabulary) -> Vocabulary:
    """Return the words of the rules as plain values."""
    terms = [
        *vocabulary.services,
        *(kind.term for kind in vocabulary.kinds),
        *(purpose.term for purpose in vocabulary.purposes),
        *(category.term for category in vocabulary.categories),
        *(notice.term for notice in vocabulary.notices),
        *vocabulary.safeguards,
    ]
    labels = {(label.language, term.key): label.text for term in terms for label in term.labels}
    labels |= {
        (label.language, reason_key(each.reason)): label.text
        for each in vocabulary.reasons
        for label in each.labels
    }
    return Vocabulary(
        digest=vocabulary.rulebook_digest,
        services=[service.key for service in vocabulary.services],
        kinds=[
            Kind(
                kind.term.key,
                contract=kind.contract_required,
                due_diligence=kind.due_diligence_required,
                confidentiality=kind.confidentiality_required,
            )
            for kind in vocabulary.kinds
        ],
        purposes=[
            Purpose(purpose.term.key, known(BASES, purpose.basis))
            for purpose in vocabulary.purposes
        ],
        categories=[
            Category(category.term.key, sensitive=category.sensitive)
            for category in vocabulary.categories
        ],
        notices=[
            Notice(
                notice.term.key,
                date.fromisoformat(notice.effective_date) if notice.effective_date else None,
            )
            for notice in vocabulary.notices
        ],
        safeguards=[safeguard.key for safeguard in vocabulary.safeguards],
        labels=labels,
    )


def reason_key(value: "reason_pb2.Reason.ValueType") -> str:
    """Return the rules' own key of a reason: `CONSENT_MISSING`."""
    return enum_key(reason_pb2.Reason.Name, value, "REASON_")


def enum_key(name_of: Callable[[_V], str], value: _V, prefix: str) -> str:
    """Return the name of a value without its prefix; a newer release's value by its number."""
    try:
        return name_of(value).removeprefix(prefix)
    except ValueError:
        return str(value)
