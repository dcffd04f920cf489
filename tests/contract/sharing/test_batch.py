"""CheckBatch over the wire: the same answers as Check, one record, one entry for the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from accord.audit.v1.append_service_pb2 import NewEntry
from accord.sharing.v1 import decision_pb2, freshness_pb2, subject_pb2
from accord.sharing.v1 import decision_service_pb2 as pb
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, select

from runtime.errors import from_error
from runtime.event_names import text_of
from runtime.ids import new_account
from services.sharing.store import decisions as stored
from services.sharing.store import tables
from tests.contract.sharing.conftest import Sharing, rows
from tests.contract.sharing.test_freshness import FRAUD, MARKETING, stand
from tests.contract.sharing.test_instruments import LAW, activated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


async def ask(sharing: Sharing, questions: Sequence[decision_pb2.Question], **more: Any) -> Any:
    request = pb.CheckBatchRequest(questions=questions, **more)
    return (await sharing.app("decisions", "CheckBatch", request)).responses


def bare(decision: decision_pb2.Decision) -> decision_pb2.Decision:
    copy = decision_pb2.Decision()
    copy.CopyFrom(decision)
    for field in ("name", "decide_time", "trace_id", "token"):  # what no two decisions share
        copy.ClearField(field)
    return copy


def entries(url: str) -> list[NewEntry]:
    engine = create_engine(url)
    with engine.connect() as connection:
        events = connection.execute(select(tables.outbox.c.event).order_by(tables.outbox.c.id))
        found = [NewEntry.FromString(event) for (event,) in events]
    engine.dispose()
    return found


async def refused(call: Any) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_error(caught.value, "sharing")


def varied(sharing: Sharing) -> list[decision_pb2.Question]:
    """A permit, a gap, a denial, somebody unknown, nobody, and no destination."""
    marketing = {"purpose": "direct_marketing", "categories": ["contact.email"]}
    return [
        sharing.question(),
        sharing.question(relation=""),
        sharing.question(**marketing),
        sharing.question(account=new_account("nl")),
        sharing.question(
            account="", purpose="statistics", categories=["usage.statistics"], relation=""
        ),
        sharing.question(destination="US"),
        sharing.question(purpose="sale", categories=["contact.email", "account.id"]),
    ]


async def test_invariant_9_each_answer_of_a_batch_is_that_of_the_question_alone(
    sharing: Sharing,
) -> None:
    await sharing.know_person()
    await sharing.in_force(await sharing.register())
    questions = varied(sharing)
    responses = await ask(sharing, questions)
    alone = [
        (await sharing.app("decisions", "Check", pb.CheckRequest(question=question))).decision
        for question in questions
    ]
    assert [bare(response.decision) for response in responses] == [bare(each) for each in alone]
    assert len({decision_pb2.Outcome.Name(each.outcome) for each in alone}) == 3
    assert len({response.decision.token for response in responses}) == 1
    assert len({response.decision.name for response in responses}) == len(questions)


@dataclass(frozen=True)
class World:
    """A person with a consent and an order about them, somebody frozen, and contracts."""

    sharing: Sharing
    frozen: str
    order: str


@pytest.fixture
async def world(sharing: Sharing) -> World:
    frozen = sharing.person
    await sharing.know_person(status=subject_pb2.SUBJECT_STATUS_FROZEN)
    sharing.person = new_account("nl")
    await stand(sharing)
    await sharing.in_force(await sharing.register())
    await sharing.register("police", "law_enforcement", "NL")
    return World(sharing, frozen, (await activated(sharing)).name)


GUEST = decision_pb2.Guest(jurisdiction="DE", session="Session_1")
UNKNOWN = new_account("nl")
HOLDERS = st.sampled_from(["known", "known", "frozen", "unknown", "guest"])
ASKED = st.sampled_from([{}, MARKETING, FRAUD, LAW, {"purpose": "sale"}, {"relation": ""}])
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "destination": st.sampled_from(["NL", "US"]),
        "categories": st.sampled_from([["contact.email"], ["order.details", "contact.name"]]),
    },
)
USAGE: dict[str, Any] = {
    "purpose": "statistics",
    "categories": ["usage.statistics"],
    "relation": "",
    "account": "",
}


def about(world: World, holder: str, asked: dict[str, Any]) -> decision_pb2.Question:
    named: dict[str, dict[str, Any]] = {
        "known": {},
        "frozen": {"account": world.frozen},
        "unknown": {"account": UNKNOWN},
        "guest": {"account": "", "guest": GUEST},
        "nobody": USAGE,
    }
    by_law = {"instrument": world.order} if asked.get("purpose") == "legal_disclosure" else {}
    return world.sharing.question(**asked | by_law | named[holder])


@given(
    mixed=st.lists(
        st.tuples(HOLDERS, ASKED, CHANGES).map(lambda drawn: (drawn[0], drawn[1] | drawn[2]))
        | st.just(("nobody", {})),
        min_size=8,
        max_size=24,
    )
)
@settings(
    max_examples=4,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_invariant_9_holds_for_whatever_is_asked_together(
    world: World, mixed: list[tuple[str, dict[str, Any]]]
) -> None:
    always = [
        ("known", {}),
        ("known", MARKETING),
        ("known", LAW),
        ("frozen", FRAUD),
        ("nobody", {}),
    ]
    questions = [about(world, *each) for each in [*always, *mixed]]
    together = [response.decision for response in await ask(world.sharing, questions)]
    alone = [
        (await world.sharing.app("decisions", "Check", pb.CheckRequest(question=question))).decision
        for question in questions
    ]
    assert [bare(decision) for decision in together] == [bare(decision) for decision in alone]
    assert len({decision.outcome for decision in together}) == 3


async def test_a_batch_is_one_record_and_each_decision_is_found(sharing: Sharing) -> None:
    await sharing.know_person()
    await sharing.in_force(await sharing.register())
    before = rows(sharing.url, "decisions")
    responses = await ask(sharing, varied(sharing))
    assert rows(sharing.url, "decisions") == before + 1
    for response in responses:
        request = pb.GetDecisionRequest(name=response.decision.name)
        found = await sharing.app("decisions", "GetDecision", request)
        assert found.decision == response.decision
    record = responses[0].decision.name.removesuffix("-0")
    for name in (record, f"{record}-7", f"{record}-00"):
        fault = await refused(
            sharing.app("decisions", "GetDecision", pb.GetDecisionRequest(name=name))
        )
        assert fault.reason == "NOT_FOUND"


async def test_a_person_finds_their_own_decisions_among_those_of_batches(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "_number", lambda _holder: 7)  # two people with one number
    monkeypatch.setattr(stored, "_SEGMENT_BITS", 1)
    monkeypatch.setattr(stored, "_SEGMENTS", 2)
    await sharing.know_person()
    await sharing.in_force(await sharing.register())
    mine = [sharing.question(relation=f"order-{n}") for n in range(3)]
    other = sharing.question(account=new_account("nl"))
    asked = [mine[0], other, mine[1]]
    names = [response.decision.name for response in await ask(sharing, asked)]
    names.append((await sharing.check(relation="order-2")).name)
    names += [response.decision.name for response in await ask(sharing, [other] * 9)]
    listed = await sharing.by_person("decisions", "ListDecisions", pb.ListDecisionsRequest())
    assert [decision.name for decision in listed.decisions] == [names[3], names[2], names[0]]
    assert not listed.next_page_token
    for name in (names[3], names[2], names[0]):
        request = pb.ListDecisionsRequest(page_size=1, page_token=listed.next_page_token)
        listed = await sharing.by_person("decisions", "ListDecisions", request)
        assert [decision.name for decision in listed.decisions] == [name]
    assert not listed.next_page_token


async def test_the_log_is_told_of_each_person_in_their_own_section(sharing: Sharing) -> None:
    await sharing.know_person()
    await sharing.in_force(await sharing.register())
    before = len(entries(sharing.url))
    questions = varied(sharing)
    responses = await ask(sharing, questions)
    (batch,) = entries(sharing.url)[before:]
    assert (text_of(batch.event), batch.outcome) == ("sharing:decision:batch", "recorded")
    assert not batch.account
    assert [section.account for section in batch.sections] == [sharing.person, questions[3].account]
    fields = [{field.name: field.value for field in each.fields} for each in batch.sections]
    lines = [each["decision"].split("\n") for each in fields]
    told = [[line.partition(": ")[0] for line in said] for said in lines]
    names = [response.decision.name for response in responses]
    assert told == [[names[n] for n in (0, 1, 2, 5, 6)], [names[3]]]
    # Beside the lines, a line each too: to those who may read what was answered it names nobody.
    assert [questions[n].relation for n in (0, 1, 2, 5, 6)] == fields[0]["relation"].split("\n")
    assert questions[3].relation == fields[1]["relation"]
    assert questions[0].relation not in fields[0]["decision"]
    answer, contract, clause, asked = lines[0][0].removeprefix(f"{names[0]}: ").split("; ")
    assert answer == "PERMIT"
    assert contract == responses[0].decision.contract
    assert clause == responses[0].decision.grounds[0].citation
    assert asked.startswith("mi_store delivery recipients/dhl DE contact.name,")
    assert list(batch.recipients) == ["recipients/dhl"]
    assert [name.count("/") for name in batch.contracts] == [1]  # the contract, of no one version
    assert batch.decision.rulebook_digest == responses[0].decision.rulebook_digest
    assert batch.app == "app/mi-store"
    about_nobody = {field.name: field.value for field in batch.fields}
    assert about_nobody["decision"].startswith(f"{names[4]}: GAP; ")
    assert "relation" not in about_nobody


async def test_what_an_order_asked_for_stands_apart_from_what_else_is_about_the_person(
    world: World,
) -> None:
    sharing = world.sharing
    before = len(entries(sharing.url))
    asked = [about(world, "known", each) for each in (LAW, {}, LAW, FRAUD)]
    await ask(sharing, asked)
    (batch,) = entries(sharing.url)[before:]
    fields = [{field.name: field.value for field in each.fields} for each in batch.sections]
    assert [each.get("instrument") for each in fields] == [world.order, None]
    assert [each["decision"].count("\n") for each in fields] == [1, 1]
    assert not any(world.order in each["decision"] for each in fields)
    assert {each.account for each in batch.sections} == {sharing.person}


async def test_a_large_batch_is_told_in_as_many_entries_as_the_log_needs(
    sharing: Sharing,
) -> None:
    await sharing.register()
    before = len(entries(sharing.url))
    questions = [sharing.question(account=new_account("nl")) for _ in range(1000)]
    responses = await ask(sharing, questions)
    told = entries(sharing.url)[before:]
    assert len(told) > 1
    assert [section.account for each in told for section in each.sections] == [
        question.account for question in questions
    ]
    assert len({each.resource for each in told}) == 1
    assert len(responses) == 1000


async def test_a_large_batch_about_nobody_is_told_together_as_well(sharing: Sharing) -> None:
    await sharing.register()
    before = len(entries(sharing.url))
    usage = {"account": "", "purpose": "statistics", "categories": ["usage.statistics"]}
    question = sharing.question(**usage, relation="")
    responses = await ask(sharing, [question] * 1000)
    told = entries(sharing.url)[before:]
    assert 1 < len(told) < 10
    fields = [{field.name: field.value for field in each.fields} for each in told]
    lines = [line for each in fields for line in each["decision"].split("\n")]
    names = [response.decision.name for response in responses]
    assert [line.partition(": ")[0] for line in lines] == names


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"purpose": "x"}, "INVALID_FIELD", "questions[1].purpose"),
        ({"recipient": "dhl"}, "INVALID_FIELD", "questions[1].recipient"),
        ({"account": "accounts/nl-1"}, "INVALID_FIELD", "questions[1].account"),
        ({"account": ""}, "INVALID_FIELD", "questions[1].account"),
        ({"recipient": "recipients/nobody"}, "NOT_FOUND", "questions[1].recipient"),
        ({"account": new_account("in")}, "WRONG_REGION", ""),
        ({"service": "live_chat"}, "APP_NOT_BOUND", ""),
    ],
)
async def test_the_first_question_that_is_refused_is_named_and_nothing_is_kept(
    sharing: Sharing, change: dict[str, Any], reason: str, field: str
) -> None:
    await sharing.register()
    before = len(entries(sharing.url))
    questions = [sharing.question(), sharing.question(**change)]
    if reason != "NOT_FOUND":  # which only the records tell: after all that is malformed
        questions.append(sharing.question(purpose="x"))
    fault = await refused(ask(sharing, questions))
    assert fault.reason == reason
    assert fault.violations[0][0] == (field or "questions[1]")
    assert fault.message.startswith(f"{field}: " if reason == "INVALID_FIELD" else "questions[1]: ")
    assert rows(sharing.url, "decisions") == 0
    assert len(entries(sharing.url)) == before


async def test_a_batch_is_bounded(sharing: Sharing) -> None:
    question = sharing.question(categories=["contact.name"])
    for questions in ([], [question] * 1001):
        fault = await refused(ask(sharing, questions))
        assert fault.violations[0][0] == "questions"


async def test_freshness_is_of_the_whole_batch(sharing: Sharing) -> None:
    await sharing.know_person()
    await sharing.in_force(await sharing.register())
    decision = await sharing.check()
    freshness = freshness_pb2.Freshness(at_least_as_fresh=decision.token)
    (response,) = await ask(sharing, [sharing.question()], freshness=freshness)
    assert response.decision.token >= decision.token
    foreign = freshness_pb2.Freshness(at_least_as_fresh="in" + decision.token[2:])
    fault = await refused(ask(sharing, [sharing.question()], freshness=foreign))
    assert (fault.reason, fault.metadata["problem"]) == ("FRESHNESS_TOKEN_INVALID", "other_region")


async def test_a_listing_reads_each_record_once_however_much_of_it_is_listed(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sharing.know_person()
    await sharing.in_force(await sharing.register())
    await ask(sharing, [sharing.question(relation=f"order-{n}") for n in range(20)])
    await ask(sharing, [sharing.question(relation=f"order-{n}") for n in range(20, 40)])
    read: list[bytes] = []
    parted = stored._parted

    def counted(bodies: bytes) -> Iterator[bytes]:
        read.append(bodies)
        return parted(bodies)

    monkeypatch.setattr(stored, "_parted", counted)
    request = pb.ListDecisionsRequest(page_size=30)
    listed = await sharing.by_person("decisions", "ListDecisions", request)
    told = [decision.question.relation for decision in listed.decisions]
    assert told == [f"order-{n}" for n in range(39, 9, -1)]
    assert len(read) == 2
