"""What was sent is called back, and attested, whatever the rules have retired since."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from services.sharing.domain.calling_back import Ends, first, of_choice
from services.sharing.domain.disclosure import Disclosure
from services.sharing.domain.receipt import Evidence, receipt
from services.sharing.domain.records import ConsentRevision, ConsentState, PreferenceKind
from services.sharing.domain.revocation import Cause, Received
from tests.unit.sharing.facts import ACCOUNT, NOW, consent, preference, rulebook

GIVEN = consent(purposes=("faxing",), categories=("contact",), to="service_provider", expires=None)
FAXED = Received(
    "service_provider.fax",
    Disclosure(
        name="disclosures/1",
        decision="decisions/1",
        holder=ACCOUNT,
        recipient="recipients/r",
        service="mi_store",
        purpose="faxing",
        categories=("contact.fax",),
        consents={GIVEN.name: ("contact.fax",)},
        instrument="",
        records=1,
        time=NOW,
        recorded=NOW,
        late=False,
        sender="app",
    ),
)


def test_the_rules_know_none_of_these_words() -> None:
    rules = rulebook()
    assert "contact.fax" not in rules.category_keys
    assert FAXED.kind not in rules.kind_keys
    assert FAXED.sent.purpose not in rules.purposes


def test_a_consent_to_what_was_retired_still_ends() -> None:
    withdrawn = replace(GIVEN, state=ConsentState.WITHDRAWN)
    assert Ends([withdrawn], rulebook(), NOW).of(FAXED) == {"contact.fax": Cause.CONSENT_WITHDRAWN}
    refused = consent(
        ConsentState.REFUSED,
        purposes=("faxing",),
        categories=("contact",),
        to="service_provider",
        at=NOW,
    )
    assert Ends([GIVEN, refused], rulebook(), NOW).of(FAXED) == {
        "contact.fax": Cause.CONSENT_REFUSED
    }
    assert Ends([GIVEN], rulebook(), NOW).of(FAXED) == {}


def test_a_receipt_names_what_was_retired_as_our_own_words() -> None:
    old = replace(GIVEN, scope=replace(GIVEN.scope, service="fax", recipient=FAXED.kind))
    evidence = Evidence([ConsentRevision(1, old, NOW)], ACCOUNT, "DE", None)
    record: Any = receipt(rulebook(), evidence, "1", NOW)["dpv:hasRecordOfActivity"]
    process = record["dpv:hasProcess"]
    assert process["dpv:hasPurpose"] == ["accord:purposes.faxing"]
    assert process["dpv:hasRecipient"] == ["accord:kinds.service_provider.fax"]
    assert process["dpv:hasService"] == "accord:services.fax"


def test_choices_concern_what_was_retired() -> None:
    stopped = preference(PreferenceKind.STOP_SHARING_WITH, "service_provider")
    opted_out = preference(PreferenceKind.OPT_OUT, "direct_marketing")
    assert first([of_choice(stopped, rulebook())], FAXED) is Cause.SHARING_STOPPED
    assert first([of_choice(opted_out, rulebook())], FAXED) is None
