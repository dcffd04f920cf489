"""Random ids for what is made thousands of times a second; keys and secrets come from `secrets`.

The system's randomness is fetched in larger pieces: each fetch is a system call, for which the
thread gives the interpreter up and then waits to have it back.
"""

import os
import threading

_PIECE = 1024


class _Fetched(threading.local):
    left = b""


_fetched = _Fetched()


def random_bytes(count: int) -> bytes:
    """Return bytes that no other call gets."""
    left = _fetched.left
    if len(left) < count:
        left = os.urandom(max(_PIECE, count))
    _fetched.left = left[count:]
    return left[:count]


def _forget() -> None:
    _fetched.left = b""


# A child has the bytes of its parent, and must not hand them out as well.
os.register_at_fork(after_in_child=_forget)
