"""Account's key set, with which every other service verifies actor tokens itself."""

import json

from accord.account.v1.key_service_pb2 import DESCRIPTOR, ListActorKeysRequest
from accord.account.v1.key_service_pb2_grpc import KeyServiceStub
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from runtime.actor import KeySource
from runtime.channel import Channel, Peer
from runtime.fault import Fault
from runtime.settings import ServiceSettings

_TIMEOUT_S = 2.0


class ActorKeys:
    """The keys as account shows them now; make it inside the running loop."""

    def __init__(self, address: str, settings: ServiceSettings) -> None:
        services = [DESCRIPTOR.services_by_name["KeyService"]]
        self._channel = Channel("account", address, settings, services)
        self._peer = Peer(KeyServiceStub, self._channel)

    async def fetch(self) -> KeySet:
        """Return the key set; UNAVAILABLE when account does not answer, or not with keys."""
        response = await self._peer.call(
            lambda stub: stub.ListActorKeys, ListActorKeysRequest(), timeout=_TIMEOUT_S
        )
        try:
            return KeySet.import_key_set(json.loads(response.jwks))
        except (JoseError, ValueError, KeyError, TypeError):
            raise Fault(
                "UNAVAILABLE", "account shows no keys", metadata={"peer": "account"}
            ) from None

    async def __aenter__(self) -> KeySource:
        return self.fetch

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()
