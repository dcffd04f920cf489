"""Questions taken apart, what would be otherwise, and whose data a recipient has.

For privacy officers; auditors may ask why.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import grpc
from accord.sharing.v1 import (
    analysis_service_pb2,
    reach_service_pb2,
)
from accord.sharing.v1.analysis_service_pb2_grpc import AnalysisServiceStub
from accord.sharing.v1.decision_pb2 import Question
from accord.sharing.v1.explanation_pb2 import Explanation
from accord.sharing.v1.reach_pb2 import SubjectReach
from accord.sharing.v1.reach_service_pb2_grpc import ReachServiceStub

from accord_client.calls import Client
from accord_client.fault import fault_of

_REPLAY_SECONDS = 29.0  # the service ends a call after thirty


class Analysis(Client):
    """Nothing that it answers is a permit."""

    _SERVICE = "sharing"
    _FILES = (analysis_service_pb2.DESCRIPTOR, reach_service_pb2.DESCRIPTOR)

    def _stubs(self, channel: grpc.aio.Channel) -> None:
        self._analysis = AnalysisServiceStub(channel)
        self._reach = ReachServiceStub(channel)

    async def explain(self, question: Question, as_of: datetime | None = None) -> Explanation:
        """Every gate for a question now, or at a past moment (aware)."""
        request = analysis_service_pb2.ExplainRequest(question=question)
        if as_of is not None:
            request.as_of_time.FromDatetime(as_of.astimezone(UTC))
        return (await self._call(self._analysis.Explain, request)).explanation

    async def simulate(
        self, request: analysis_service_pb2.SimulateRequest
    ) -> AsyncIterator[analysis_service_pb2.SimulateResponse]:
        """Progress, and flows that would be answered otherwise, as they are found.

        It has half a minute, whatever the deadline of the client.
        """
        try:
            async for part in self._analysis.Simulate(request, timeout=_REPLAY_SECONDS):
                yield part
        except grpc.aio.AioRpcError as error:
            raise fault_of(error) from error

    def subjects(
        self, recipient: str, wanted: reach_service_pb2.ReachFilter.ValueType
    ) -> AsyncIterator[SubjectReach]:
        """Whose data a recipient has or may get; each page is on record as a read."""
        request = reach_service_pb2.ListSubjectsRequest(recipient=recipient, filter=wanted)
        pages = self._pages(self._reach.ListSubjects, request)
        return (subject async for page in pages for subject in page.subjects)
