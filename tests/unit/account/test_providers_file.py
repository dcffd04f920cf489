"""Providers are data: a file that is wrong ends the start with a sentence for each mistake."""

from pathlib import Path

import httpx
import pytest
import yaml

from runtime.clock import SystemClock
from services.account.peers.directory import Directory, ProviderFileError

GOOD: dict[str, object] = {
    "key": "google",
    "title": "Google",
    "kind": "oidc",
    "issuer": "https://accounts.google.com",
    "issuer_aliases": ["accounts.google.com"],
    "hosts": ["accounts.google.com", "oauth2.googleapis.com", "www.googleapis.com"],
    "client_id": "c",
    "client_secret_file": "google.secret",
    "email_authority": {"domains": ["gmail.com"], "hosted": True},
}


async def load(directory: Path, *providers: dict[str, object]) -> Directory:
    for name, content in (("google", "s\n"), ("empty", "\n")):
        (directory / f"{name}.secret").touch(mode=0o600)
        (directory / f"{name}.secret").write_text(content)
    path = directory / "providers.yaml"
    path.write_text(yaml.safe_dump({"providers": list(providers)}))
    async with httpx.AsyncClient() as client:
        return Directory.load(path, "https://localhost:8443", client, SystemClock())


async def test_a_provider_is_added_by_data_alone(tmp_path: Path) -> None:
    other = GOOD | {"key": "mail", "title": "Mail", "issuer": "https://id.mail.example"}
    directory = await load(tmp_path, GOOD, other)
    assert [provider.key for provider in directory.all()] == ["google", "mail"]
    assert directory.callback("mail") == "https://localhost:8443/callback/mail"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"kind": "saml"}, "kind"),
        ({"issuer": "http://accounts.google.com"}, "issuer"),
        ({"issuer": "https://accounts.google.com/"}, "issuer"),
        ({"key": "Google!"}, "key"),
        ({"hosts": []}, "hosts"),
        ({"scopes": ["email"]}, "openid"),
        ({"client_secret_file": "missing.secret"}, "missing.secret"),
        ({"client_secret_file": "empty.secret"}, "empty"),
        ({"availability": {"only_in": ["XX"]}}, "no such country: XX"),
        ({"colour": "blue"}, "colour"),
        ({"client_secret": "in the file"}, "client_secret"),
    ],
)
async def test_a_mistake_is_named_and_secrets_are_not(
    tmp_path: Path, change: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ProviderFileError, match=sentence) as refused:
        await load(tmp_path, GOOD | change)
    assert "in the file" not in str(refused.value)


async def test_two_providers_share_neither_key_nor_issuer(tmp_path: Path) -> None:
    with pytest.raises(ProviderFileError, match="same key"):
        await load(tmp_path, GOOD, GOOD)
    with pytest.raises(ProviderFileError, match="same issuer"):
        await load(tmp_path, GOOD, GOOD | {"key": "again"})


@pytest.mark.parametrize("text", ["", "providers: []", "{", "- google"])
async def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "providers.yaml"
    path.write_text(text)
    async with httpx.AsyncClient() as client:
        with pytest.raises(ProviderFileError):
            Directory.load(path, "https://localhost:8443", client, SystemClock())
