"""What a service says to the audit log: one event of one state change or decision.

Pure vocabulary. A case makes the event, `runtime.outbox.publish` writes it in the case's own
transaction, `runtime.relay` numbers and delivers it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

# As accord.audit.v1.NewEntry has them.
_WORD = r"[a-z][a-z0-9_]*"
_ACTION = re.compile(rf"{_WORD}:{_WORD}:{_WORD}")
_LONGEST_ACTION = 100
_OUTCOME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_FIELD = re.compile(r"[a-z][a-z0-9_.]{0,63}")


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

    def __post_init__(self) -> None:
        """Refuse what the log would refuse, while the case can still fail.

        Once committed, an event that the log does not take would hold up all that follow it.
        """
        if not (_ACTION.fullmatch(self.action) and len(self.action) <= _LONGEST_ACTION):
            raise ValueError("an action reads source:subject:action")
        if not _OUTCOME.fullmatch(self.outcome):
            raise ValueError("an outcome is a word in lower case")
        if not all(_FIELD.fullmatch(name) for name in self.fields):
            raise ValueError("the name of a field is a word in lower case")
