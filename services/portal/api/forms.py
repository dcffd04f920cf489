"""What a browser posts, decoded strictly: UTF-8, bounded, known encoding or a clear refusal."""

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from services.portal.api.multipart import Upload, boundary_of, split_parts

MAXIMUM_BODY_BYTES = 64 * 1024
MAXIMUM_UPLOAD_BYTES = 512 * 1024  # of all files of a form together, beside its other fields
_MAXIMUM_FIELDS = 300
_FORM_TYPE = "application/x-www-form-urlencoded"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class Form:
    """The fields of one posted form; unknown fields are simply never asked for."""

    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    files: Mapping[str, Sequence[Upload]] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return the last value of a field without outer white space, or "" when absent."""
        values = self.fields.get(name)
        return values[-1].strip() if values else ""

    def many(self, name: str) -> tuple[str, ...]:
        """Return every non-empty value of a field in order, each once (tick boxes)."""
        return tuple(
            dict.fromkeys(value.strip() for value in self.fields.get(name, ()) if value.strip())
        )

    def lines(self, name: str) -> tuple[str, ...]:
        """Return the non-empty lines of a text area in order, each once."""
        return tuple(
            dict.fromkeys(line.strip() for line in self.text(name).splitlines() if line.strip())
        )

    def ticked(self, name: str) -> bool:
        """Tell whether a single tick box came along."""
        return bool(self.text(name))

    def day(self, name: str) -> date | None:
        """Return an ISO 8601 calendar day, or None when empty; ValueError when it is no day."""
        text = self.text(name)
        if not text:
            return None
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            raise ValueError(name)
        return date.fromisoformat(text)

    def end_of_day(self, name: str) -> datetime | None:
        """Return the moment after the last of a day in UTC, or None when empty.

        Raises ValueError when it is no day, and for the last day there is, which nothing follows.
        """
        day = self.day(name)
        if day == date.max:
            raise ValueError(name)
        return datetime.combine(day + timedelta(days=1), time.min, UTC) if day else None

    @property
    def request_id(self) -> str:
        """Return the id that makes a second submit of the same form harmless (a UUID4)."""
        try:
            return str(uuid.UUID(self.text("request_id"), version=4))
        except ValueError:
            raise HTTPException(400) from None


def decode_form(body: bytes) -> Form:
    """Decode an urlencoded body; HTTPException 400 when it is not UTF-8, not a form or too wide."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            encoding="utf-8",
            errors="strict",
            max_num_fields=_MAXIMUM_FIELDS,
        )
    except ValueError:
        raise HTTPException(400) from None
    return Form(_by_name(pairs))


def decode_upload(body: bytes, boundary: bytes) -> Form:
    """Decode a body with files; HTTPException 400 when it is none, as for other forms."""
    try:
        pairs, uploads = split_parts(body, boundary)
    except ValueError:
        raise HTTPException(400) from None
    files: dict[str, list[Upload]] = {}
    for name, upload in uploads:
        files.setdefault(name, []).append(upload)
    return Form(_by_name(pairs), files)


def _by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        if _CONTROL.search(value):
            raise HTTPException(400)
        fields.setdefault(name, []).append(value)
    return fields


async def read_form(request: Request, *, uploads: bool) -> Form:
    """Read and decode the posted form, with files where a page takes `uploads`.

    413 beyond MAXIMUM_BODY_BYTES, and MAXIMUM_UPLOAD_BYTES of files; 415 for another encoding.
    """
    content_type = request.headers.get("content-type", "")
    boundary = boundary_of(content_type) if uploads else None
    if boundary is None and content_type.partition(";")[0].strip().lower() != _FORM_TYPE:
        raise HTTPException(415)
    most = MAXIMUM_BODY_BYTES + (MAXIMUM_UPLOAD_BYTES if boundary else 0)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise HTTPException(413)
    return decode_upload(bytes(body), boundary) if boundary else decode_form(bytes(body))


def new_request_id() -> str:
    """Mint the id that a form carries so that it takes effect once."""
    return str(uuid.uuid4())
