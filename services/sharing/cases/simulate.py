"""Replays recorded questions as things stand and after a change; nothing is changed."""

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from runtime.fault import not_found
from services.sharing.cases.explain_sharing import facts_now
from services.sharing.cases.means import Means
from services.sharing.domain.acting import Acting
from services.sharing.domain.admission import RECIPIENT_PREFIX
from services.sharing.domain.decision import Decision
from services.sharing.domain.ports import Records
from services.sharing.domain.rulebook import Rulebook
from services.sharing.domain.whatif import Change, Replay, replay

# Read, and replayed, in one unit: a fraction of a second. A record holds a thousand at most.
_RECORDS, _DECISIONS = 20, 100


@dataclass(frozen=True, slots=True)
class Sample:
    """Which recorded decisions to replay: the newest, or drawn by a seed from a moment on."""

    size: int
    seed: int = 0
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be otherwise: other rules, other records; `names` have to exist."""

    label: str
    draft: Rulebook
    change: Change
    moment: datetime
    names: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: decisions replayed, and those of them that differ, last."""

    replayed: int
    sampled: int
    found: Sequence[tuple[Decision, Replay]]
    done: bool


async def simulate(
    means: Means, plan: Plan, sample: Sample, acting: Acting
) -> AsyncIterator[Progress]:
    """Yield what differs, a part at a time; NOT_FOUND for what the plan names and is not there."""
    await means.store.write(lambda records: _begin(records, means, plan, sample, acting))
    replayed = 0
    async for decisions in _sampled(means, sample):
        part = decisions[: sample.size - replayed]
        found = await means.store.read(lambda records, p=part: _differing(records, means, plan, p))  # type: ignore[misc]  # bound now
        replayed += len(part)
        yield Progress(replayed, sample.size, found, done=False)
        if replayed == sample.size:
            break
    yield Progress(replayed, replayed, (), done=True)


async def _sampled(means: Means, sample: Sample) -> AsyncIterator[Sequence[Decision]]:
    """Yield the decisions of the sample, and perhaps more, in parts that are quickly replayed."""
    ordinals = await means.store.read(lambda records: _drawn(records, sample))
    for at in range(0, len(ordinals), _RECORDS):
        part = ordinals[at : at + _RECORDS]
        known = await means.store.read(lambda records, p=part: records.decisions.recorded(p))  # type: ignore[misc]  # bound now
        for begin in range(0, len(known), _DECISIONS):
            yield known[begin : begin + _DECISIONS]


def _begin(records: Records, means: Means, plan: Plan, sample: Sample, acting: Acting) -> None:
    for name in plan.names:
        of_contract = name.startswith("contracts/")
        if (records.contracts if of_contract else records.recipients).get(name) is None:
            raise not_found(name)
    records.publish(
        acting.event(
            action="sharing:simulation:run",
            time=means.clock.now(),
            resource=plan.names[0] if plan.names else "",
            recipients=[name for name in plan.names if name.startswith(RECIPIENT_PREFIX)],
            contracts=[name for name in plan.names if not name.startswith(RECIPIENT_PREFIX)],
            fields={
                "change": plan.label,
                "draft": plan.draft.digest if plan.draft is not means.rulebook else "",
                "sample": str(sample.size),
            },
        )
    )


def _drawn(records: Records, sample: Sample) -> Sequence[int]:
    """Return numbers of records to look at, each with one decision or more."""
    last = records.decisions.last()
    if not sample.seed:
        return range(last, max(0, last - sample.size), -1)
    first = _first_since(records, last, sample.since) if sample.since else 1
    everything = range(first, last + 1)
    drawn = random.Random(sample.seed).sample(everything, min(sample.size, len(everything)))  # noqa: S311  a sample, no secret
    return sorted(drawn, reverse=True)


def _first_since(records: Records, last: int, since: datetime) -> int:
    """Find the first record of a moment or later by halving: records are numbered as time goes."""
    low, high = 1, last + 1
    while low < high:
        middle = (low + high) // 2
        known = records.decisions.first_from(middle)
        if known is None or known[1].time >= since:
            high = middle
        else:
            low = known[0] + 1
    return low


def _differing(
    records: Records, means: Means, plan: Plan, decisions: Sequence[Decision]
) -> list[tuple[Decision, Replay]]:
    found = []
    for decision in decisions:
        question = decision.question
        recipient = records.recipients.get(question.recipient)
        if recipient is None:
            continue
        facts = facts_now(records, question, recipient)
        both = replay((means.rulebook, plan.draft), plan.change, question, facts, plan.moment)
        if both and both.differs:
            found.append((decision, both))
    return found
