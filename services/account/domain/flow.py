"""A way to a provider and back: bound to browser, provider, purpose and person, good for once.

The order of the checks on return is the order of `admit`; the first that fails refuses.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from hmac import compare_digest

from services.account.domain import faults
from services.account.domain.profile import Field

LIFE = timedelta(minutes=10)


class Purpose(Enum):
    """Why someone is sent to a provider."""

    SIGN_IN = "sign_in"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Flow:
    """What is kept of a flow; its secret is kept by the browser alone."""

    digest: bytes  # of the secret
    purpose: Purpose
    provider: str
    account: str  # that links; empty when signing in
    imports: frozenset[Field]
    expires: datetime


@dataclass(frozen=True, slots=True)
class Parameters:
    """What goes to the provider and must come back: all follow from the secret and our own key.

    So nothing of it is at rest, a callback is bound to the browser that holds the secret, and the
    holder of the secret alone still does not know the PKCE verifier.
    """

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Callback:
    """What the browser brought back."""

    flow_secret: str = field(repr=False)
    provider: str
    state: str = field(repr=False)
    code: str | None = field(repr=False)
    iss: str | None
    error: str | None


def admit(
    flow: Flow,
    callback: Callback,
    parameters: Parameters,
    *,
    purpose: Purpose,
    account: str,
    now: datetime,
) -> None:
    """Refuse a callback that is not the answer to this flow."""
    # 1. begun for this purpose and this person: a link of one cannot be completed by another
    if flow.purpose is not purpose or flow.account != account:
        raise faults.flow_unknown()
    # 2. in time
    if now >= flow.expires:
        raise faults.flow_expired()
    # 3. at the callback address of its own provider (RFC 9700 §4.4: mix-up)
    if callback.provider != flow.provider:
        raise faults.flow_mismatch("provider")
    # 4. with its own state, whatever else it says
    if not compare_digest(callback.state.encode(), parameters.state.encode()):
        raise faults.flow_mismatch("state")
    # 5. the person's no; an error is theirs only when the state proved that it is for us
    if callback.error is not None:
        if callback.error in {"access_denied", "consent_required", "user_cancelled_login"}:
            raise faults.sign_in_declined(flow.provider)
        raise faults.proof_refused(flow.provider)
    if not callback.code:
        raise faults.flow_mismatch("code")
