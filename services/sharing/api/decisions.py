"""Serves accord.sharing.v1.DecisionService."""

from collections.abc import Mapping

from accord.sharing.v1 import decision_pb2
from accord.sharing.v1 import decision_service_pb2 as pb

from runtime.call import Call
from runtime.fault import Fault, invalid
from services.sharing.api import decoding, encoding, fields
from services.sharing.cases.check_batch import check_batch
from services.sharing.cases.check_sharing import check_sharing
from services.sharing.cases.issue_permit import issue_permit
from services.sharing.cases.means import Means
from services.sharing.cases.read_decisions import get_decision, list_decisions, read_decision
from services.sharing.domain.decision import Decision
from services.sharing.domain.question import Question

_UNBOUND: frozenset[str] = frozenset()
_MAX_QUESTIONS = 1000
_MAX_PURPOSE = 200  # characters
_STAFF = frozenset({"officer", "auditor"})


class DecisionServicer:
    """Decides, and shows what was decided to those whom it concerns."""

    def __init__(self, means: Means, apps: Mapping[str, frozenset[str]]) -> None:
        self._means = means
        self._apps = apps

    async def check(self, request: pb.CheckRequest, call: Call) -> pb.CheckResponse:
        """Decide one question and record the answer."""
        fields.required("question", request, "question")
        decided = await check_sharing(
            self._means,
            self._question(request.question, call),
            decoding.freshness(request.freshness, self._means.region),
            call.caller.name,
            fields.acting(call),
        )
        response = pb.CheckResponse()
        response.decision.MergeFromString(decided.body)
        if request.permit:
            response.permit = await issue_permit(self._means, decided.decision)
        return response

    async def check_batch(self, request: pb.CheckBatchRequest, call: Call) -> pb.CheckBatchResponse:
        """Decide several questions on one state of the facts."""
        if not 1 <= len(request.questions) <= _MAX_QUESTIONS:
            raise invalid("questions", f"must be 1 to {_MAX_QUESTIONS}")
        decided = await check_batch(
            self._means,
            (self._question(question, call) for question in request.questions),
            decoding.freshness(request.freshness, self._means.region),
            call.caller.name,
            fields.acting(call),
        )
        response = pb.CheckBatchResponse()
        add = response.responses.add
        for each in decided:
            add().decision.MergeFromString(each.body)
        if request.permit:
            for one, each in zip(response.responses, decided, strict=True):
                one.permit = await issue_permit(self._means, each.decision)
        return response

    def _question(self, asked: decision_pb2.Question, call: Call) -> Question:
        question = decoding.question(asked, self._means)
        self._require_bound(call.caller.name, question.service)
        return question

    async def list_decisions(
        self, request: pb.ListDecisionsRequest, call: Call
    ) -> pb.ListDecisionsResponse:
        """List the decisions that the person who acts may be told of, newest first."""
        account = fields.person(call, self._means.region)
        outcome = decoding.outcome(request.outcome)
        page = fields.page(call, request, request.page_size, request.page_token)
        found, following = await list_decisions(self._means, page, account, outcome)
        return pb.ListDecisionsResponse(
            decisions=[encoding.decision(decision) for decision in found],
            next_page_token=fields.next_token(call, request, following),
        )

    async def get_decision(
        self, request: pb.GetDecisionRequest, call: Call
    ) -> pb.GetDecisionResponse:
        """Return one decision."""
        name = fields.name("name", request.name, "decisions")
        if _reads_as_staff(request, call):
            purpose = fields.text("purpose", request.purpose.strip(), _MAX_PURPOSE, 1)
            decision = await read_decision(self._means, name, purpose, fields.acting(call))
        else:
            decision = await get_decision(
                self._means,
                name,
                lambda decision: _may_see(decision, call),
                for_person=lambda _: call.actor is not None,
            )
        return pb.GetDecisionResponse(decision=encoding.decision(decision))

    def _require_bound(self, app: str, service: str) -> None:
        """Refuse an app that speaks for a service that is not its own."""
        known = service in self._means.rulebook.services
        if known and service not in self._apps.get(app, _UNBOUND):
            raise Fault(
                "APP_NOT_BOUND",
                "this app may not ask for this service",
                metadata={"app": app, "service": service},
            )


def _reads_as_staff(request: pb.GetDecisionRequest, call: Call) -> bool:
    """Tell whether an officer or auditor reads, and not as the person that they are as well."""
    if call.caller.kind == "app":
        return False
    if call.actor is None:  # a certificate: the method's rule admits officers and auditors alone
        return True
    as_person = "person" in call.actor.roles and not request.purpose
    return bool(call.actor.roles & _STAFF) and not as_person


def _may_see(decision: Decision, call: Call) -> bool:
    """Tell whether a decision is the caller's own."""
    if call.caller.kind == "app":
        return decision.asker == call.caller.name
    return call.actor is not None and decision.question.account == call.actor.subject
