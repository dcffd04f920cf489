"""Places inside the portal that a person may be sent back to."""

import re

_LOCAL = re.compile(r"/(?:[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*/?)?")
_LONGEST = 200


def local_path(candidate: str) -> str:
    """Return `candidate` when it is a plain path of this portal, else "/".

    No scheme, host, query, escape or dot segment passes: a crafted link can send nobody elsewhere
    (open redirect), and a remembered path carries nothing but the page's own name.
    """
    if len(candidate) > _LONGEST or not _LOCAL.fullmatch(candidate):
        return "/"
    if any(part in {".", ".."} for part in candidate.split("/")):
        return "/"
    return candidate
