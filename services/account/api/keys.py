"""KeyService: the public keys of actor tokens."""

from dataclasses import dataclass
from datetime import timedelta

from accord.account.v1 import key_service_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from runtime.call import Call
from services.account.domain.ports import Signer

_MAX_AGE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class KeyServicer:
    """One method an rpc."""

    signer: Signer

    async def list_actor_keys(
        self, _request: pb.ListActorKeysRequest, _call: Call
    ) -> pb.ListActorKeysResponse:
        """List the keys."""
        max_age = Duration()
        max_age.FromTimedelta(_MAX_AGE)
        return pb.ListActorKeysResponse(jwks=await self.signer.jwks(), max_age=max_age)
