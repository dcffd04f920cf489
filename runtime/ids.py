"""Identifiers: opaque, unguessable, and for accounts with the home region in the name.

The region of birth is in the id, so that a call for another home can be refused before any store
is touched and no directory of people exists.
"""

import re
import secrets
import threading
import time
import uuid
from datetime import datetime

from runtime.fault import Fault, invalid
from runtime.randomness import random_bytes

# Crockford's alphabet in lower case: no i, l, o, u, so that an id survives being read aloud.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH = 26  # 130 bits
_RANDOM = 85  # of these, behind the 45 of a moment
_MASK = (1 << _RANDOM) - 1
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_SHIFTS = range(5 * _LENGTH - 10, -1, -10)
_VARIANT, _VARIANT_MASK = 1 << 63, (1 << 62) - 1
_ACCOUNT = re.compile(rf"accounts/(?P<region>[a-z]{{2}})-[{_ALPHABET}]{{{_LENGTH}}}")


def opaque_id() -> str:
    """Return 26 characters that nobody can guess (130 random bits)."""
    return _text(secrets.randbits(5 * _LENGTH))


def ordered_id(now: datetime) -> str:
    """Return 26 characters that sort by time: 45 bits of milliseconds, 85 random ones.

    For what is written fast: rows that come together lie together in an index.
    """
    milliseconds = int(now.timestamp() * 1000)
    random = int.from_bytes(random_bytes(11)) & _MASK
    return _text(milliseconds << _RANDOM | random)


class _LastEventId:
    """The moment that this process last gave an event, in 4096ths of a millisecond."""

    def __init__(self) -> None:
        self._moment = 0
        self._lock = threading.Lock()

    def next(self) -> int:
        """Return now, or just after the last should the clock not have moved on since."""
        now = (time.time_ns() << 12) // 1_000_000
        with self._lock:
            self._moment = max(now, self._moment + 1)
            return self._moment


_last_event_id = _LastEventId()


def event_id() -> str:
    """Return a UUIDv7 (RFC 9562 §5.7) as 32 hex digits: each sorts after those made here before.

    Milliseconds, then 12 bits of their fraction (§6.2, method 3), then 62 random bits: events that
    come together lie together at the right edge of an index.
    """
    milliseconds, fraction = divmod(_last_event_id.next(), 1 << 12)
    random = int.from_bytes(random_bytes(8)) & _VARIANT_MASK | _VARIANT
    return f"{milliseconds:012x}7{fraction:03x}{random:016x}"


def _text(bits: int) -> str:
    return "".join([_PAIRS[bits >> shift & 1023] for shift in _SHIFTS])


def new_account(region: str) -> str:
    """Mint the name of an account born in `region`."""
    return f"accounts/{region}-{opaque_id()}"


def home_of(account: str, field: str = "account") -> str:
    """Return the region in an account's name; INVALID_FIELD when it is not such a name."""
    match = _ACCOUNT.fullmatch(account)
    if match is None:
        raise invalid(field, f"must be accounts/<region>-<{_LENGTH} characters>")
    return match["region"]


def require_home(account: str, region: str, field: str = "account") -> None:
    """Refuse an account of another home with WRONG_REGION, naming where to go."""
    home = home_of(account, field)
    if home != region:
        raise Fault(
            "WRONG_REGION",
            f"the home of this account is {home}",
            metadata={"region": home},
        )


def request_uuid(text: str) -> str:
    """Check a `request_id`; return it in canonical form (AIP-155: a UUID)."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise invalid("request_id", "must be a UUID") from None
