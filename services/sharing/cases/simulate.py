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

_AT_ONCE = 50  # read, and replayed, in one unit: a fraction of a second


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
    numbers = await means.store.read(lambda records: _drawn(records, sample))
    replayed = 0
    for at in range(0, len(numbers), _AT_ONCE):
        part = numbers[at : at + _AT_ONCE]

        def unit(
            records: Records, part: Sequence[int] = part
        ) -> tuple[int, list[tuple[Decision, Replay]]]:
            return _differing(records, means, plan, part)

        read, found = await means.store.read(unit)
        replayed += read
        yield Progress(replayed, len(numbers), found, done=False)
    yield Progress(replayed, replayed, (), done=True)


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
    """Return the numbers of decisions to look at, from the newest on."""
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
    records: Records, means: Means, plan: Plan, numbers: Sequence[int]
) -> tuple[int, list[tuple[Decision, Replay]]]:
    """Return how many were read, and those that differ."""
    read, found = 0, []
    for decision in records.decisions.numbered(numbers):
        read += 1
        question = decision.question
        recipient = records.recipients.get(question.recipient)
        if recipient is None:
            continue
        facts = facts_now(records, question, recipient)
        both = replay((means.rulebook, plan.draft), plan.change, question, facts, plan.moment)
        if both and both.differs:
            found.append((decision, both))
    return read, found
