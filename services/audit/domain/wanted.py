"""What a reader asks for, in names."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from runtime.identity import is_workload


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader filters by; None does not matter, everything else must hold."""

    account: str | None = None
    actor: str | None = None
    app: str | None = None
    recipient: str | None = None
    contract: str | None = None
    action_prefix: str | None = None
    outcome: str | None = None
    trace_id: str | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    producer: str | None = None

    @property
    def parties(self) -> Mapping[str, str]:
        """Return which people and staff it names, by the name of the filter."""
        given = {"account": self.account, "actor": None if self._of_workload else self.actor}
        return {role: name for role, name in given.items() if name is not None}

    @property
    def impersonal(self) -> Mapping[str, str | datetime]:
        """Return the filters that name no person, by their names."""
        given = {
            "actor": self.actor if self._of_workload else None,
            "app": self.app,
            "recipient": self.recipient,
            "contract": self.contract,
            "action_prefix": self.action_prefix,
            "outcome": self.outcome,
            "trace_id": self.trace_id,
            "start_time": self.start_time,
            "end_time": self.end_time,
            "producer": self.producer,
        }
        return {name: value for name, value in given.items() if value is not None}

    @property
    def _of_workload(self) -> bool:
        return self.actor is not None and is_workload(self.actor)
