"""What a service says to the audit log: one event of one state change or decision.

Pure vocabulary. A case makes the event, `runtime.outbox.publish` writes it in the case's own
transaction, `runtime.relay` numbers and delivers it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4


@dataclass(frozen=True, slots=True)
class Trace:
    """Where in a W3C trace something happened; empty strings outside of any trace."""

    trace_id: str = ""  # 32 lower-case hex digits
    span_id: str = ""  # 16 lower-case hex digits
    flags: int = 0  # bit 0: sampled


@dataclass(frozen=True, slots=True)
class Event:
    """One entry for the log, before it has a number.

    `action` is `source:subject:action`, for example `sharing:contract:activate`. `account` is the
    person whose data it is about (`accounts/…`, empty without one), `actor` who acted (an account
    name or a SPIFFE id), `resource` what was acted on. `fields` are the details; audit encrypts
    their values per person, so personal data may stand there and nowhere else.
    """

    action: str
    outcome: str
    time: datetime
    account: str = ""
    actor: str = ""
    resource: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    trace: Trace = Trace()
    event_id: str = field(default_factory=lambda: uuid4().hex)
