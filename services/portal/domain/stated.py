"""What an auditor states before reading: the purpose, kept by the browser, sealed."""

import base64
import binascii
import hashlib
import re

from runtime.seal import Sealer, UnsealError

_LONGEST = 200  # characters, as the log takes them
_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_USE = "purpose of reading"


class StatedPurpose:
    """Seals a purpose for one session: it may say what nobody else is to read in a cookie jar."""

    def __init__(self, form_key: bytes) -> None:
        key = hashlib.sha256(b"accord portal purposes v1\0" + form_key).digest()
        self._sealer = Sealer(key, "portal")

    def seal(self, purpose: str, session: str) -> str:
        """Return the cookie that keeps a purpose for a session."""
        sealed = self._sealer.seal(purpose, _USE, session)
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def read(self, cookie: str, session: str) -> str:
        """Return the purpose; "" when the cookie is not of this session, or none."""
        try:
            sealed = base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4))
            return self._sealer.open(sealed, _USE, session)
        except (UnsealError, binascii.Error, ValueError):
            return ""


def is_purpose(text: str) -> bool:
    """Tell whether a text can be stated: one line that says something, 1 to 200 characters."""
    return bool(text.strip()) and len(text) <= _LONGEST and _LINE.fullmatch(text) is not None
