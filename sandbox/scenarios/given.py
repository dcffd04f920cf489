"""Reads `given`: the facts, as messages of the wire, each with the moment from which it counts."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from accord.sharing.v1 import (
    consent_pb2,
    contract_pb2,
    instrument_pb2,
    loader_service_pb2,
    preference_pb2,
    recipient_pb2,
    subject_pb2,
)
from google.protobuf.timestamp_pb2 import Timestamp

from runtime.ids import home_of
from sandbox.scenarios.reading import Mapping, Part
from sandbox.scenarios.words import Words, key, keys
from services.sharing.domain.records import OPT_OUTS

LATEST_SINCE = datetime(2025, 6, 1, tzinfo=UTC)
_CHOICES = ("opt_out", "object_to", "stop_sharing_with", "accepted_notice")
_STATUSES = ("active", "frozen", "restricted", "deleted")
_CONTRACT_STATES = ("draft", "under_review", "active", "suspended", "terminated")
_CONSENT_STATES = ("given", "refused", "withdrawn")
# The paper that a contract or an instrument rests on; the format leaves it out.
_PAPER = contract_pb2.SignedDocument(sha256=bytes(32), location="scenario")


@dataclass(slots=True)
class Given:
    """The facts of a scenario; consents and choices in the order in which they count."""

    subjects: list[subject_pb2.Subject] = field(default_factory=list)
    recipients: list[recipient_pb2.Recipient] = field(default_factory=list)
    contracts: list[contract_pb2.Contract] = field(default_factory=list)
    consents: list[consent_pb2.Consent] = field(default_factory=list)
    preferences: list[preference_pb2.Preference] = field(default_factory=list)
    instruments: list[instrument_pb2.Instrument] = field(default_factory=list)
    # By account, in the order of the file: how many consents, and which choices.
    answers: Counter[str] = field(default_factory=Counter)
    choices: defaultdict[str, list[tuple[str, str]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def dates(self) -> Iterator[datetime]:
        """Return from when each consent and each choice counts."""
        yield from (consent.indicate_time.ToDatetime(UTC) for consent in self.consents)
        yield from (choice.create_time.ToDatetime(UTC) for choice in self.preferences)

    def request(self, region: str, now: datetime) -> loader_service_pb2.LoadRequest:
        """Return what a region is to load of what counts at a moment."""
        return loader_service_pb2.LoadRequest(
            subjects=[s for s in self.subjects if home_of(s.account) == region],
            recipients=self.recipients,
            contracts=self.contracts,
            consents=[
                consent
                for consent in self.consents
                if _of(consent, region) and consent.indicate_time.ToDatetime(UTC) <= now
            ],
            preferences=[
                choice
                for choice in self.preferences
                if _of(choice, region) and choice.create_time.ToDatetime(UTC) <= now
            ],
            instruments=[i for i in self.instruments if home_of(i.account) == region],
        )


def read(part: Part, words: Words, now: datetime) -> Given:
    """Read all facts; what others refer to first."""
    sections = part.mapping(
        (), ("accounts", "recipients", "contracts", "consents", "preferences", "instruments")
    )
    given = Given()
    given.subjects += [_subject(each, words, now) for each in sections.list("accounts")]
    given.recipients += [_recipient(each, words) for each in sections.list("recipients")]
    given.contracts += [_contract(each, words) for each in sections.list("contracts")]
    given.instruments += [_instrument(each, words) for each in sections.list("instruments")]
    given.consents += [_consent(each, words, given) for each in sections.list("consents")]
    given.preferences += [_preference(each, words, given) for each in sections.list("preferences")]
    given.consents.sort(key=lambda consent: consent.indicate_time.ToDatetime())
    given.preferences.sort(key=lambda choice: choice.create_time.ToDatetime())
    return given


def scope(fields: Mapping, words: Words) -> consent_pb2.ConsentScope:
    """Read for what, of which data and with whom a consent counts."""
    rulebook = words.rulebook
    return consent_pb2.ConsentScope(
        service=key(fields["service"], rulebook.services) if "service" in fields else "",
        purposes=keys(fields.list("purposes"), rulebook.purposes),
        categories=words.categories(fields.list("categories")),
        recipient=words.recipient_scope(fields["recipient"]),
    )


def choice(fields: Mapping, words: Words) -> tuple[str, str]:
    """Read which choice is meant: its kind and its value."""
    found = [name for name in _CHOICES if name in fields]
    if len(found) != 1:
        raise fields.part.wrong(f"exactly one of {', '.join(_CHOICES)} is needed here")
    (kind,) = found
    part = fields[kind]
    match kind:
        case "opt_out":
            return kind, part.one_of(OPT_OUTS)
        case "object_to":
            return kind, key(part, words.rulebook.purposes)
        case "stop_sharing_with":
            return kind, words.recipient_scope(part)
        case _:
            return kind, key(part, words.rulebook.notices)


def _subject(part: Part, words: Words, now: datetime) -> subject_pb2.Subject:
    fields = part.mapping(("id", "jurisdiction"), ("born", "status", "since"))
    country = words.country(fields["jurisdiction"])
    status = fields["status"].one_of(_STATUSES) if "status" in fields else "active"
    since = fields["since"].moment() if "since" in fields else min(now, LATEST_SINCE)
    return subject_pb2.Subject(
        account=words.declare_account(fields["id"], words.region(country)),
        jurisdiction=country,
        birth_date=fields["born"].day().isoformat() if "born" in fields else "",
        status=subject_pb2.SubjectStatus.Value(f"SUBJECT_STATUS_{status.upper()}"),
        since_time=_stamp(since),
        version=1,
    )


def _recipient(part: Part, words: Words) -> recipient_pb2.Recipient:
    fields = part.mapping(("id", "kind", "jurisdiction"))
    return recipient_pb2.Recipient(
        name=words.declare("recipients", fields["id"]),
        display_name=fields.text("id"),
        kind=key(fields["kind"], words.rulebook.kinds),
        jurisdiction=words.country(fields["jurisdiction"]),
    )


def _contract(part: Part, words: Words) -> contract_pb2.Contract:
    fields = part.mapping(
        (
            *("id", "recipient", "purposes", "categories", "origins", "destinations"),
            *("effective", "expires"),
        ),
        (
            *("safeguards", "due_diligence", "subprocessors", "confidentiality"),
            *("delete_on_termination", "state"),
        ),
    )
    rulebook = words.rulebook
    state = fields["state"].one_of(_CONTRACT_STATES) if "state" in fields else "active"
    return contract_pb2.Contract(
        name=words.declare("contracts", fields["id"]),
        recipient=words.declared("recipients", fields["recipient"]),
        state=contract_pb2.ContractState.Value(f"CONTRACT_STATE_{state.upper()}"),
        terms=contract_pb2.ContractTerms(
            purposes=keys(fields.list("purposes"), rulebook.purposes),
            categories=words.categories(fields.list("categories")),
            origins=keys(fields.list("origins"), words.areas),
            destinations=keys(fields.list("destinations"), words.areas),
            safeguards=keys(fields.list("safeguards"), rulebook.safeguards),
            due_diligence=_due_diligence(fields["due_diligence"])
            if "due_diligence" in fields
            else None,
            effective_date=fields["effective"].day().isoformat(),
            expire_date=fields["expires"].day().isoformat(),
            subprocessors=fields.texts("subprocessors"),
            confidentiality=fields.flag("confidentiality"),
            delete_on_termination=fields.flag("delete_on_termination"),
            document=_PAPER,
        ),
    )


def _due_diligence(part: Part) -> contract_pb2.DueDiligence:
    fields = part.mapping(("outcome", "on", "expires"))
    outcome = fields["outcome"].one_of(("passed", "failed"))
    return contract_pb2.DueDiligence(
        outcome=contract_pb2.DueDiligenceOutcome.Value(f"DUE_DILIGENCE_OUTCOME_{outcome.upper()}"),
        on_date=fields["on"].day().isoformat(),
        expire_date=fields["expires"].day().isoformat(),
    )


def _consent(part: Part, words: Words, given: Given) -> consent_pb2.Consent:
    fields = part.mapping(
        ("account", "purposes", "categories", "recipient", "at"), ("service", "state", "expires")
    )
    state = fields["state"].one_of(_CONSENT_STATES) if "state" in fields else "given"
    account = words.account(fields["account"])
    given.answers[account] += 1
    return consent_pb2.Consent(
        name=numbered(account, "consents", given.answers[account]),
        scope=scope(fields, words),
        state=consent_pb2.ConsentState.Value(f"CONSENT_STATE_{state.upper()}"),
        indicate_time=_stamp(fields["at"].moment()),
        expire_time=_stamp(fields["expires"].end()) if "expires" in fields else None,
    )


def _preference(part: Part, words: Words, given: Given) -> preference_pb2.Preference:
    fields = part.mapping(("account", "at"), _CHOICES)
    account, (kind, value) = words.account(fields["account"]), choice(fields, words)
    given.choices[account].append((kind, value))
    message = preference_pb2.Preference(
        name=numbered(account, "preferences", len(given.choices[account])),
        create_time=_stamp(fields["at"].moment()),
    )
    if kind == "opt_out":
        message.opt_out = preference_pb2.OptOutChoice.Value(f"OPT_OUT_CHOICE_{value.upper()}")
    else:
        setattr(message, kind, value)
    return message


def _instrument(part: Part, words: Words) -> instrument_pb2.Instrument:
    fields = part.mapping(
        ("id", "kind", "account", "categories", "on", "expires"), ("issuer", "reference")
    )
    kind = f"INSTRUMENT_KIND_{fields.text('kind').upper()}"
    kinds = instrument_pb2.InstrumentKind
    return instrument_pb2.Instrument(
        name=words.declare("instruments", fields["id"]),
        # No rule tells kinds apart, and no list of them is closed.
        kind=kinds.Value(kind)
        if kind in kinds.keys()  # noqa: SIM118  an enum is no dict
        else kinds.INSTRUMENT_KIND_STATUTORY_REQUEST,
        issuer=fields.text("issuer"),
        authority="scenario",
        reference=fields.text("reference", "scenario"),
        account=words.account(fields["account"]),
        categories=words.categories(fields.list("categories")),
        on_date=fields["on"].day().isoformat(),
        expire_date=fields["expires"].day().isoformat(),
        document=_PAPER,
    )


def numbered(account: str, collection: str, number: int) -> str:
    """Return the name of the account's consent or choice with a number."""
    return f"{account}/{collection}/c{number:02}"


def _stamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def _of(message: consent_pb2.Consent | preference_pb2.Preference, region: str) -> bool:
    return message.name.startswith(f"accounts/{region}-")
