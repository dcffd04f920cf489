"""What-if over the wire: which recorded flows would be answered otherwise, and nothing changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import grpc
import pytest
from accord.sharing.v1 import analysis_service_pb2 as pb
from accord.sharing.v1 import (
    consent_service_pb2,
    decision_service_pb2,
    reason_pb2,
    simulation_pb2,
)
from accord.sharing.v1.analysis_service_pb2_grpc import AnalysisServiceStub
from accord.sharing.v1.decision_pb2 import (
    OUTCOME_DENY,
    OUTCOME_GAP,
    OUTCOME_PERMIT,
    OUTCOME_UNSPECIFIED,
)

from runtime.errors import from_error
from sandbox.rulebook.sample import differing, read_database, read_lines, write_lines
from services.sharing.api import simulation
from services.sharing.domain.engine import decide
from services.sharing.domain.vocabulary import Outcome
from services.sharing.store.rulebook import FOLDER, load_rulebook, read_files
from tests.contract.sharing.conftest import Sharing, rows, terms_of
from tests.contract.sharing.test_explain import refusal
from tests.contract.sharing.test_freshness import FRAUD, MARKETING, stand
from tests.contract.sharing.test_reach import permitted

CHAT = "notices/live-chat.yaml"
STORE = "notices/mi-store@2025-05-20.yaml"


def amended(was: str, becomes: str) -> simulation_pb2.RulebookDraft:
    """One file alone, to stand in the place of that in force."""
    whole = draft(was, becomes)
    files = [each for each in whole.files if each.path == STORE]
    return simulation_pb2.RulebookDraft(files=files, amends=True)


def draft(was: str = "", becomes: str = "", file: str = STORE) -> simulation_pb2.RulebookDraft:
    """The rules in force, with one text in the place of another."""
    files = dict(read_files(FOLDER))
    assert was.encode() in files[file]
    files[file] = files[file].replace(was.encode(), becomes.encode(), 1)
    return simulation_pb2.RulebookDraft(
        files=[simulation_pb2.RulebookFile(path=path, content=files[path]) for path in files]
    )


async def simulated(
    sharing: Sharing, change: dict[str, Any], **more: Any
) -> tuple[list[Any], list[Any]]:
    request = pb.SimulateRequest(change=simulation_pb2.Change(**change), **more)
    parts = await streamed(sharing, request, "staff/officer/ana")
    assert parts[-1].progress.done
    flows = [part.flow for part in parts if part.WhichOneof("part") == "flow"]
    assert parts[-1].progress.changed == len(flows)
    return flows, [part.progress for part in parts if part.WhichOneof("part") == "progress"]


async def asked(sharing: Sharing) -> None:
    await stand(sharing)
    await permitted(sharing, **MARKETING)
    await permitted(sharing, **FRAUD)


async def streamed(sharing: Sharing, request: pb.SimulateRequest, identity: str) -> list[Any]:
    async with sharing.bench.client(sharing.server, "sharing", identity) as channel:
        return [part async for part in AnalysisServiceStub(channel).Simulate(request, timeout=20)]


async def refused(
    sharing: Sharing, request: pb.SimulateRequest, identity: str = "staff/officer/ana"
) -> str:
    return await refusal(streamed(sharing, request, identity))


async def test_the_same_rules_change_nothing(sharing: Sharing) -> None:
    await asked(sharing)
    flows, told = await simulated(sharing, {"rulebook": draft()})
    assert flows == []
    assert (told[-1].replayed, told[-1].sampled) == (2, 2)
    assert len(told[-1].draft_digest) == 64


async def test_a_draft_of_the_rules_is_tried_and_never_put_in_force(sharing: Sharing) -> None:
    await asked(sharing)
    narrower = draft("[account.id, account.reliability]\n    basis", "[account.id]\n    basis")
    flows, told = await simulated(sharing, {"rulebook": narrower})
    (flow,) = flows
    assert (flow.service, flow.recipient, flow.purpose) == (
        "mi_store",
        "recipients/guard",
        "fraud_prevention",
    )
    assert flow.decision.startswith("decisions/nl-")
    assert flow.before.outcome == OUTCOME_PERMIT
    assert list(flow.before.citations) == ["mi-store@2025-05-20 §4.1.4"]
    assert flow.after.outcome == OUTCOME_DENY
    assert not flow.after.citations
    assert [each.reason for each in flow.after.reasons] == [reason_pb2.REASON_NOT_IN_NOTICE]
    assert sharing.person not in str(flow)
    await permitted(sharing, **FRAUD)  # the rules in force are what they were

    change = amended("[account.id, account.reliability]\n    basis", "[account.id]\n    basis")
    both, again = await simulated(sharing, {"rulebook": change})
    assert both[1] == flow  # the older of the two
    assert again[-1].draft_digest == told[-1].draft_digest

    gone = draft()
    for file in gone.files:
        file.content = file.content.replace(b"fraud_partner", b"former_fraud_partner")
    flows, _ = await simulated(sharing, {"rulebook": gone})
    assert {flow.after.outcome for flow in flows} == {OUTCOME_UNSPECIFIED}


async def test_a_contract_that_ends_and_terms_that_are_drafted(sharing: Sharing) -> None:
    await asked(sharing)
    before = await permitted(sharing, **MARKETING)
    name = before.contract.partition("/versions/")[0]
    flows, _ = await simulated(sharing, {"contract_ended": name})
    assert {flow.recipient for flow in flows} == {"recipients/ads"}
    assert {flow.after.outcome for flow in flows} == {OUTCOME_GAP}

    narrower = simulation_pb2.ContractDraft(
        recipient="recipients/ads",
        terms=terms_of(purposes=["newsletter"], document=None),
        replaces=name,
    )
    flows, _ = await simulated(sharing, {"contract": narrower})
    assert {each.reason for flow in flows for each in flow.after.reasons} == {
        reason_pb2.REASON_CONTRACT_SCOPE_PURPOSE
    }
    narrower.replaces = ""  # besides the one that covers it
    assert (await simulated(sharing, {"contract": narrower}))[0] == []


async def test_consents_withdrawn_and_a_recipient_that_moves(sharing: Sharing) -> None:
    await asked(sharing)
    withdrawn = simulation_pb2.ConsentsWithdrawn(purpose="direct_marketing")
    flows, _ = await simulated(sharing, {"consents_withdrawn": withdrawn})
    assert [flow.purpose for flow in flows] == ["direct_marketing"]
    listed = await sharing.by_person(
        "consents", "ListConsents", consent_service_pb2.ListConsentsRequest()
    )
    assert not listed.consents[0].HasField("withdraw_time")

    moved = simulation_pb2.RecipientMoved(recipient="recipients/ads", jurisdiction="US")
    flows, _ = await simulated(sharing, {"recipient_moved": moved})
    assert [flow.recipient for flow in flows] == ["recipients/ads"]
    assert {each.reason for each in flows[0].after.reasons} == {
        reason_pb2.REASON_CONTRACT_SCOPE_DESTINATION,
        reason_pb2.REASON_TRANSFER_SAFEGUARD_MISSING,
    }


async def test_the_sample_is_bounded_and_the_same_for_a_seed(sharing: Sharing) -> None:
    await asked(sharing)
    sharing.bench.clock.advance(timedelta(hours=2))
    since = sharing.bench.clock.now()
    for _ in range(3):
        await permitted(sharing, **FRAUD)
    change = {
        "recipient_moved": simulation_pb2.RecipientMoved(
            recipient="recipients/guard", jurisdiction="US"
        )
    }
    newest, told = await simulated(sharing, change, sample_size=2)
    assert told[-1].replayed == 2
    assert len(newest) == 2
    drawn = [await simulated(sharing, change, sample_size=2, seed=7) for _ in range(2)]
    assert drawn[0][0] == drawn[1][0]
    request = pb.SimulateRequest(seed=1)
    request.since_time.FromDatetime(since)
    flows, told = await simulated(sharing, change, seed=1, since_time=request.since_time)
    assert (len(flows), told[-1].replayed) == (3, 3)


async def test_each_decision_of_a_batch_is_sampled_once(sharing: Sharing) -> None:
    await asked(sharing)
    question = sharing.question(**FRAUD)
    batch = decision_service_pb2.CheckBatchRequest(questions=[question] * 35)
    answers = [await sharing.app("decisions", "CheckBatch", batch) for _ in range(3)]
    names = [[each.decision.name for each in answer.responses] for answer in answers]
    moved = simulation_pb2.RecipientMoved(recipient="recipients/guard", jurisdiction="US")
    change = {"recipient_moved": moved}
    newest, told = await simulated(sharing, change, sample_size=60)
    assert [each.decision for each in newest] == [*reversed(names[2]), *names[1][:9:-1]]
    assert [each.replayed for each in told] == [50, 60, 60]
    drawn, _ = await simulated(sharing, change, sample_size=60, seed=3)
    some = {each.decision for each in drawn}
    assert len(some) == len(drawn) > 55
    assert all(some.intersection(each) for each in names)
    assert len(await read_database(sharing.url, 107)) == 107


async def test_officers_alone_ask_and_what_is_wrong_is_refused(sharing: Sharing) -> None:
    await asked(sharing)
    ended = simulation_pb2.Change(contract_ended="contracts/nobody")
    request = pb.SimulateRequest(change=ended)
    before = rows(sharing.url, "outbox")
    assert await refused(sharing, request) == "NOT_FOUND"
    assert rows(sharing.url, "outbox") == before
    for identity in ("staff/auditor/eva", "app/mi-store"):
        assert await refused(sharing, request, identity) == "CALLER_NOT_ALLOWED"
    broken = draft("basis: consent", "basis: whim")
    bomb = simulation_pb2.RulebookDraft()
    bomb.files.add(path="kinds.yaml", content=b"a: &a [x]\nb: *a\n")
    huge = simulation_pb2.RulebookDraft()
    huge.files.add(path="kinds.yaml", content=b"#" * (600 * 1024))
    whole = [each for each in draft().files if "/" not in each.path]
    silent = simulation_pb2.RulebookDraft(files=whole)
    endless = draft("basis: consent", f"basis: 0x{'f' * 6000}")
    past = pb.SimulateRequest(change=simulation_pb2.Change(rulebook=draft()))
    past.moment.FromDatetime(sharing.bench.clock.now() - timedelta(days=1))
    for wrong in (
        pb.SimulateRequest(),
        pb.SimulateRequest(change=simulation_pb2.Change()),
        pb.SimulateRequest(change=simulation_pb2.Change(rulebook=broken)),
        pb.SimulateRequest(change=simulation_pb2.Change(rulebook=bomb)),
        pb.SimulateRequest(change=simulation_pb2.Change(rulebook=huge)),
        pb.SimulateRequest(change=simulation_pb2.Change(rulebook=silent)),
        pb.SimulateRequest(change=simulation_pb2.Change(rulebook=endless)),
        pb.SimulateRequest(
            change=simulation_pb2.Change(consents_withdrawn=simulation_pb2.ConsentsWithdrawn())
        ),
        pb.SimulateRequest(change=ended, sample_size=-1),
        past,
    ):
        assert await refused(sharing, wrong) == "INVALID_FIELD"


async def test_each_problem_of_a_draft_is_told_with_its_file_and_line(sharing: Sharing) -> None:
    await sharing.know_person()
    two = amended("basis: consent", "basis: whim")
    first = two.files[0]
    first.content = first.content.replace(b"\n    basis: contract", b"\n    bias: x", 1)
    parts = streamed(
        sharing,
        pb.SimulateRequest(change=simulation_pb2.Change(rulebook=two)),
        "staff/officer/ana",
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await parts
    violations = from_error(caught.value, "sharing").violations
    assert {field for field, _ in violations} == {"change.rulebook"}
    lines = first.content.decode().splitlines()
    told = [text.split(":", 2) for _, text in violations]
    assert {file for file, _, _ in told} == {STORE}
    assert any("whim" in lines[int(line) - 1] and "whim" in text for _, line, text in told)
    assert any("bias" in text for _, _, text in told)


async def test_long_problems_of_a_draft_fit_into_an_answer(sharing: Sharing) -> None:
    await sharing.know_person()
    files = draft().files
    chat = next(each for each in files if each.path == CHAT)
    row = f"\n  - clause: §9.9\n    basis: {'漢' * 400}"
    chat.content = chat.content.rstrip() + (row * 20).encode()
    long = simulation_pb2.RulebookDraft(files=[chat], amends=True)
    request = pb.SimulateRequest(change=simulation_pb2.Change(rulebook=long))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await streamed(sharing, request, "staff/officer/ana")
    fault = from_error(caught.value, "sharing")
    assert fault.reason == "INVALID_FIELD"
    said = [text for _, text in fault.violations]
    assert said[0].startswith(f"{CHAT}:")
    assert 3000 < sum(len(text.encode()) for text in said) <= 4096
    assert len(fault.message) < 100


async def test_one_draft_is_compiled_at_a_time(sharing: Sharing) -> None:
    await sharing.know_person()
    request = pb.SimulateRequest(change=simulation_pb2.Change(rulebook=draft()))
    with simulation.COMPILING:
        assert await refused(sharing, request) == "OVERLOADED"
    await simulated(sharing, {"rulebook": draft()})


async def test_a_simulation_is_on_record(sharing: Sharing) -> None:
    await asked(sharing)
    before = rows(sharing.url, "outbox")
    await simulated(sharing, {"rulebook": draft()})
    assert rows(sharing.url, "outbox") == before + 1


async def test_a_sample_for_elsewhere_names_nobody(sharing: Sharing) -> None:
    await asked(sharing)
    sample = await read_database(sharing.url, 10)
    assert [each.question.purpose for each in sample] == ["fraud_prevention", "direct_marketing"]
    text = "\n".join(write_lines(sample))
    assert sharing.person not in text
    assert "order-4711" not in text
    sample = read_lines(text)
    same = load_rulebook()
    now = sharing.bench.clock.now()
    assert [*differing(sample, (same, same), now)] == []
    for each in sample:
        answer = decide(same, each.question, each.facts, now)
        assert answer.outcome is Outcome.PERMIT
