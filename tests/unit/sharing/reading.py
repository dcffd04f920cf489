"""A second reading of the rules: slow, category by category, from the rows as they are written.

It shares with the engine the records and the rulebook's source types, and nothing of how the
engine looks things up, judges consents or chooses a contract.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.sharing.domain.vocabulary import REASONS, Outcome, Reason
from tests.unit.sharing.facts import rulebook

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from services.sharing.domain.question import Facts, Question
    from services.sharing.domain.records import (
        Consent,
        Contract,
        DueDiligence,
        Preference,
        Terms,
    )
    from services.sharing.domain.rulebook import Notice, Row

MARKETING = {"newsletter", "direct_marketing", "personalised_recommendation"}
EEA = {
    *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE"),
    *("IS", "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK"),
}
NEVER_SENSITIVE = {
    "service_provider.llm",
    "service_provider.advertising",
    "designated_third_party",
    "professional_advisor",
    "investor",
    "public",
    "business_partner",
}
WITHOUT_CONTRACT = {
    "payment_provider",
    "identity_provider",
    "designated_third_party",
    "public_authority",
    "court",
    "law_enforcement",
    "public",
}
SERVICES = {
    "mi_account": [["mi-store@2025-05-20"]],
    "mi_com": [["mi-com@2021-07-22", "mi-store@2025-05-20"]],
    "mi_store": [["mi-store@2025-05-20"]],
    "live_chat": [["live-chat"], ["mi-store@2025-05-20"]],
    "mi_tv_remote": [["mi-tv-remote@2019-10-01"]],
    "privacy_support": [["privacy-support@2024-12-16"]],
    "mi_com_legacy": [["mi-early"]],
}


def under(key: str, prefixes: Iterable[str]) -> bool:
    return any(key == prefix or key.startswith(prefix + ".") for prefix in prefixes)


def outcome(asked: Question, known: Facts, now: datetime) -> Outcome:
    found = reasons(asked, known, now)
    if any(REASONS[reason][1] is Outcome.DENY for reason in found):
        return Outcome.DENY
    return Outcome.GAP if found else Outcome.PERMIT


def reasons(asked: Question, known: Facts, now: datetime) -> set[Reason]:
    return Reading(asked, known, now).all()


class Reading:
    """One question, read rule by rule."""

    def __init__(self, asked: Question, known: Facts, now: datetime) -> None:
        self.asked, self.known, self.now = asked, known, now
        self.today = now.date()
        self.kind = known.recipient.kind
        self.country = known.subject.jurisdiction if known.subject else None
        self.person = bool(asked.account)
        self.law = asked.purpose == "legal_disclosure"

    def all(self) -> set[Reason]:
        found = set(self.prohibitions()) | set(self.account())
        for category in self.asked.categories:
            found |= set(self.about(category))
        found |= set(self.choices()) | set(self.contract()) | set(self.storage())
        return found

    def prohibitions(self) -> Iterable[Reason]:
        purpose, born = self.asked.purpose, self.known.subject and self.known.subject.birth_date
        if purpose == "sale":
            yield Reason.SALE_PROHIBITED
        if purpose == "partner_marketing" or (
            purpose in MARKETING and self.kind == "business_partner"
        ):
            yield Reason.PARTNER_MARKETING_PROHIBITED
        if purpose in MARKETING and born:
            age = self.today.year - born.year
            age -= (self.today.month, self.today.day) < (born.month, born.day)
            if age < 18:
                yield Reason.MINOR_MARKETING_PROHIBITED
        if purpose == "winner_publication" and not self.asked.de_identified:
            yield Reason.IDENTIFIABLE_PUBLICATION

    def account(self) -> Iterable[Reason]:
        if not self.person:
            return
        if self.known.subject is None:
            yield Reason.SUBJECT_UNKNOWN
        elif self.known.subject.status == "deleted" and not self.by_law():
            yield Reason.ACCOUNT_DELETED
        if self.asked.purpose in MARKETING and not (
            self.known.subject and self.known.subject.birth_date
        ):
            yield Reason.AGE_UNKNOWN

    def about(self, category: str) -> Iterable[Reason]:
        sensitive = category in {"account.credentials", "identity.government_id"} or under(
            category, ["financial"]
        )
        if sensitive and self.kind in NEVER_SENSITIVE:
            yield Reason.SENSITIVE_CATEGORY_PROHIBITED
        row = self.row(category)
        basis = self.basis(row)
        yield from self.paused(basis)
        if row is None:
            yield Reason.NOT_IN_NOTICE
        elif row.signed_in and not self.asked.signed_in:
            yield Reason.NOT_SIGNED_IN
        if row is not None and self.is_new(category):
            yield Reason.RECONSENT_REQUIRED
        if self.person and self.law:
            if not self.instrument_covers(category):
                yield Reason.LEGAL_INSTRUMENT_MISSING
        elif self.person and row is not None:
            yield from self.rests(category, row, basis)

    def rests(self, category: str, row: Row, basis: str | None) -> Iterable[Reason]:
        if basis == "consent":
            yield from self.consent(category)
        if basis == "contract" and self.needs_relation() and not self.asked.relation:
            yield Reason.RELATION_MISSING
        if basis == "legitimate_interest" and row.objectable and self.chose("object_to"):
            yield Reason.OBJECTED

    def paused(self, basis: str | None) -> Iterable[Reason]:
        subject = self.known.subject
        if basis == "consent" or self.by_law():
            return
        if subject is None:
            if self.standing("restrict"):
                yield Reason.PROCESSING_RESTRICTED
            return
        home = {"IN": "IN", "RU": "RU"}.get(subject.jurisdiction)
        home = home or ("NL" if subject.jurisdiction in EEA | {"GB", "CH"} else "SG")
        if self.asked.purpose == "data_hosting" and self.asked.destination == home:
            return
        if subject.status == "frozen":
            yield Reason.ACCOUNT_FROZEN
        if subject.status == "restricted" or self.standing("restrict"):
            yield Reason.PROCESSING_RESTRICTED

    def by_law(self) -> bool:
        return self.asked.purpose in {"legal_claims", "legal_disclosure"}

    def notices(self) -> list[Notice]:
        speaking = []
        for lineage in SERVICES[self.asked.service]:
            inforce = [rulebook().notices[notice] for notice in lineage]
            inforce = [n for n in inforce if n.effective is None or n.effective <= self.today]
            speaking += inforce[-1:]
        return speaking

    def row(self, category: str) -> Row | None:
        if self.asked.purpose == "statistics" and self.person:
            return None
        for notice in self.notices():
            rows = [row for row in notice.rows if self.speaks(notice, row)]
            if any(self.has_any(row) for row in rows):
                return next((row for row in rows if self.has(row, category)), None)
        return None

    def speaks(self, notice: Notice, row: Row) -> bool:
        falls_under = notice.counts_as.get(self.kind, self.kind)
        kind = under(self.kind, row.recipients) or under(falls_under, row.recipients)
        if not row.purposes:
            return kind and self.asked.purpose not in {"statistics", "legal_disclosure"}
        return kind and self.asked.purpose in row.purposes

    def has_any(self, row: Row) -> bool:
        return any(self.has(row, category) for category in rulebook().categories)

    def has(self, row: Row, category: str) -> bool:
        if not row.sensitive and rulebook().categories[category].sensitive:
            return False
        if row.categories is None:
            return under(category, rulebook().purposes[self.asked.purpose].needs)
        return not row.categories or under(category, row.categories)

    def basis(self, row: Row | None) -> str | None:
        if row is not None and row.basis:
            return row.basis
        surveyed = self.asked.purpose == "survey" and self.asked.relation
        if surveyed and self.country in EEA | {"GB", "CH"}:
            return "legitimate_interest"
        return rulebook().purposes[self.asked.purpose].basis

    def is_new(self, category: str) -> bool:
        versions = SERVICES["mi_com"][0]
        subject = self.known.subject
        if (
            self.asked.service != "mi_com"
            or subject is None
            or self.today.isoformat() < "2025-05-20"
        ):
            return False
        accepted = [p.value for p in self.standing("accepted_notice") if p.value in versions]
        began = versions[1] if subject.since.date().isoformat() >= "2025-05-20" else versions[0]
        notice = rulebook().notices[accepted[-1] if accepted else began]
        return not any(self.speaks(notice, row) and self.has(row, category) for row in notice.rows)

    def instrument_covers(self, category: str) -> bool:
        held = self.known.instrument
        return (
            held is not None
            and held.id == self.asked.instrument
            and held.account == self.asked.account
            and held.on <= self.today <= held.expires
            and under(category, held.categories)
        )

    def consent(self, category: str) -> Iterable[Reason]:
        silent = {"unknown", "requested", "deferred", "invalidated"}
        made = [
            c
            for c in self.known.consents
            if c.scope.service in {"", self.asked.service} and c.state not in silent
        ]
        covering = [
            c
            for c in made
            if self.for_purpose(c) and self.for_recipient(c) and under(category, c.scope.categories)
        ]
        if covering:
            decisive = covering[-1]
            if decisive.state == "refused":
                yield Reason.CONSENT_REFUSED
            elif self.over(decisive):
                yield Reason.CONSENT_EXPIRED
            elif decisive.state in {"withdrawn", "revoked"}:
                yield Reason.CONSENT_WITHDRAWN
        elif any(
            c.state in {"given", "renewed"}
            and not self.over(c)
            and (self.for_purpose(c) or self.for_recipient(c))
            for c in made
        ):
            yield Reason.CONSENT_SCOPE
        else:
            yield Reason.CONSENT_MISSING

    def over(self, consent: Consent) -> bool:
        """Whether it had expired: now, or when it was withdrawn."""
        if consent.state == "expired":
            return True
        until = self.now
        if consent.state in {"withdrawn", "revoked"}:
            if consent.withdrawn is None:
                return False
            until = consent.withdrawn
        return consent.expires is not None and consent.expires <= until

    def for_purpose(self, consent: Consent) -> bool:
        return self.asked.purpose in consent.scope.purposes

    def for_recipient(self, consent: Consent) -> bool:
        to = consent.scope.recipient
        return to == self.asked.recipient or under(self.kind, [to])

    def needs_relation(self) -> bool:
        return self.asked.purpose in {
            "order_fulfilment",
            "delivery",
            "payment",
            "invoicing",
            "customer_service",
            "after_sales",
            "chat_response",
            "activity_organisation",
            "winner_publication",
            "privacy_request",
        }

    def standing(self, kind: str) -> list[Preference]:
        return [p for p in self.known.preferences if p.kind == kind]

    def chose(self, kind: str) -> bool:
        return any(p.value == self.asked.purpose for p in self.standing(kind))

    def choices(self) -> Iterable[Reason]:
        if not self.person or self.law:
            return
        out = {p.value for p in self.standing("opt_out")}
        if self.asked.purpose in {"newsletter", "direct_marketing"} and "direct_marketing" in out:
            yield Reason.MARKETING_OPTED_OUT
        personal = {"personalised_recommendation", "cross_service_combination"}
        if self.asked.purpose in personal and "personalisation" in out:
            yield Reason.PERSONALISATION_OPTED_OUT
        for stop in self.standing("stop_sharing_with"):
            if stop.value == self.asked.recipient or under(self.kind, [stop.value]):
                yield Reason.SHARING_STOPPED

    def contract(self) -> Iterable[Reason]:
        if self.kind in WITHOUT_CONTRACT or self.law:
            return []
        judged = [
            (-len(failing), held.terms.effective, n, failing)
            for n, held in enumerate(self.known.contracts)
            for failing in [set(self.failing(held))]
        ]
        if not judged:
            return [Reason.CONTRACT_MISSING]
        return max(judged, key=lambda entry: entry[:3])[3]

    def failing(self, held: Contract) -> Iterable[Reason]:
        terms = held.terms
        confidential = self.kind in {"professional_advisor", "investor"}
        if held.state != "active":
            yield Reason.CONTRACT_NOT_ACTIVE
        if self.today < terms.effective:
            yield Reason.CONTRACT_NOT_YET_EFFECTIVE
        if self.today > terms.expires:
            yield Reason.CONTRACT_EXPIRED
        yield from self.out_of_scope(terms)
        if not confidential:
            yield from self.examined(terms.due_diligence)
        if self.asked.subprocessor and self.asked.subprocessor not in terms.subprocessors:
            yield Reason.SUBPROCESSOR_NOT_LISTED
        if confidential and not terms.confidentiality:
            yield Reason.CONFIDENTIALITY_MISSING
        if self.country and not self.may_cross(self.country, terms.safeguards):
            yield Reason.TRANSFER_SAFEGUARD_MISSING

    def out_of_scope(self, terms: Terms) -> Iterable[Reason]:
        if self.asked.purpose not in terms.purposes:
            yield Reason.CONTRACT_SCOPE_PURPOSE
        if not all(under(category, terms.categories) for category in self.asked.categories):
            yield Reason.CONTRACT_SCOPE_CATEGORY
        if self.country and not self.within(self.country, terms.origins):
            yield Reason.CONTRACT_SCOPE_ORIGIN
        if not self.within(self.asked.destination, terms.destinations):
            yield Reason.CONTRACT_SCOPE_DESTINATION

    def examined(self, seen: DueDiligence | None) -> Iterable[Reason]:
        if seen is None or seen.on > self.today:
            yield Reason.DUE_DILIGENCE_MISSING
            return
        if not seen.passed:
            yield Reason.DUE_DILIGENCE_FAILED
        if seen.expires < self.today:
            yield Reason.DUE_DILIGENCE_EXPIRED

    def within(self, country: str, named: Iterable[str]) -> bool:
        areas = {"*", country}
        areas |= {"EEA"} if country in EEA else set()
        areas |= {"UK"} if country == "GB" else set()
        return bool(areas & set(named))

    def may_cross(self, origin: str, safeguards: Iterable[str]) -> bool:
        destination, held = self.asked.destination, set(safeguards)
        europe = EEA | {"GB", "CH"}
        if origin == destination:
            return True
        if origin == "RU":
            return "ru_cross_border_permission" in held
        if origin == "IN":
            return "in_transfer_terms" in held
        if origin in europe and destination not in europe:
            gdpr = {"adequacy", "scc", "bcr", "gdpr_other"}
            return bool(held & (gdpr | {"uk_idta"} if origin == "GB" else gdpr))
        return True

    def storage(self) -> Iterable[Reason]:
        stored = self.asked.purpose == "data_hosting" and self.country in {"IN", "RU"}
        if stored and self.asked.destination != self.country:
            yield Reason.LOCALISATION
