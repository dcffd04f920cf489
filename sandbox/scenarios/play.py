"""Plays a scenario: starts the regions it needs, does its steps, asks, and compares."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from accord.sharing.v1 import decision_pb2, explanation_pb2, reason_pb2

from runtime import errors
from runtime.fault import Fault
from runtime.ids import home_of
from sandbox.scenarios.doing import do
from sandbox.scenarios.scenario import Check, Scenario
from sandbox.scenarios.stage import Stage
from sandbox.scenarios.steps import Step


@dataclass(frozen=True, slots=True)
class Got:
    """What came of a question: an answer, or the status and the reason of a refusal."""

    outcome: str
    reasons: tuple[str, ...] = ()  # of the deciding class
    citations: tuple[str, ...] = ()
    permitted_categories: tuple[str, ...] = ()
    obligations: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()  # beside what denies
    refusal: str = ""  # what was refused and why, when there was no answer


@dataclass(frozen=True, slots=True)
class Result:
    """A check, counted from 1, with what came of it."""

    title: str
    number: int
    check: Check
    got: Got
    refused: tuple[str, ...]  # steps before it that the service refused, and why

    @property
    def differences(self) -> list[str]:
        """Say what is not as it is expected."""
        want, got = self.check.expected, self.got
        found = []
        if got.refusal and got.outcome != want.outcome:
            found.append(f"refused: {got.refusal}")
        if want.outcome is not None and want.outcome != got.outcome:
            found.append(f"outcome is {got.outcome}, not {want.outcome}")
        for name in ("reasons", "permitted_categories", "obligations"):
            stated = getattr(want, name)
            if stated is not None:
                found += _sets(name, stated, getattr(got, name))
        if want.citations is not None:
            found += _sets("citations", want.citations, got.citations, more=True)
        if found:
            found += [f"refused before: {step}" for step in self.refused]
        return found


async def play(scenario: Scenario, directory: Path) -> AsyncGenerator[Result, None]:
    """Ask every question in its order; `directory` is one that `prepare` made ready."""
    async with AsyncExitStack() as stack:
        stages = _Stages(scenario, directory, stack)
        for number, check in enumerate(scenario.checks, 1):
            got, refused = await stages.ask(check)
            yield Result(scenario.title, number, check, got, refused)


class _Stages:
    """The services of a scenario: one a region, and for each time span in which others count."""

    def __init__(self, scenario: Scenario, directory: Path, stack: AsyncExitStack) -> None:
        self._scenario = scenario
        self._directory = directory
        self._stack = stack
        self._dates = sorted(scenario.given.dates())
        self._open: dict[tuple[str, int], Stage] = {}
        self._taken: list[Step] = []  # of the scenario so far
        self._done: dict[Stage, int] = {}
        self._refused: dict[Stage, tuple[str, ...]] = {}

    async def ask(self, check: Check) -> tuple[Got, tuple[str, ...]]:
        """Do what is to be done before a check, and ask; return with it what was refused so far."""
        self._taken += check.steps
        stage = await self._stage(check)
        await self._catch_up(stage)
        try:
            got = _got(await stage.ask(check))
        except Fault as fault:
            got = Got(errors.code_of(fault).name, (fault.reason,), refusal=str(fault))
        return got, self._refused.get(stage, ())

    async def _stage(self, check: Check) -> Stage:
        """Return the service of a region in which that counts which counts at the moment."""
        counting = sum(moment <= check.now for moment in self._dates)
        key = check.region, counting
        if key not in self._open:
            opened = Stage.opened(self._directory, check.region, self._scenario.given, check.now)
            self._open[key] = await self._stack.enter_async_context(opened)
        return self._open[key]

    async def _catch_up(self, stage: Stage) -> None:
        """Do at `now` what was not done yet in this service."""
        stage.bench.clock.set(self._scenario.now)
        for step in self._taken[self._done.get(stage, 0) :]:
            if not _concerns(stage, step):
                continue
            try:
                await do(stage, step)
            except Fault as fault:
                said = f"{step.said}: {fault}"
                self._refused[stage] = (*self._refused.get(stage, ()), said)
        self._done[stage] = len(self._taken)


def _concerns(stage: Stage, step: Step) -> bool:
    """Tell whether a step is one of this region: contracts are kept in each."""
    return not step.account or home_of(step.account) == stage.bench.region


def _got(answer: decision_pb2.Decision | explanation_pb2.Explanation) -> Got:
    reasons: Iterable[decision_pb2.DecisionReason]
    if isinstance(answer, explanation_pb2.Explanation):
        reasons = [found.reason for gate in answer.gates for found in gate.reasons]
    else:
        reasons = answer.reasons
    cited = [clause for found in reasons for clause in found.citations]
    cited += [ground.citation for ground in answer.grounds]
    return Got(
        outcome=_word(decision_pb2.Outcome.Name(answer.outcome), "OUTCOME_"),
        reasons=_named(reasons, answer.outcome),
        citations=tuple(dict.fromkeys(cited)),
        permitted_categories=tuple(answer.permitted_categories),
        obligations=tuple(
            _word(decision_pb2.Obligation.Name(duty), "OBLIGATION_").lower()
            for duty in answer.obligations
        ),
        gaps=_named(reasons, decision_pb2.OUTCOME_GAP)
        if answer.outcome == decision_pb2.OUTCOME_DENY
        else (),
    )


def _named(
    reasons: Iterable[decision_pb2.DecisionReason], outcome: decision_pb2.Outcome.ValueType
) -> tuple[str, ...]:
    return tuple(
        _word(reason_pb2.Reason.Name(found.reason), "REASON_")
        for found in reasons
        if found.outcome == outcome
    )


def _sets(
    name: str, wanted: Iterable[str], found: Iterable[str], *, more: bool = False
) -> list[str]:
    missing = [word for word in wanted if word not in set(found)]
    surplus = [] if more else [word for word in found if word not in set(wanted)]
    said = [f"{name} lack {word}" for word in missing]
    return said + [f"{name} have {word}" for word in surplus]


def _word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix)
