"""Posted forms: strictly decoded, or refused; never a crash."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from services.portal.api.forms import Form, decode_form, decode_upload, new_request_id
from services.portal.api.multipart import Upload, boundary_of

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=20)


@given(st.lists(st.tuples(words.filter(bool), words), max_size=20))
def test_what_a_browser_sends_is_read_back(pairs: list[tuple[str, str]]) -> None:
    form = decode_form(urlencode(pairs).encode())
    for name, value in dict(pairs).items():
        assert form.text(name) == value.strip()


@given(st.binary(max_size=200))
def test_any_bytes_are_a_form_or_a_refusal(body: bytes) -> None:
    with suppress(HTTPException):
        assert isinstance(decode_form(body), Form)


@pytest.mark.parametrize(
    "body", [b"a=%ff", b"a=\xff", b"a=%00", b"a=%1b", b"nothing", b"&".join([b"a=1"] * 400)]
)
def test_what_is_no_form_of_ours_is_refused(body: bytes) -> None:
    with pytest.raises(HTTPException) as refused:
        decode_form(body)
    assert refused.value.status_code == 400


def posted(*parts: bytes, end: bytes = b"--B--\r\n") -> bytes:
    """A body as browsers write it."""
    return b"".join(b"--B\r\nContent-Disposition: form-data; " + each for each in parts) + end


FILE = (
    b'name="rules"; filename="k\xc3\xa9y.yaml"\r\n'
    b"Content-Type: application/yaml\r\n\r\na: b\r\n\r\n"
)


def test_files_are_read_back_beside_the_fields() -> None:
    none = b'name="notices"; filename=""\r\nContent-Type: application/octet-stream\r\n\r\n\r\n'
    form = decode_upload(posted(b'name="change"\r\n\r\nrules\r\n', none, FILE, FILE), b"B")
    assert form.text("change") == "rules"
    assert form.files == {"rules": [Upload("kéy.yaml", b"a: b\r\n")] * 2}


@given(st.lists(st.binary(max_size=60)), st.binary(max_size=60))
def test_any_bytes_with_files_are_a_form_or_a_refusal(parts: list[bytes], end: bytes) -> None:
    for body in (end, posted(*parts), posted(FILE, *parts, end=end)):
        with suppress(HTTPException):
            assert isinstance(decode_upload(body, b"B"), Form)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        posted(FILE, end=b""),
        posted(FILE, end=b"--B--\r\nmore"),
        b"before" + posted(FILE),
        posted(FILE.replace(b"\xc3\xa9", b"\xff")),
        posted(b'name="change"\r\n\r\n\x00\r\n'),
        posted(b'name="change"\r\n\r\n\xff\r\n'),
        posted(b'name="change"\r\nContent-Transfer-Encoding: base64\r\n\r\neA==\r\n'),
        posted(*[b'name="a"\r\n\r\nb\r\n'] * 301),
    ],
)
def test_what_is_no_form_with_files_is_refused(body: bytes) -> None:
    with pytest.raises(HTTPException) as refused:
        decode_upload(body, b"B")
    assert refused.value.status_code == 400


@pytest.mark.parametrize(
    ("content_type", "found"),
    [
        ("multipart/form-data; boundary=----WebKitFormBoundaryx1", b"----WebKitFormBoundaryx1"),
        ('Multipart/Form-Data; boundary="B"', b"B"),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=", None),
        ("multipart/form-data; boundary=" + "b" * 71, None),
        ("multipart/mixed; boundary=B", None),
        ("application/x-www-form-urlencoded", None),
    ],
)
def test_what_stands_between_the_parts_is_told_by_the_type(
    content_type: str, found: bytes | None
) -> None:
    assert boundary_of(content_type) == found


def test_boxes_lines_and_days() -> None:
    form = Form(
        {
            "box": ["b", "a", "b", " "],
            "lines": ["one\r\n two \n\none"],
            "day": ["2026-02-28"],
            "no_day": ["2026-02-30"],
            "odd_day": ["20260228"],
        }
    )
    assert form.many("box") == ("b", "a")
    assert form.lines("lines") == ("one", "two")
    assert form.day("day") == date(2026, 2, 28)
    assert form.day("absent") is None
    for name in ("no_day", "odd_day"):
        with pytest.raises(ValueError, match="day"):
            form.day(name)


def test_a_day_counts_to_its_end_and_the_last_day_there_is_has_none() -> None:
    form = Form({"day": ["2026-12-31"], "last": ["9999-12-31"], "odd": ["soon"]})
    assert form.end_of_day("day") == datetime(2027, 1, 1, tzinfo=UTC)
    assert form.end_of_day("absent") is None
    for name in ("last", "odd"):
        with pytest.raises(ValueError, match=name):
            form.end_of_day(name)


def test_a_form_takes_effect_once() -> None:
    known = new_request_id()
    assert Form({"request_id": [known]}).request_id == known
    with pytest.raises(HTTPException):
        _ = Form({"request_id": ["made up"]}).request_id
