"""Serves accord.sharing.v1.SubjectService."""

from accord.sharing.v1 import subject_service_pb2 as pb

from runtime.call import Call
from services.sharing.api import decoding, fields
from services.sharing.cases.means import Means
from services.sharing.cases.put_subject import put_subject


class SubjectServicer:
    """What account tells sharing of people."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def put_subject(self, request: pb.PutSubjectRequest, call: Call) -> pb.PutSubjectResponse:
        """Store a version of a subject."""
        fields.required("subject", request, "subject")
        subject = decoding.subject(request.subject, self._means.region)
        version = await put_subject(self._means, subject, fields.acting(call))
        return pb.PutSubjectResponse(version=version, token=await self._means.feed.token())
