"""The closed words of the rules. Keys that are data (kinds, purposes, …) are in the rulebook."""

from enum import StrEnum


class Outcome(StrEnum):
    """The three answers; DENY and GAP both mean: do not share."""

    PERMIT = "PERMIT"
    DENY = "DENY"
    GAP = "GAP"


class Basis(StrEnum):
    """The legal ground of a processing."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal_obligation"
    LEGITIMATE_INTEREST = "legitimate_interest"
    NOT_PERSONAL = "not_personal"


class Obligation(StrEnum):
    """What the holder of the data has to do when it acts on a permit."""

    ENCRYPT = "encrypt"
    DE_IDENTIFY = "de_identify"
    CONFIDENTIALITY = "confidentiality"
    DELETE_ON_TERMINATION = "delete_on_termination"
    RECORD_DISCLOSURE = "record_disclosure"


class Reason(StrEnum):
    """Why a question was not permitted; `REASONS` says by which gate and how."""

    SALE_PROHIBITED = "SALE_PROHIBITED"
    PARTNER_MARKETING_PROHIBITED = "PARTNER_MARKETING_PROHIBITED"
    MINOR_MARKETING_PROHIBITED = "MINOR_MARKETING_PROHIBITED"
    SENSITIVE_CATEGORY_PROHIBITED = "SENSITIVE_CATEGORY_PROHIBITED"
    IDENTIFIABLE_PUBLICATION = "IDENTIFIABLE_PUBLICATION"

    ACCOUNT_DELETED = "ACCOUNT_DELETED"
    ACCOUNT_FROZEN = "ACCOUNT_FROZEN"
    PROCESSING_RESTRICTED = "PROCESSING_RESTRICTED"
    SUBJECT_UNKNOWN = "SUBJECT_UNKNOWN"
    AGE_UNKNOWN = "AGE_UNKNOWN"

    NOT_IN_NOTICE = "NOT_IN_NOTICE"
    NOT_SIGNED_IN = "NOT_SIGNED_IN"
    RECONSENT_REQUIRED = "RECONSENT_REQUIRED"

    CONSENT_REFUSED = "CONSENT_REFUSED"
    CONSENT_WITHDRAWN = "CONSENT_WITHDRAWN"
    OBJECTED = "OBJECTED"
    MARKETING_OPTED_OUT = "MARKETING_OPTED_OUT"
    PERSONALISATION_OPTED_OUT = "PERSONALISATION_OPTED_OUT"
    SHARING_STOPPED = "SHARING_STOPPED"

    CONSENT_MISSING = "CONSENT_MISSING"
    CONSENT_EXPIRED = "CONSENT_EXPIRED"
    CONSENT_SCOPE = "CONSENT_SCOPE"
    RELATION_MISSING = "RELATION_MISSING"
    LEGAL_INSTRUMENT_MISSING = "LEGAL_INSTRUMENT_MISSING"

    CONTRACT_MISSING = "CONTRACT_MISSING"
    CONTRACT_NOT_ACTIVE = "CONTRACT_NOT_ACTIVE"
    CONTRACT_NOT_YET_EFFECTIVE = "CONTRACT_NOT_YET_EFFECTIVE"
    CONTRACT_EXPIRED = "CONTRACT_EXPIRED"
    CONTRACT_SCOPE_PURPOSE = "CONTRACT_SCOPE_PURPOSE"
    CONTRACT_SCOPE_CATEGORY = "CONTRACT_SCOPE_CATEGORY"
    CONTRACT_SCOPE_ORIGIN = "CONTRACT_SCOPE_ORIGIN"
    CONTRACT_SCOPE_DESTINATION = "CONTRACT_SCOPE_DESTINATION"
    DUE_DILIGENCE_MISSING = "DUE_DILIGENCE_MISSING"
    DUE_DILIGENCE_FAILED = "DUE_DILIGENCE_FAILED"
    DUE_DILIGENCE_EXPIRED = "DUE_DILIGENCE_EXPIRED"
    SUBPROCESSOR_NOT_LISTED = "SUBPROCESSOR_NOT_LISTED"
    CONFIDENTIALITY_MISSING = "CONFIDENTIALITY_MISSING"

    LOCALISATION = "LOCALISATION"
    TRANSFER_SAFEGUARD_MISSING = "TRANSFER_SAFEGUARD_MISSING"


_D, _G = Outcome.DENY, Outcome.GAP

# The gate that gives a reason, and whether it denies or names a gap.
REASONS: dict[Reason, tuple[int, Outcome]] = {
    Reason.SALE_PROHIBITED: (1, _D),
    Reason.PARTNER_MARKETING_PROHIBITED: (1, _D),
    Reason.MINOR_MARKETING_PROHIBITED: (1, _D),
    Reason.SENSITIVE_CATEGORY_PROHIBITED: (1, _D),
    Reason.IDENTIFIABLE_PUBLICATION: (1, _D),
    Reason.ACCOUNT_DELETED: (2, _D),
    Reason.ACCOUNT_FROZEN: (2, _D),
    Reason.PROCESSING_RESTRICTED: (2, _D),
    Reason.SUBJECT_UNKNOWN: (2, _G),
    Reason.AGE_UNKNOWN: (2, _G),
    Reason.NOT_IN_NOTICE: (3, _D),
    Reason.NOT_SIGNED_IN: (3, _D),
    Reason.RECONSENT_REQUIRED: (3, _G),
    Reason.CONSENT_REFUSED: (4, _D),
    Reason.CONSENT_WITHDRAWN: (4, _D),
    Reason.OBJECTED: (4, _D),
    Reason.MARKETING_OPTED_OUT: (4, _D),
    Reason.PERSONALISATION_OPTED_OUT: (4, _D),
    Reason.SHARING_STOPPED: (4, _D),
    Reason.CONSENT_MISSING: (5, _G),
    Reason.CONSENT_EXPIRED: (5, _G),
    Reason.CONSENT_SCOPE: (5, _G),
    Reason.RELATION_MISSING: (5, _G),
    Reason.LEGAL_INSTRUMENT_MISSING: (5, _G),
    Reason.CONTRACT_MISSING: (6, _G),
    Reason.CONTRACT_NOT_ACTIVE: (6, _G),
    Reason.CONTRACT_NOT_YET_EFFECTIVE: (6, _G),
    Reason.CONTRACT_EXPIRED: (6, _G),
    Reason.CONTRACT_SCOPE_PURPOSE: (6, _G),
    Reason.CONTRACT_SCOPE_CATEGORY: (6, _G),
    Reason.CONTRACT_SCOPE_ORIGIN: (6, _G),
    Reason.CONTRACT_SCOPE_DESTINATION: (6, _G),
    Reason.DUE_DILIGENCE_MISSING: (6, _G),
    Reason.DUE_DILIGENCE_FAILED: (6, _G),
    Reason.DUE_DILIGENCE_EXPIRED: (6, _G),
    Reason.SUBPROCESSOR_NOT_LISTED: (6, _G),
    Reason.CONFIDENTIALITY_MISSING: (6, _G),
    Reason.LOCALISATION: (7, _D),
    Reason.TRANSFER_SAFEGUARD_MISSING: (7, _G),
}

# Purposes that a rule of section 9 names; every other purpose is only data.
DATA_HOSTING = "data_hosting"
LEGAL_CLAIMS = "legal_claims"
LEGAL_DISCLOSURE = "legal_disclosure"
STATISTICS = "statistics"
WINNER_PUBLICATION = "winner_publication"


# The rules that reasons cite: each is written in a notice, or in the rules of our own.
TOPICS = frozenset(
    {
        "border",
        "consent",
        "deletion",
        "due_diligence",
        "freeze",
        "instrument",
        "minors",
        "objection",
        "opt_out",
        "partner_marketing",
        "publication",
        "relation",
        "restriction",
        "sale",
        "sensitive",
        "sharing",
        "sharing_stopped",
        "subject_unknown",
        "update",
        "withdrawal",
    }
)


def prefixes(key: str) -> frozenset[str]:
    """Return a dotted key and all its prefixes: what a record may name to cover it."""
    parts = key.split(".")
    return frozenset(".".join(parts[:n]) for n in range(1, len(parts) + 1))
