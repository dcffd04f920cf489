"""Who calls, for whom, until when: what a servicer learns about one call."""

import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from runtime.event import Trace
from runtime.fault import Fault


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of the client certificate, read from its SPIFFE id."""

    kind: Literal["svc", "app", "staff"]
    name: str  # service, app, or the id of a member of staff
    role: str  # of staff: person, officer, auditor, operator; else empty
    region: str
    spiffe_id: str


@dataclass(frozen=True, slots=True)
class Actor:
    """The person or member of staff for whom a service calls, from a verified actor token."""

    subject: str  # accounts/…
    roles: frozenset[str]  # person, officer, auditor, operator
    auth_time: datetime  # when they last proved who they are


@dataclass(frozen=True, slots=True)
class Way:
    """How a call came."""

    app: str = ""  # workload that calls: app/… or svc/…; empty for staff on the command line
    trace: Trace = Trace()  # noqa: RUF009  Trace is frozen


@dataclass(frozen=True, slots=True)
class Call:
    """One call as its servicer sees it."""

    method: str  # /package.Service/Method
    caller: Caller
    actor: Actor | None
    trace: Trace
    deadline: float = field(compare=False)  # on time.monotonic()

    @property
    def remaining(self) -> float:
        """Return the seconds left until the deadline."""
        return self.deadline - time.monotonic()

    def person(self) -> str:
        """Return the account for which the call is made; ACTOR_REQUIRED without one."""
        if self.actor is None:
            raise Fault("ACTOR_REQUIRED", "this call is made for a person: their token is missing")
        return self.actor.subject

    @property
    def way(self) -> Way:
        """Return how it came, for the record."""
        caller = self.caller
        return Way("" if caller.kind == "staff" else f"{caller.kind}/{caller.name}", self.trace)

    def who(self) -> str:
        """Return who acts, for the record and for four eyes: token subject or SPIFFE id."""
        return self.actor.subject if self.actor else self.caller.spiffe_id


# Set while a servicer runs, so that outgoing calls inherit what is left of the deadline.
current_call: ContextVar[Call | None] = ContextVar("current_call", default=None)
