"""The life of a contract: immutable versions, each step by somebody, the second pair of eyes.

    draft ── submit ──▶ under_review ── activate (not by its author) ──▶ active ⇄ suspended
    any of them ── terminate ──▶ terminated

Amending writes a new draft; the version in force stays so until the new one is activated, and may
be suspended and resumed meanwhile.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from runtime.fault import Fault
from runtime.four_eyes import require_another
from services.sharing.domain.records import ContractState, Terms


@dataclass(frozen=True, slots=True)
class Step:
    """One step in the life of a contract."""

    version: int
    state: ContractState
    actor: str
    time: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """A contract at its latest version, and the version that is in force or suspended."""

    name: str
    recipient: str
    version: int
    state: ContractState
    terms: Terms
    active_version: int  # 0: none was ever activated
    active_state: ContractState | None
    author: str
    created: datetime
    history: tuple[Step, ...] = ()

    @classmethod
    def draft(cls, name: str, recipient: str, terms: Terms, author: str, now: datetime) -> Self:
        """Begin a contract with its first version."""
        return cls(name, recipient, 1, ContractState.DRAFT, terms, 0, None, author, now)

    def amend(self, version: int, terms: Terms, author: str) -> "Agreement":
        """Write new terms as the next version."""
        self._require_latest(version)
        self._require(self.state is not ContractState.TERMINATED)
        return replace(
            self, version=self.version + 1, state=ContractState.DRAFT, terms=terms, author=author
        )

    def submit(self, version: int) -> "Agreement":
        """Hand a draft in for review."""
        self._require_latest(version)
        self._require(self.state is ContractState.DRAFT)
        return replace(self, state=ContractState.UNDER_REVIEW)

    def activate(self, version: int, actor: str) -> "Agreement":
        """Put a reviewed version in force, or resume the suspended one, amended or not."""
        active = ContractState.ACTIVE
        if version == self.active_version and self.active_state is ContractState.SUSPENDED:
            require_another(actor, self._author_of(version), self.name)
            return self._settle(active)
        self._require_latest(version)
        self._require(self.state is ContractState.UNDER_REVIEW)
        require_another(actor, self.author, self.name)
        if self.terms.document is None:
            raise Fault(
                "CONTRACT_INCOMPLETE",
                "the signed document is missing",
                metadata={"missing": "document"},
            )
        return replace(self, state=active, active_version=self.version, active_state=active)

    def suspend(self) -> "Agreement":
        """Stop the version in force for a while."""
        self._require(self.active_state is ContractState.ACTIVE)
        return self._settle(ContractState.SUSPENDED)

    def terminate(self) -> "Agreement":
        """End the contract for good."""
        self._require(self.state is not ContractState.TERMINATED)
        ended = ContractState.TERMINATED
        return replace(self, state=ended, active_state=ended if self.active_version else None)

    def _settle(self, state: ContractState) -> "Agreement":
        latest = self.active_version == self.version
        return replace(self, state=state if latest else self.state, active_state=state)

    def _author_of(self, version: int) -> str:
        """Return who wrote a version."""
        wrote = (step for step in self.history if step.state is ContractState.DRAFT)
        return next((step.actor for step in wrote if step.version == version), self.author)

    def _require_latest(self, version: int) -> None:
        if version != self.version:
            raise Fault("CONFLICT", "there is a newer version; read it and decide again")

    def _require(self, allowed: bool) -> None:  # noqa: FBT001  reads as a sentence
        if not allowed:
            raise Fault(
                "WRONG_STATE",
                f"the contract is {self.state}",
                metadata={"resource": self.name, "state": self.state.value},
            )
