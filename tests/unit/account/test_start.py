"""Account does not start half: what is wrong is said before a port is opened."""

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from pydantic import ValidationError

from runtime.migrations import migrate
from runtime.process import NotReadyError
from runtime.secret_file import write_secret
from runtime.testing import Bench
from services.account.main import MIGRATIONS, assembled
from services.account.settings import AccountSettings
from tests.unit.account.harness import PORTAL, providers_file


def settings_in(directory: Path, **more: object) -> tuple[Bench, AccountSettings]:
    key = directory / "sealing.key"
    if not key.exists():
        write_secret(key, base64.b64encode(bytes(32)).decode())
    bench = Bench(directory)
    values: dict[str, object] = {
        "database_url": f"sqlite:///{directory / 'account.db'}",
        "sharing_address": "127.0.0.1:1",
        "audit_address": "127.0.0.1:1",
        "portal_origin": PORTAL,
        "providers_file": directory / "nl" / "providers.yaml",
        "sealing_key_file": key,
    }
    return bench, bench.settings(AccountSettings, "account", **values | more)


@asynccontextmanager
async def started(directory: Path, **more: object) -> AsyncIterator[None]:
    bench, settings = settings_in(directory, **more)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(assembled(settings, clock=bench.clock, traces=bench.traces))
        yield


async def refusal_to_start(directory: Path, **more: object) -> str:
    with pytest.raises(NotReadyError) as refused:
        async with started(directory, **more):
            pass
    return str(refused.value)


async def test_a_database_that_is_not_migrated_is_named(tmp_path: Path) -> None:
    providers_file(tmp_path, "https://localhost:9443")
    assert "migrate" in await refusal_to_start(tmp_path)


async def test_a_providers_file_that_is_wrong_is_named(tmp_path: Path) -> None:
    file = providers_file(tmp_path, "https://localhost:9443")
    migrate(f"sqlite:///{tmp_path / 'account.db'}", MIGRATIONS)
    async with started(tmp_path):
        pass
    file.write_text(file.read_text().replace("kind: oidc", "kind: saml"))
    assert "providers.yaml" in await refusal_to_start(tmp_path)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("portal_origin", "http://localhost:8443"),
        ("portal_origin", "https://localhost:8443/"),
        ("sharing_address", "sharing"),
        ("database_url", "mysql://localhost/account"),
        ("sealing_key_file", "/nowhere"),
    ],
)
def test_a_bad_setting_is_refused(tmp_path: Path, setting: str, value: str) -> None:
    providers_file(tmp_path, "https://localhost:9443")
    with pytest.raises(ValidationError, match=setting if "url" not in setting else "database"):
        settings_in(tmp_path, **{setting: value})


def test_a_sealing_key_that_is_too_short_is_refused(tmp_path: Path) -> None:
    providers_file(tmp_path, "https://localhost:9443")
    write_secret(tmp_path / "sealing.key", base64.b64encode(bytes(16)).decode())
    with pytest.raises(ValidationError, match="32 bytes"):
        settings_in(tmp_path)


def test_a_sealing_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    providers_file(tmp_path, "https://localhost:9443")
    write_secret(tmp_path / "sealing.key", base64.b64encode(bytes(32)).decode())
    (tmp_path / "sealing.key").chmod(0o644)
    with pytest.raises(ValidationError, match="open to others"):
        settings_in(tmp_path)
