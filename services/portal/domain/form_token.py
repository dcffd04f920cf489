"""Form tokens: a form that was not rendered for this browser is not accepted from it.

The token is an HMAC over a cookie that only this browser holds, so that the portal keeps no list
of forms and any replica can check any form.
"""

import hashlib
import hmac

MINIMUM_KEY_BYTES = 32
_LABEL = b"accord portal form v1\0"


def form_token(key: bytes, browser: str) -> str:
    """Make the token for a browser, named by its session or flow cookie: 64 hex digits."""
    return hmac.new(key, _LABEL + browser.encode(), hashlib.sha256).hexdigest()


def form_token_holds(key: bytes, browser: str, presented: str) -> bool:
    """Tell whether `presented` was made for this browser, in constant time.

    An empty `browser` never holds: without a cookie there is nothing to be bound to.
    """
    if not browser:
        return False
    return hmac.compare_digest(form_token(key, browser).encode(), presented.encode())
