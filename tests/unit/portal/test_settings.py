"""A portal that was told something wrong does not start, and says what."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from tests.unit.portal.conftest import portal_settings

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_right_is_taken(tmp_path: Path) -> None:
    settings = portal_settings(tmp_path)
    assert settings.form_key == b"f" * 32
    assert [key.name for key in settings.log_keys] == ["nl.accord.internal/audit"]


@pytest.mark.parametrize("host", ["https://jaeger.example", "http://localhost:16686"])
def test_a_viewer_is_asked_over_https_or_on_this_machine(tmp_path: Path, host: str) -> None:
    viewer = f"{host}/trace/{{trace_id}}"
    assert portal_settings(tmp_path, trace_viewer_url=viewer).trace_viewer_url == viewer


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("portal_origin", "http://portal.test"),
        ("portal_origin", "https://portal.test/"),
        ("provider_origins", "https://id.test; script-src *"),
        ("provider_origins", "https://id.test 'unsafe-inline'"),
        ("provider_origins", "http://id.test"),
        ("trace_viewer_url", "http://localhost.example/trace/{trace_id}"),
        ("trace_viewer_url", "http://localhost:1@example/trace/{trace_id}"),
        ("trace_viewer_url", "javascript:{trace_id}"),
        ("web_listen", "8443"),
        ("account_address", "nowhere"),
        ("web_key_file", "/nonexistent/web.key"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(
    tmp_path: Path, setting: str, value: str
) -> None:
    with pytest.raises(ValidationError, match=setting):
        portal_settings(tmp_path, **{setting: value})


@pytest.mark.parametrize("content", [b"not base64!", base64.b64encode(b"short"), b""])
def test_a_form_key_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    bad = tmp_path / "bad.key"
    bad.touch(mode=0o600)
    bad.write_bytes(content)
    bad.chmod(0o600)
    with pytest.raises(ValidationError, match="form_key_file"):
        portal_settings(tmp_path, form_key_file=bad)


def test_a_log_key_that_is_none_is_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad.vkey"
    bad.write_text("nl.accord.internal/audit+00000000+AAAA\n")
    with pytest.raises(ValidationError, match="log_key_file"):
        portal_settings(tmp_path, log_key_file=bad)
