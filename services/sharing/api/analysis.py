"""Serves accord.sharing.v1.AnalysisService."""

from collections.abc import AsyncIterator

from accord.sharing.v1 import analysis_service_pb2 as pb

from runtime.call import Call
from runtime.fault import Fault
from services.sharing.api import decoding, explanations, fields, simulation
from services.sharing.cases.explain_sharing import explain_sharing
from services.sharing.cases.means import Means
from services.sharing.cases.simulate import simulate

_ABOUT_OTHERS = frozenset({"officer", "auditor"})


class AnalysisServicer:
    """Takes decisions apart, for those whom they are about and those who answer for them."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def explain(self, request: pb.ExplainRequest, call: Call) -> pb.ExplainResponse:
        """Evaluate every gate for a question, now or at a past moment."""
        fields.required("question", request, "question")
        question = decoding.question(request.question, self._means)
        _require_own(call, question.account)
        as_of = None
        if request.HasField("as_of_time"):
            as_of = fields.moment("as_of_time", request.as_of_time)
        found = await explain_sharing(self._means, question, as_of, fields.acting(call))
        return pb.ExplainResponse(explanation=explanations.explanation(found, request.question))

    async def simulate(
        self, request: pb.SimulateRequest, call: Call
    ) -> AsyncIterator[pb.SimulateResponse]:
        """Replay a sample of recorded questions as they stand and after a change."""
        sample = simulation.sample(request)
        plan = await simulation.plan(request, self._means)
        digest = plan.draft.digest if plan.draft is not self._means.rulebook else ""
        changed = 0
        async for progress in simulate(self._means, plan, sample, fields.acting(call)):
            for decision, replay in progress.found:
                yield simulation.flow(decision, replay)
            changed += len(progress.found)
            yield simulation.progress(progress, changed, digest)


def _require_own(call: Call, account: str) -> None:
    """Refuse a person who asks about anybody else, a guest or nobody included."""
    if call.actor is None or call.actor.roles & _ABOUT_OTHERS:
        return  # the method's rule admits officers and auditors alone besides people
    if account != call.actor.subject:
        raise Fault(
            "CALLER_NOT_ALLOWED",
            "a person may ask about themself",
            metadata={"method": call.method},
        )
