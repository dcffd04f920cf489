"""Randomness for what is made thousands of times a second: ids, and salts and nonces of the log.

The system's is fetched in larger pieces: each fetch is a system call, for which the thread gives
the interpreter up and then waits to have it back. Keys and secrets come from `secrets`.
"""

import os
import threading

_PIECE = 16 << 10  # bytes


class _Fetched(threading.local):
    piece, used = b"", 0


_fetched = _Fetched()


def random_bytes(count: int) -> bytes:
    """Return bytes that no other call gets."""
    begin = _fetched.used
    if begin + count > len(_fetched.piece):
        _fetched.piece, begin = os.urandom(max(_PIECE, count)), 0
    _fetched.used = begin + count
    return _fetched.piece[begin : begin + count]


def _forget() -> None:
    _fetched.piece, _fetched.used = b"", 0


# A child has the bytes of its parent, and must not hand them out as well.
os.register_at_fork(after_in_child=_forget)
