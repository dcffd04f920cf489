"""Which ends are told to whom received data: each by its own cause, and once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from accord.sharing.v1 import (
    consent_pb2,
    consent_service_pb2,
    decision_pb2,
    preference_service_pb2,
    subject_pb2,
)
from sqlalchemy import create_engine, update

from services.sharing.store.notices import StoredNotices
from services.sharing.store.tables import disclosures
from tests.contract.sharing.conftest import Sharing, request_id
from tests.contract.sharing.test_disclosures import recorded
from tests.contract.sharing.test_instruments import activated
from tests.contract.sharing.test_permits import MARKETING, advertising, delivering
from tests.contract.sharing.test_persons import give, step
from tests.contract.sharing.test_records import actions
from tests.contract.sharing.test_revocations import caused, notices, withdraw

if TYPE_CHECKING:
    from services.sharing.domain.revocation import Notice

ADS, DHL = MARKETING["recipient"], "recipients/dhl"
DAY = timedelta(days=1)


async def sent(sharing: Sharing, **question: Any) -> str:
    """Have a permit used; return the decision."""
    permit = await sharing.check(**question or MARKETING)
    assert permit.outcome == decision_pb2.OUTCOME_PERMIT, permit
    await recorded(sharing, permit.name, *permit.question.categories)
    name: str = permit.name
    return name


async def refuse(sharing: Sharing, **scope: Any) -> Any:
    wanted: Any = {
        "purposes": ["direct_marketing"],
        "categories": ["contact"],
        "recipient": "service_provider.advertising",
    }
    request = consent_service_pb2.RefuseConsentRequest(
        request_id=request_id(),
        scope=consent_pb2.ConsentScope(**wanted | scope),
        notice="mi-store@2025-05-20",
        language="en",
    )
    return (await sharing.by_person("consents", "RefuseConsent", request)).consent


async def told(sharing: Sharing, count: int) -> list[tuple[str, str]]:
    """Whom notices tell why, once there are so many."""
    async with asyncio.timeout(20):
        while len(found := await notices(sharing)) < count:
            pass
    return caused(found)


async def test_a_refusal_is_told_to_whom_a_consent_let_have_it(sharing: Sharing) -> None:
    await advertising(sharing)
    decision = await sent(sharing)
    await refuse(sharing, purposes=["survey"])
    await refuse(sharing, categories=["contact.phone"])
    await refuse(sharing, recipient="recipients/ads", service="mi_com")
    assert not await notices(sharing)
    await refuse(sharing)
    await refuse(sharing)
    (notice,) = await notices(sharing)
    assert caused([notice]) == [(ADS, "CONSENT_REFUSED")]
    assert list(notice.decisions) == [decision]
    assert [each for each in actions(sharing.url) if "revocation" in each] == [
        "sharing:revocation:create"
    ]


async def test_a_question_that_is_answered_with_no_is_told_too(sharing: Sharing) -> None:
    await advertising(sharing)
    await sent(sharing)
    asked = consent_service_pb2.RequestConsentRequest(
        request_id=request_id(),
        account=sharing.person,
        scope=consent_pb2.ConsentScope(
            service="mi_store",
            purposes=["direct_marketing"],
            categories=["contact.email"],
            recipient="recipients/ads",
        ),
    )
    question = (await sharing.app("consents", "RequestConsent", asked)).consent
    refusal = consent_service_pb2.RefuseConsentRequest(
        request_id=request_id(), name=question.name, notice="mi-store@2025-05-20", language="en"
    )
    await sharing.by_person("consents", "RefuseConsent", refusal)
    assert caused(await notices(sharing)) == [(ADS, "CONSENT_REFUSED")]


async def test_what_is_recorded_after_a_refusal_is_called_back_too(sharing: Sharing) -> None:
    await advertising(sharing)
    permit = await sharing.check(**MARKETING)
    await refuse(sharing)
    await recorded(sharing, permit.name, "contact.email")
    assert caused(await notices(sharing)) == [(ADS, "CONSENT_REFUSED")]


async def test_the_withdrawal_of_a_later_consent_ends_what_rests_on_an_earlier(
    sharing: Sharing,
) -> None:
    await advertising(sharing)
    decision = await sent(sharing)
    later = (await give(sharing)).name
    await withdraw(sharing, later)
    (notice,) = await notices(sharing)
    assert caused([notice]) == [(ADS, "CONSENT_WITHDRAWN")]
    assert list(notice.decisions) == [decision]


async def test_what_an_officer_ends_says_so(sharing: Sharing) -> None:
    for number, (verb, cause) in enumerate(
        (("Revoke", "CONSENT_REVOKED"), ("Invalidate", "CONSENT_INVALIDATED")), 1
    ):
        consent = await (advertising(sharing) if number == 1 else _given(sharing))
        await sent(sharing)
        request = getattr(consent_service_pb2, f"{verb}ConsentRequest")(
            request_id=request_id(), name=consent, note="found by the officer"
        )
        await sharing.by_officer("consents", f"{verb}Consent", request)
        assert caused(await notices(sharing))[number - 1 :] == [(ADS, cause)]


async def _given(sharing: Sharing) -> str:
    name: str = (await give(sharing)).name
    return name


async def test_an_expiry_is_told_once_and_a_renewal_puts_it_off(sharing: Sharing) -> None:
    clock = sharing.bench.clock
    consent = await advertising(sharing, clock.now() + DAY)
    first = await sent(sharing)
    await give(sharing, scope=None, name=consent, expire_time=clock.now() + 3 * DAY)
    clock.advance(2 * DAY)
    permit = await sharing.check(**MARKETING)
    assert permit.outcome == decision_pb2.OUTCOME_PERMIT
    assert not await notices(sharing)
    clock.advance(2 * DAY)
    assert await told(sharing, 1) == [(ADS, "CONSENT_EXPIRED")]
    assert [list(each.decisions) for each in await notices(sharing)] == [[first]]

    # Sent in time, and recorded only now: a notice of its own; the first is not told again.
    await recorded(sharing, permit.name, "contact.email")
    assert await told(sharing, 2) == [(ADS, "CONSENT_EXPIRED")] * 2
    assert list((await notices(sharing))[0].decisions) == [permit.name]
    # What is over is neither withdrawn nor refused once more.
    await step(sharing, consent, "Withdraw")
    await refuse(sharing)
    assert len(await notices(sharing)) == 2

    await give(sharing, scope=None, name=consent, expire_time=clock.now() + DAY)
    clock.advance(2 * DAY)
    (*_, again) = await told(sharing, 3)
    assert again == (ADS, "CONSENT_EXPIRED")
    assert set((await notices(sharing))[0].decisions) == {first, permit.name}


async def test_when_a_later_consent_runs_out_what_rests_on_an_earlier_is_told_too(
    sharing: Sharing,
) -> None:
    """The later one decides, also when it has run out: nothing that it covered is shared any more.

    Renewed, it lets what rests on both be used again; whichever ends then is told anew, once.
    """
    clock = sharing.bench.clock
    older = await advertising(sharing)
    first = await sent(sharing)
    await give(sharing, expire_time=clock.now() + 3 * DAY)  # a wider one, seen to as one of them
    later = (await give(sharing, expire_time=clock.now() + DAY)).name
    second = await sent(sharing)
    permit = await sharing.check(**MARKETING)
    clock.advance(DAY)
    assert (await sharing.check(**MARKETING)).outcome == decision_pb2.OUTCOME_GAP
    assert await told(sharing, 1) == [(ADS, "CONSENT_EXPIRED")]
    assert set((await notices(sharing))[0].decisions) == {first, second}
    await recorded(sharing, permit.name, "contact.email")
    assert await told(sharing, 2) == [(ADS, "CONSENT_EXPIRED")] * 2
    assert list((await notices(sharing))[0].decisions) == [permit.name]
    clock.advance(3 * DAY)  # the other one runs out, and ends nothing that had not ended

    await give(sharing, scope=None, name=later, expire_time=clock.now() + DAY)
    clock.advance(DAY)
    assert await told(sharing, 3) == [(ADS, "CONSENT_EXPIRED")] * 3
    assert set((await notices(sharing))[0].decisions) == {first, second, permit.name}
    await step(sharing, older, "Withdraw")
    (*_, again) = await told(sharing, 4)
    assert again == (ADS, "CONSENT_WITHDRAWN")
    assert list((await notices(sharing))[0].decisions) == [first]


async def test_what_was_ended_before_it_ran_out_is_not_told_again(sharing: Sharing) -> None:
    clock = sharing.bench.clock
    consent = await advertising(sharing, clock.now() + DAY)
    first = await sent(sharing)
    await withdraw(sharing, consent)
    clock.advance(2 * DAY)
    await give(sharing, expire_time=clock.now() + DAY)
    second = await sent(sharing)
    clock.advance(2 * DAY)
    assert await told(sharing, 2) == [(ADS, "CONSENT_WITHDRAWN"), (ADS, "CONSENT_EXPIRED")]
    assert [list(each.decisions) for each in await notices(sharing)] == [[second], [first]]


async def test_whoever_dies_while_telling_of_an_expiry_is_followed_by_one_who_tells_once(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, died = StoredNotices.add, asyncio.Event()

    def dying(self: StoredNotices, notice: Notice) -> None:
        add(self, notice)
        if not died.is_set():
            died.set()
            raise OSError

    clock = sharing.bench.clock
    await advertising(sharing, clock.now() + DAY)
    await sent(sharing)
    monkeypatch.setattr(StoredNotices, "add", dying)
    clock.advance(30 * DAY)  # and late
    assert await told(sharing, 1) == [(ADS, "CONSENT_EXPIRED")]
    assert died.is_set()


async def test_a_row_that_is_broken_keeps_no_other_from_being_told(sharing: Sharing) -> None:
    await advertising(sharing, sharing.bench.clock.now() + DAY)
    broken, whole = await sent(sharing), await sent(sharing)
    engine = create_engine(sharing.url)
    with engine.begin() as connection:
        row = update(disclosures).where(disclosures.c.decision == broken)
        assert connection.execute(row.values(instrument="instruments/none")).rowcount == 1
    engine.dispose()
    sharing.bench.clock.advance(2 * DAY)
    assert await told(sharing, 1) == [(ADS, "CONSENT_EXPIRED")]
    assert [list(each.decisions) for each in await notices(sharing)] == [[whole]]


async def restrict(sharing: Sharing) -> None:
    request = preference_service_pb2.RestrictRequest(request_id=request_id())
    await sharing.by_person("preferences", "Restrict", request)


async def by_account(sharing: Sharing) -> None:
    await sharing.know_person(version=5, status=subject_pb2.SUBJECT_STATUS_FROZEN)
    for version in (6, 7):  # once
        await sharing.know_person(version=version, status=subject_pb2.SUBJECT_STATUS_RESTRICTED)
    await sharing.know_person(version=8, status=subject_pb2.SUBJECT_STATUS_FROZEN)
    await sharing.know_person(version=9, status=subject_pb2.SUBJECT_STATUS_RESTRICTED)
    await restrict(sharing)  # what account says already


@pytest.mark.parametrize("restricted", [restrict, by_account])
async def test_a_restriction_is_told_where_no_consent_was_given(
    sharing: Sharing, restricted: Any
) -> None:
    await advertising(sharing)
    await delivering(sharing)
    await sent(sharing)
    decision = await sent(sharing, recipient=DHL)
    permit = await sharing.check(recipient=DHL)
    await restricted(sharing)
    (notice,) = await notices(sharing)
    assert caused([notice]) == [(DHL, "PROCESSING_RESTRICTED")]
    assert list(notice.decisions) == [decision]
    await recorded(sharing, permit.name)
    assert caused(await notices(sharing)) == [(DHL, "PROCESSING_RESTRICTED")] * 2


async def test_an_order_that_is_named_beside_another_purpose_hides_nothing(
    sharing: Sharing,
) -> None:
    consent = await advertising(sharing)
    last = sharing.bench.clock.now().date() + 7 * DAY
    secret = (await activated(sharing, secret_until_date=str(last))).name
    decision = await sharing.check(**MARKETING, instrument=secret)
    assert decision.outcome == decision_pb2.OUTCOME_PERMIT
    assert not decision.question.instrument
    await recorded(sharing, decision.name, "contact.email")
    await withdraw(sharing, consent)
    assert caused(await notices(sharing)) == [(ADS, "CONSENT_WITHDRAWN")]
