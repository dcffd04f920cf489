"""Why a call or a handler shares data: declared beside it, held against what sharing permits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import grpc
from accord.sharing.v1.decision_pb2 import Question

from accord_client.cache import Verdict
from accord_client.failure import VerificationError
from accord_client.fault import Fault

R = TypeVar("R")

_AWAY = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.CANCELLED,
    }
)
_RECORDED = frozenset({"record_disclosure"})  # what the guards do themselves


@dataclass(frozen=True)
class Purpose(Generic[R]):
    """What is shared with whom, for what; ``account`` finds in a request whose data it is.

    ``relation`` finds what binds the person to it, such as an order. ``fulfils`` are the
    obligations that the code behind it takes care of; a permit with others is not acted on.
    """

    service: str
    recipient: str
    purpose: str
    categories: tuple[str, ...]
    account: Callable[[R], str]
    relation: Callable[[R], str] | None = None
    destination: str = ""
    fulfils: frozenset[str] = frozenset()

    def question(self, request: R) -> Question:
        """What has to be asked before a request is acted on."""
        return Question(
            account=self.account(request),
            service=self.service,
            recipient=self.recipient,
            purpose=self.purpose,
            categories=self.categories,
            destination=self.destination,
            relation=self.relation(request) if self.relation else "",
        )


class Refused(Exception):  # noqa: N818 -- the field's word, not a crash
    """Nothing may be shared: the reasons, none of which names anybody.

    ``away`` when sharing did not answer, so that coming again can help.
    """

    def __init__(self, reasons: tuple[str, ...], decision: str = "", *, away: bool = False) -> None:
        super().__init__(", ".join(reasons))
        self.reasons = reasons
        self.decision = decision
        self.away = away


def require(verdict: Verdict, purpose: Purpose[R]) -> Verdict:
    """The verdict, if it permits and its obligations are taken care of; else raises Refused."""
    if not verdict.permitted:
        raise Refused(verdict.reasons, verdict.decision)
    owed = [duty for duty in verdict.obligations if duty not in purpose.fulfils | _RECORDED]
    if owed:
        reasons = tuple(f"OBLIGATION_NOT_FULFILLED:{duty}" for duty in owed)
        raise Refused(reasons, verdict.decision)
    return verdict


def refusal(failure: Fault | VerificationError) -> Refused:
    """What a failed question means for whoever asked: no."""
    if isinstance(failure, VerificationError):
        return Refused(("PERMIT_INVALID",))
    return Refused((failure.reason or failure.code.name,), away=failure.code in _AWAY)
