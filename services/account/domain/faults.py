"""The refusals of account, each with its reason; no message holds personal data."""

from datetime import timedelta

from runtime.fault import Fault

_MAX_KEY = 32  # characters of a provider's key


def provider_unknown(provider: str) -> Fault:
    """No provider has that key; the key is echoed only if it could be one."""
    shown = provider if provider.isalnum() and len(provider) <= _MAX_KEY else "?"
    return Fault("PROVIDER_UNKNOWN", "no such provider", metadata={"provider": shown})


def provider_not_offered(provider: str, country: str) -> Fault:
    """The provider is not on offer in the person's country."""
    return Fault(
        "PROVIDER_NOT_OFFERED",
        "the provider is not on offer in this country",
        metadata={"provider": provider, "country": country},
    )


def provider_unavailable(provider: str) -> Fault:
    """The provider does not answer, or not sensibly."""
    return Fault(
        "PROVIDER_UNAVAILABLE",
        "the provider does not answer",
        metadata={"provider": provider},
        retry_after=timedelta(seconds=5),
    )


def flow_unknown() -> Fault:
    """No such flow in this browser, for this person."""
    return Fault("FLOW_UNKNOWN", "no such flow is under way in this browser")


def flow_expired() -> Fault:
    """Begun too long ago."""
    return Fault("FLOW_EXPIRED", "the flow was begun more than ten minutes ago")


def flow_replayed() -> Fault:
    """Tried before."""
    return Fault("FLOW_REPLAYED", "the flow was completed or tried before")


def flow_mismatch(parameter: str) -> Fault:
    """The callback answers another flow; `parameter` says by what it shows."""
    return Fault(
        "FLOW_MISMATCH",
        f"{parameter} of the callback is not that of the flow",
        metadata={"parameter": parameter},
    )


def sign_in_declined(provider: str) -> Fault:
    """The person said no at the provider."""
    return Fault("SIGN_IN_DECLINED", "declined at the provider", metadata={"provider": provider})


def proof_refused(provider: str) -> Fault:
    """The code was refused, or the proof does not verify; which check failed stays with us."""
    return Fault(
        "PROOF_REFUSED", "the provider's proof does not hold", metadata={"provider": provider}
    )


def identity_taken(provider: str) -> Fault:
    """Linked to another account."""
    return Fault(
        "IDENTITY_TAKEN",
        "this identity is linked to another account",
        metadata={"provider": provider},
    )


def last_sign_in() -> Fault:
    """Without it the person could not sign in any more."""
    return Fault("LAST_SIGN_IN", "this is the only way to sign in; link another one first")


def account_not_active() -> Fault:
    """The account is not open."""
    return Fault("ACCOUNT_NOT_ACTIVE", "the account is not open")


def session_invalid() -> Fault:
    """Unknown, ended or expired: which one is nobody's business."""
    return Fault("SESSION_INVALID", "sign in again")


def registration_unknown() -> Fault:
    """No registration has that secret."""
    return Fault("REGISTRATION_UNKNOWN", "no such registration")


def registration_expired() -> Fault:
    """Left open for too long."""
    return Fault("REGISTRATION_EXPIRED", "the registration was open for more than thirty minutes")


def registration_used() -> Fault:
    """Led to an account before."""
    return Fault("REGISTRATION_USED", "the registration led to an account before")


def notice_not_accepted(notice: str) -> Fault:
    """Another notice is in force."""
    return Fault("NOTICE_NOT_ACCEPTED", "accept the notice in force", metadata={"notice": notice})


def wrong_region(region: str) -> Fault:
    """The country's home is another region."""
    return Fault(
        "WRONG_REGION",
        f"people of this country are at home in {region}",
        metadata={"region": region},
    )


def invitation_unknown() -> Fault:
    """No invitation has that secret."""
    return Fault("INVITATION_UNKNOWN", "no such invitation")


def invitation_expired() -> Fault:
    """Too old."""
    return Fault("INVITATION_EXPIRED", "the invitation is more than seven days old")


def invitation_used() -> Fault:
    """Accepted by another account."""
    return Fault("INVITATION_USED", "the invitation was accepted before")
