"""Whose consents and choices a call may touch: the person who acts, or an app's own guest."""

from collections.abc import Mapping

from accord.sharing.v1 import decision_pb2

from runtime.call import Call
from runtime.fault import Fault, invalid
from services.sharing.api import decoding, fields
from services.sharing.cases.means import Means

_NONE: frozenset[str] = frozenset()


class Holders:
    """Reads the holder of a request. An app may touch guests alone, the portal its person alone."""

    def __init__(self, means: Means, apps: Mapping[str, frozenset[str]]) -> None:
        self._means = means
        known = means.rulebook.services
        self._apps = {
            app: frozenset(service for service in bound if known[service].guests)
            for app, bound in apps.items()
        }

    def of(self, call: Call, guest: decision_pb2.Guest | None) -> str:
        """Return the holder; INVALID_FIELD, APP_NOT_BOUND or WRONG_REGION for anybody else's."""
        if call.caller.kind != "app":
            if guest is not None:
                raise invalid("guest", "an app speaks for its guests, nobody else does")
            return fields.person(call, self._means.region)
        if guest is None:
            raise invalid("guest", "is missing: an app speaks for its guests alone")
        if not self.services(call):
            raise Fault(
                "APP_NOT_BOUND",
                "no service of this app has guests",
                metadata={"app": call.caller.name},
            )
        return decoding.guest("guest", guest, self._means).holder

    def services(self, call: Call) -> frozenset[str] | None:
        """Return the services whose guests an app speaks for; None for whoever is no app."""
        return self._apps.get(call.caller.name, _NONE) if call.caller.kind == "app" else None

    def require_service(self, call: Call, service: str) -> None:
        """Refuse an app a consent for another's service, or for every service."""
        services = self.services(call)
        if services is None or service in services:
            return
        if not service:
            raise invalid("scope.service", "a guest's consent names its service")
        raise Fault(
            "APP_NOT_BOUND",
            "this app has no guests of this service",
            metadata={"app": call.caller.name, "service": service},
        )
