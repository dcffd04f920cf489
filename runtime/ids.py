"""Identifiers: opaque, unguessable, and for accounts with the home region in the name.

The region of birth is in the id, so that a call for another home can be refused before any store
is touched and no directory of people exists.
"""

import re
import secrets
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
