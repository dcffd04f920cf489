"""What an entry commits to, read a second time: as the format's own text says it."""

import hashlib


def preimage(salt: bytes, name: str, value: str) -> bytes:
    """Returns what the commitment to a named value hashes."""
    encoded = name.encode()
    return salt + len(encoded).to_bytes(2) + encoded + value.encode()


def commitment(salt: bytes, name: str, value: str) -> bytes:
    """Commits to a named value."""
    return hashlib.sha256(preimage(salt, name, value)).digest()
