"""Serves authzen.access.v1.Access: each message is the JSON object of the same name."""

from collections.abc import Iterable
from typing import TypeVar

from accord.sharing.foreign import authzen_pb2 as pb
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message

from runtime.call import Call
from services.sharing.api.doors.access import Access

M = TypeVar("M", bound=Message)


class AccessServicer:
    """AuthZEN over gRPC."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def evaluation(self, request: pb.EvaluationRequest, call: Call) -> pb.EvaluationResponse:
        """Decide one evaluation."""
        answer = await self._access.evaluation(_json(request), call)
        return _message(answer, pb.EvaluationResponse())

    async def evaluations(
        self, request: pb.EvaluationsRequest, call: Call
    ) -> pb.EvaluationsResponse:
        """Decide several evaluations; the one without a list is the only one of the answer."""
        answer = await self._access.evaluations(_json(request), call)
        if "evaluations" not in answer:
            answer = {"evaluations": [answer]}
        return _message(answer, pb.EvaluationsResponse())

    async def subject_search(
        self, request: pb.SubjectSearchRequest, call: Call
    ) -> pb.SubjectSearchResponse:
        """Find recipients."""
        answer = await self._access.subject_search(_json(request), call)
        return _message(_folded(answer), pb.SubjectSearchResponse())

    async def resource_search(
        self, request: pb.ResourceSearchRequest, call: Call
    ) -> pb.ResourceSearchResponse:
        """Find categories."""
        answer = await self._access.resource_search(_json(request), call)
        return _message(_folded(answer), pb.ResourceSearchResponse())

    async def action_search(
        self, request: pb.ActionSearchRequest, call: Call
    ) -> pb.ActionSearchResponse:
        """Find purposes."""
        answer = await self._access.action_search(_json(request), call)
        return _message(_folded(answer), pb.ActionSearchResponse())


def _json(message: Message) -> dict[str, object]:
    return MessageToDict(message, preserving_proto_field_name=True)


def _message(answer: dict[str, object], message: M) -> M:
    ParseDict(answer, message)
    return message


def _folded(answer: dict[str, object]) -> dict[str, object]:
    """Put the obligations of results among their properties: the messages have no other place."""
    results = answer["results"]
    assert isinstance(results, Iterable)  # noqa: S101  a search of ours answered
    folded = [
        {
            **{key: value for key, value in result.items() if key != "obligations"},
            "properties": {**result["properties"], "obligations": result["obligations"]},
        }
        for result in results
    ]
    return {**answer, "results": folded}
