"""Forms with files, as browsers post them (RFC 7578), decoded strictly: read whole, or refused."""

import re
from dataclasses import dataclass

_BOUNDARY = re.compile(
    r"multipart/form-data; *boundary=(\"?)([0-9A-Za-z'()+_,./:=?-]{1,70})\1", re.IGNORECASE
)
_HEAD = re.compile(
    r"content-disposition: form-data; name=\"([^\"\r\n]*)\"(?:; filename=\"([^\"\r\n]*)\")?"
    r"(?:\r\ncontent-type: [^\r\n]*)?",
    re.IGNORECASE,
)
_MOST_PARTS = 300


@dataclass(frozen=True)
class Upload:
    """A file that somebody chose; its name is theirs, and no path of ours."""

    name: str
    content: bytes


def boundary_of(content_type: str) -> bytes | None:
    """Return what stands between the parts; None for another type."""
    found = _BOUNDARY.fullmatch(content_type.strip())
    return found[2].encode() if found else None


def split_parts(
    body: bytes, boundary: bytes
) -> tuple[list[tuple[str, str]], list[tuple[str, Upload]]]:
    """Return the texts and the files of a body by their fields; ValueError for any other body.

    A field of files in which none was chosen is sent as a file without a name: it is left out.
    """
    before, *parts, end = (b"\r\n" + body).split(b"\r\n--" + boundary, _MOST_PARTS + 1)
    if before or end not in {b"--", b"--\r\n"}:
        raise ValueError("begins or ends as no form does")
    texts, files = [], []
    for part in parts:
        head, parted, content = part.partition(b"\r\n\r\n")
        found = _HEAD.fullmatch(head.removeprefix(b"\r\n").decode())
        if not parted or not head.startswith(b"\r\n") or not found:
            raise ValueError("a part without a head")
        if found[2] is None:
            texts.append((found[1], content.decode()))
        elif found[2]:
            files.append((found[1], Upload(found[2], content)))
    return texts, files
