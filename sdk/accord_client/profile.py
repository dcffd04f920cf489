"""Who calls, and where the mesh is: a TOML file, each value of which may be given otherwise.

.. code-block:: toml

    region = "nl"
    certificate_file = "mi-store.crt"    # paths are relative to this file
    key_file = "mi-store.key"
    trust_bundle_file = "trust.pem"
    account_address = "127.0.0.1:7001"
    sharing_address = "127.0.0.1:7002"
    audit_address = "127.0.0.1:7003"
    portal_url = "https://localhost:8443"
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints


class ProfileError(Exception):
    """A setting is missing or malformed; the message says which and how to give it."""


@dataclass(frozen=True)
class Profile:
    """The caller's certificate and the addresses it calls. An address may be left empty."""

    region: str
    certificate_file: Path
    key_file: Path
    trust_bundle_file: Path
    account_address: str = ""
    sharing_address: str = ""
    audit_address: str = ""
    portal_url: str = ""

    def address(self, service: str) -> str:
        """``host:port`` of a service; raises ProfileError if it was not given."""
        address = str(getattr(self, f"{service}_address"))
        if not address:
            raise ProfileError(_how_to_give(f"{service}_address"))
        return address


def load_profile(
    file: Path | None, given: Mapping[str, str | None], environ: Mapping[str, str] = os.environ
) -> Profile:
    """Puts a profile together: ``given`` beats ``ACCORD_<NAME>``, which beats the file.

    Raises ProfileError for what is missing or unknown.
    """
    return Profile(**load_settings(file, given, _required(), environ))


def load_settings(
    file: Path | None,
    given: Mapping[str, str | None],
    required: Sequence[str],
    environ: Mapping[str, str] = os.environ,
) -> dict[str, Any]:
    """The settings alone, for what is done without a certificate.

    Raises ProfileError for what is unknown, and for what of ``required`` is missing.
    """
    settings = _read(file) if file is not None else {}
    for name in _names():
        value = given.get(name) or environ.get(f"ACCORD_{name.upper()}")
        if value:
            settings[name] = value
    types = get_type_hints(Profile)
    missing = [name for name in required if name not in settings]
    if missing:
        raise ProfileError(_how_to_give(missing[0]))
    return {name: types[name](value) for name, value in settings.items()}


def _read(file: Path) -> dict[str, str]:
    try:
        content = tomllib.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise ProfileError(f"cannot read the profile {file}: {error}") from error
    types = get_type_hints(Profile)
    for name, value in content.items():
        if name not in types or not isinstance(value, str):
            raise ProfileError(f"{file}: {name} is not a setting of a profile")
        if types[name] is Path:
            content[name] = str(file.parent / value)
    return content


def _names() -> list[str]:
    return [item.name for item in fields(Profile)]


def _required() -> list[str]:
    return _names()[:4]


def _how_to_give(name: str) -> str:
    return (
        f"{name} is not known: name a profile (--profile, ACCORD_PROFILE) "
        f"or give --{name.replace('_', '-')} or ACCORD_{name.upper()}"
    )
