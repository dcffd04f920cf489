"""Questions taken apart, what would be otherwise, and whose data a recipient has.

For privacy officers; auditors may ask why.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import grpc
from accord.sharing.v1 import (
    analysis_service_pb2,
    analysis_service_pb2_grpc,
    reach_service_pb2,
    reach_service_pb2_grpc,
)
from accord.sharing.v1.decision_pb2 import Question
from accord.sharing.v1.explanation_pb2 import Explanation
from accord.sharing.v1.reach_pb2 import SubjectReach

from accord_client.channel import answer, open_channel
from accord_client.fault import fault_of
from accord_client.profile import Profile

_SECONDS = 10.0
_REPLAY_SECONDS = 29.0  # the service ends a call after thirty


class Analysis:
    """Nothing that it answers is a permit."""

    def __init__(self, channel: grpc.aio.Channel, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._analysis = analysis_service_pb2_grpc.AnalysisServiceStub(channel)
        self._reach = reach_service_pb2_grpc.ReachServiceStub(channel)

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, profile: Profile, seconds: float = _SECONDS) -> AsyncIterator[Analysis]:
        """Opens a client; ``seconds`` is the deadline of each call but a simulation."""
        descriptors = (
            analysis_service_pb2.DESCRIPTOR.services_by_name["AnalysisService"],
            reach_service_pb2.DESCRIPTOR.services_by_name["ReachService"],
        )
        async with open_channel(profile, "sharing", descriptors) as channel:
            yield cls(channel, seconds)

    async def explain(self, question: Question, as_of: datetime | None = None) -> Explanation:
        """Every gate for a question now, or at a past moment (aware)."""
        request = analysis_service_pb2.ExplainRequest(question=question)
        if as_of is not None:
            request.as_of_time.FromDatetime(as_of.astimezone(UTC))
        response = await answer(self._analysis.Explain(request, timeout=self._seconds))
        return response.explanation

    async def simulate(
        self, request: analysis_service_pb2.SimulateRequest
    ) -> AsyncIterator[analysis_service_pb2.SimulateResponse]:
        """Progress, and flows that would be answered otherwise, as they are found."""
        try:
            async for part in self._analysis.Simulate(request, timeout=_REPLAY_SECONDS):
                yield part
        except grpc.aio.AioRpcError as error:
            raise fault_of(error) from error

    async def subjects(
        self, recipient: str, wanted: reach_service_pb2.ReachFilter.ValueType
    ) -> AsyncIterator[SubjectReach]:
        """Whose data a recipient has or may get; each page is on record as a read."""
        request = reach_service_pb2.ListSubjectsRequest(recipient=recipient, filter=wanted)
        while True:
            page = await answer(self._reach.ListSubjects(request, timeout=self._seconds))
            for subject in page.subjects:
                yield subject
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token
