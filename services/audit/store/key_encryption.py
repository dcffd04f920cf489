"""Key-encryption keys: one file a month in a directory, `2026-11.kek`, 64 hexadecimal digits.

The newest wraps what is new. Destroying a month's file makes every row still wrapped under it
unreadable for good, also in backups of the key database: erasure ends there.
"""

import hmac
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from runtime.secret_file import read_secret, write_secret

KEY_SIZE = 32
NONCE_SIZE = 12
MONTH_SIZE = 7  # bytes of <year>-<month>
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


class KeyEncryptionKey:
    """One month's key: wraps parties' keys, and hides whose they are."""

    def __init__(self, month: str, secret: bytes) -> None:
        self.month = month
        # Two uses, two keys: what looks up must not be what encrypts.
        self._wrapping = AESGCM(_derive(secret, b"accord-audit-wrap"))
        self._looking_up = _derive(secret, b"accord-audit-lookup")
        self._keeping = AESGCM(_derive(secret, b"accord-audit-outbox"))

    def lookup(self, party: str) -> bytes:
        """Return under what a party's row is found, without its name in it."""
        return hmac.digest(self._looking_up, party.encode(), "sha256")

    def wrap(self, keys: bytes, pseudonym: bytes) -> bytes:
        """Encrypt a party's keys, bound to the row's pseudonym."""
        nonce = secrets.token_bytes(NONCE_SIZE)
        return nonce + self._wrapping.encrypt(nonce, keys, self._associated(pseudonym))

    def unwrap(self, wrapped: bytes, pseudonym: bytes) -> bytes:
        """Return a party's keys; ValueError when the row was touched."""
        nonce, sealed = wrapped[:NONCE_SIZE], wrapped[NONCE_SIZE:]
        try:
            return self._wrapping.decrypt(nonce, sealed, self._associated(pseudonym))
        except InvalidTag:
            raise ValueError("a wrapped key was touched") from None

    def seal(self, event: bytes) -> bytes:
        """Encrypt what audit has yet to say: behind the month, by which its key is found."""
        nonce, month = secrets.token_bytes(NONCE_SIZE), self.month.encode()
        return month + nonce + self._keeping.encrypt(nonce, event, month)

    def unseal(self, sealed: bytes) -> bytes:
        """Return what was sealed; ValueError when it was touched."""
        month, rest = sealed[:MONTH_SIZE], sealed[MONTH_SIZE:]
        try:
            return self._keeping.decrypt(rest[:NONCE_SIZE], rest[NONCE_SIZE:], month)
        except InvalidTag:
            raise ValueError("an event that waits was touched") from None

    def _associated(self, pseudonym: bytes) -> bytes:
        return b"accord-audit-party-keys\0" + self.month.encode() + b"\0" + pseudonym


def load_keys(directory: Path) -> tuple[KeyEncryptionKey, ...]:
    """Read every month's key, newest first; ValueError when there is none or one is malformed."""
    keys = []
    for path in sorted(directory.glob("*.kek"), reverse=True):
        try:
            secret = bytes.fromhex(read_secret(path))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        if _MONTH.fullmatch(path.stem) is None or len(secret) != KEY_SIZE:
            raise ValueError(f"{path} is no <year>-<month>.kek with 64 hexadecimal digits")
        keys.append(KeyEncryptionKey(path.stem, secret))
    if not keys:
        raise ValueError(f"{directory} holds no key-encryption key")
    return tuple(keys)


def create_key(directory: Path, month: str) -> Path:
    """Make a month's key; FileExistsError when it has one."""
    path = directory / f"{month}.kek"
    write_secret(path, secrets.token_hex(KEY_SIZE) + "\n")
    return path


def destroy_key(directory: Path, month: str) -> None:
    """Write over a month's file and remove it, durable on return; nothing when it is gone already.

    What the file system, the disk or a snapshot keep of it is not in the hands of a program.
    """
    # Under a name that nobody reads: half written over it would keep every month from loading.
    path = directory / f"{month}.kek.destroyed"
    with suppress(FileNotFoundError):
        (directory / f"{month}.kek").rename(path)
    try:
        descriptor = os.open(path, os.O_WRONLY)
    except FileNotFoundError:
        return
    try:
        for _ in range(2):
            os.pwrite(descriptor, secrets.token_bytes(os.fstat(descriptor).st_size), 0)
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    path.unlink()
    parent = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_SIZE, salt=None, info=purpose).derive(secret)
