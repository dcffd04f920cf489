"""The command without a mesh: what it teaches, what it refuses, its exit codes."""

from __future__ import annotations

import base64
import datetime as dt
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from accord_client.cli import cli
from accord_client.cli.filters import MOMENT, filter_in_words, read_filter
from accord_client.cli.session import Exit
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from runtime.authority import Authority
from tests.unit.sdk.evidence import ORIGIN, Signer, checkpoint_text, entry, proof_file

LOG = Signer(ORIGIN)


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from commands(child, (*path, name))


@pytest.mark.parametrize("path", list(commands(cli)), ids=" ".join)
def test_every_command_explains_itself_and_speaks_json(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, [*path, "--help"])
    assert result.exit_code == Exit.OK
    assert "Commands:" in result.output or "--json" in result.output


@pytest.fixture
def evidence(tmp_path: Path) -> tuple[Path, Path]:
    leaf = entry(fields={"recipient": "recipients/dhl"})
    salt = base64.b64encode(bytes(32)).decode()
    opening = [0, 0, "recipient", salt, "recipients/dhl"]
    extra = {"leaf": base64.b64encode(leaf).decode(), "openings": [opening]}
    proof = tmp_path / "decision.tlog-proof"
    proof.write_bytes(proof_file(LOG, [entry(9), leaf], 1, json.dumps(extra).encode()).serialise())
    key = tmp_path / "log.vkey"
    key.write_text(f"{LOG.key}\n")
    return proof, key


def test_verify_says_in_plain_words_what_was_proved(evidence: tuple[Path, Path]) -> None:
    proof, key = evidence
    result = CliRunner().invoke(cli, ["audit", "verify", str(proof), "--key", str(key)])
    assert result.exit_code == Exit.OK
    assert "VERIFIED" in result.output
    assert "recipients/dhl" in result.output
    assert "Not proved" in result.output


def test_verify_speaks_json(evidence: tuple[Path, Path]) -> None:
    proof, key = evidence
    result = CliRunner().invoke(cli, ["audit", "verify", str(proof), "--key", str(key), "--json"])
    answer = json.loads(result.output)
    assert answer["verified"] is True
    assert answer["shown"] == {"recipient": "recipients/dhl"}


def test_a_changed_proof_is_refused_naming_what_failed(evidence: tuple[Path, Path]) -> None:
    proof, key = evidence
    proof.write_bytes(proof.read_bytes().replace(b"index 1", b"index 0"))
    command = ["audit", "verify", str(proof), "--key", str(key)]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == Exit.REFUSED
    assert "NOT VERIFIED (inclusion)" in result.stderr
    result = CliRunner().invoke(cli, [*command, "--json"])
    assert json.loads(result.stderr)["obligation"] == "inclusion"


def test_a_key_file_that_is_none_is_bad_input(evidence: tuple[Path, Path]) -> None:
    proof, _ = evidence
    result = CliRunner().invoke(cli, ["audit", "verify", str(proof), "--key", str(proof)])
    assert result.exit_code == Exit.BAD_INPUT


def kept_checkpoint(directory: Path, size: int, signer: Signer = LOG) -> list[str]:
    text = checkpoint_text(size, bytes(32))
    kept, key = directory / "kept.checkpoint", directory / "log.vkey"
    kept.write_text(f"{text}\n{signer.line(text)}")
    key.write_text(f"{LOG.key}\n")
    return ["audit", "consistent", str(kept), "--key", str(key)]


def test_a_kept_checkpoint_is_verified_before_the_log_is_asked(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, kept_checkpoint(tmp_path, 3, Signer(ORIGIN)))
    assert result.exit_code == Exit.REFUSED
    assert "NOT VERIFIED (signature)" in result.stderr


def test_a_checkpoint_of_an_empty_log_has_nothing_to_prove(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, kept_checkpoint(tmp_path, 0))
    assert result.exit_code == Exit.BAD_INPUT
    assert "empty log" in result.stderr


def test_a_missing_setting_is_named_with_every_way_to_give_it() -> None:
    result = CliRunner().invoke(cli, ["contracts", "list"], env={})
    assert result.exit_code == Exit.BAD_INPUT
    assert "--region" in result.stderr
    assert "ACCORD_REGION" in result.stderr


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """A whole profile, with the address of a port at which nobody listens."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    certificate = x509.CertificateBuilder(
        name, name, key.public_key(), 1, x509_date(2020), x509_date(2100)
    ).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    (tmp_path / "app.crt").write_bytes(certificate.public_bytes(pem))
    (tmp_path / "app.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    file = tmp_path / "app.toml"
    file.write_text(
        'region = "nl"\ncertificate_file = "app.crt"\nkey_file = "app.key"\n'
        f'trust_bundle_file = "app.crt"\nsharing_address = "{address}"\n'
    )
    return file


def x509_date(year: int) -> dt.datetime:
    return dt.datetime(year, 1, 1, tzinfo=dt.UTC)


def test_a_service_that_does_not_answer_has_an_exit_code_of_its_own(profile: Path) -> None:
    result = CliRunner().invoke(cli, ["--profile", str(profile), "contracts", "list", "--json"])
    assert result.exit_code == Exit.UNAVAILABLE
    assert "UNAVAILABLE" in json.loads(result.stderr)["error"]


def test_an_address_that_was_not_given_is_named(profile: Path) -> None:
    result = CliRunner().invoke(
        cli, ["--profile", str(profile), "audit", "list", "--purpose", "review"]
    )
    assert result.exit_code == Exit.BAD_INPUT
    assert "--audit-address" in result.stderr


def test_a_profile_with_an_unknown_setting_is_refused(profile: Path) -> None:
    profile.write_text(profile.read_text() + 'sharing = "typo"\n')
    result = CliRunner().invoke(cli, ["--profile", str(profile), "contracts", "list"])
    assert result.exit_code == Exit.BAD_INPUT
    assert "sharing is not a setting" in result.stderr


@pytest.mark.parametrize("command", ["list", "tail", "export"])
@pytest.mark.parametrize("option", ["account", "actor", "recipient", "trace", "producer", "from"])
def test_a_filter_that_is_empty_asks_for_nothing(profile: Path, command: str, option: str) -> None:
    words = ["audit", command, "--purpose", "review", f"--{option}", ""]
    words += ["--out", "none.bundle"] if command == "export" else []
    result = CliRunner().invoke(cli, ["--profile", str(profile), *words])
    assert result.exit_code == Exit.BAD_INPUT
    assert f"--{option}" in result.stderr


def test_the_whole_log_is_exported_if_that_is_said_and_nothing_else(profile: Path) -> None:
    words = ["--profile", str(profile), "audit", "export", "--purpose", "review", "--out", "none"]
    for wrong in ([], ["--all", "--outcome", "deny"]):
        result = CliRunner().invoke(cli, [*words, *wrong])
        assert result.exit_code == Exit.BAD_INPUT
        assert "--all for the whole log" in result.stderr
    assert "--audit-address" in CliRunner().invoke(cli, [*words, "--all"]).stderr


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("2026-04-01", "2026-04-01T00:00:00Z"),
        ("2026-04-01T09:30:00", "2026-04-01T09:30:00Z"),
        ("2026-04-01T09:30:00.123Z", "2026-04-01T09:30:00.123Z"),
        ("2026-04-01T09:30:00.123456+05:30", "2026-04-01T04:00:00.123456Z"),
    ],
)
def test_a_time_is_taken_as_the_log_prints_it(given: str, meant: str) -> None:
    parsed = {"start": MOMENT.convert(given, None, None)}
    assert read_filter(parsed).start_time.ToJsonString() == meant
    assert dt.datetime.fromisoformat(filter_in_words(parsed)["from"]) == parsed["start"]
    with pytest.raises(click.BadParameter):
        MOMENT.convert("0001-01-01T00:00:00+14:00", None, None)


@pytest.mark.parametrize(
    ("log", "code", "says"),
    [
        ("nowhere", Exit.BAD_INPUT, "there is no log at"),
        ("empty", Exit.BAD_INPUT, "neither checkpoint nor checkpoints.jsonl"),
        ("random", Exit.BAD_INPUT, "not a database"),
        ("https://127.0.0.1:1/log", Exit.UNAVAILABLE, "cannot be reached"),
    ],
)
def test_where_there_is_no_log_the_command_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: str, code: Exit, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("random").write_bytes(b"anything" * 1000)
    Path("key").write_text(f"{Signer(ORIGIN).key}\n")
    Path("token").write_text("t" * 40)
    Path("trust.pem").write_bytes(Authority.create("nl.accord.internal").pem)
    given = ["--region", "nl", "--trust-bundle-file", "trust.pem"]
    words = ["audit", "fsck", log, "--key", "key", "--token-file", "token"]
    result = CliRunner().invoke(cli, [*given, *words])
    assert result.exit_code == code, result.output
    assert says in result.stderr
