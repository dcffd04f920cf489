"""What was done with a person's data, as it is told to them."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.portal.domain.trace import Entry


@dataclass(frozen=True)
class Told:
    """One thing that was done; `times` counts looks at the own record that followed each other."""

    entry: Entry
    times: int = 1

    @property
    def own_look(self) -> bool:
        """Tell whether the person looked at their own record."""
        return own_look(self.entry)

    @property
    def decision(self) -> str:
        """Return the key of the decision that it is about, or ""."""
        entry = self.entry
        name = entry.value("decision.name") or entry.value("decision") or entry.resource
        kind, _, key = name.partition(":")[0].partition("/")  # of a batch, a line begins with it
        return key if kind == "decisions" else ""


def own_look(entry: Entry) -> bool:
    """Tell whether somebody looked at what concerns themselves."""
    return entry.action.startswith("audit:") and bool(entry.actor) and entry.actor == entry.account


def tell(entries: Sequence[Entry]) -> list[Told]:
    """Tell entries in their order; looks at the own record that follow each other are one."""
    told: list[Told] = []
    for entry in entries:
        if told and told[-1].own_look and own_look(entry):
            told[-1] = Told(told[-1].entry, told[-1].times + 1)
        else:
            told.append(Told(entry))
    return told
