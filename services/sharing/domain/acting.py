"""Who acts, in which trace: what every event says."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from runtime.call import Way
from runtime.event import Decision, Event, Section

_NOTHING: Mapping[str, str] = {}
_UNDECIDED = Decision()
# Of a version of a contract, the contract.
_NAME = re.compile(r"((?:recipients|contracts)/[^/\s]{1,128})(?:/versions/[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Acting:
    """The account or SPIFFE id that acts, and through which workload, where in a trace."""

    who: str
    way: Way

    def event(
        self,
        action: str,
        time: datetime,
        *,
        outcome: str = "ok",
        account: str = "",
        on_behalf_of: str = "",
        resource: str = "",
        fields: Mapping[str, str] = _NOTHING,
        sections: tuple[Section, ...] = (),
        recipients: Iterable[str] = (),
        contracts: Iterable[str] = (),
        decision: Decision = _UNDECIDED,
    ) -> Event:
        """Say what they did. Who acts for themselves acts on behalf of nobody.

        It is found by `recipients` and `contracts`; of these, what names neither is left out.
        """
        return Event(
            action,
            outcome,
            time,
            account=account,
            actor=self.who,
            on_behalf_of="" if on_behalf_of == self.who else on_behalf_of,
            app=self.way.app,
            resource=resource,
            fields=fields,
            trace=self.way.trace,
            sections=sections,
            recipients=_names(recipients),
            contracts=_names(contracts),
            decision=decision,
        )


def _names(given: Iterable[str]) -> tuple[str, ...]:
    """Return each name once; a scope of a consent may say a kind of recipients instead of one."""
    found = map(_NAME.fullmatch, given)
    return tuple(dict.fromkeys(match[1] for match in found if match))
