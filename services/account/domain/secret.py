"""Secrets that are handed out: 256 random bits, of which only the SHA-256 is kept.

A hash of 256 random bits cannot be searched, so whoever reads the database cannot act with what is
there. Comparison is by the hash's equality, which leaks no timing of the secret.
"""

import hashlib
import re
import secrets

_SHAPE = re.compile(r"[A-Za-z0-9_-]{43}")


def new_secret() -> str:
    """Mint a secret: 43 characters of base64url."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """Return what is kept of a secret, 32 bytes."""
    return hashlib.sha256(secret.encode("utf-8")).digest()


def well_formed(secret: str) -> bool:
    """Return whether a text could be a secret of ours, before any store is asked."""
    return _SHAPE.fullmatch(secret) is not None
