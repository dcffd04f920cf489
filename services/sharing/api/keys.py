"""Serves accord.sharing.v1.KeyService."""

from datetime import timedelta

from accord.sharing.v1 import key_service_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from runtime.call import Call
from services.sharing.cases.means import Means

_MAX_AGE = timedelta(hours=1)


class KeyServicer:
    """The public halves of sharing's keys."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def get_keys(self, request: pb.GetKeysRequest, _call: Call) -> pb.GetKeysResponse:
        """Return the keys."""
        max_age = Duration()
        max_age.FromTimedelta(_MAX_AGE)
        jwks = await self._means.signer.jwks(past=request.past)
        return pb.GetKeysResponse(jwks=jwks, max_age=max_age)
