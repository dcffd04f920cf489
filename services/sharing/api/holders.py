"""Whose consents and choices a call may touch: the person who acts, or an app's own guest."""

import re
from collections.abc import Mapping

from accord.sharing.v1 import decision_pb2

from runtime.call import Call
from runtime.fault import Fault, invalid
from services.sharing.api import fields
from services.sharing.cases.means import Means
from services.sharing.domain.admission import check_country
from services.sharing.domain.records import Guest

_SESSION = re.compile(r"[A-Za-z0-9_-]{1,64}")
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
        return self._at_home(guest).holder

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

    def _at_home(self, message: decision_pb2.Guest) -> Guest:
        """Read a guest; WRONG_REGION for one whose data is at home elsewhere."""
        if not _SESSION.fullmatch(message.session):
            raise invalid("guest.session", "must be 1 to 64 of a-z, A-Z, 0-9, - and _")
        country = fields.country(message.jurisdiction)
        check_country("guest.jurisdiction", country, self._means.rulebook)
        home = self._means.rulebook.places[country].home(self._means.clock.now().date()).lower()
        if home != self._means.region:
            raise Fault(
                "WRONG_REGION", f"the home of this guest is {home}", metadata={"region": home}
            )
        return Guest(country, message.session)
