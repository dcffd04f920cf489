"""What verifying commands share: ``--key``, ``--policy``, ``--processes``; and what is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from accord_client.cli.session import Exit, Failure
from accord_client.failure import VerificationError
from accord_client.note import VerifierKey, parse_keys
from accord_client.policy import MAX_POLICY_BYTES, Policy
from accord_client.trust import Trust

F = TypeVar("F", bound=Callable[..., object])

PATH = click.Path(dir_okay=False, path_type=Path)
EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
_MAX_KEY_FILE = 1 << 20

_KEY = click.option(
    "--key",
    "key_files",
    type=EXISTING,
    multiple=True,
    help="File of pinned verifier keys, one a line; may be given again.",
)
_POLICY = click.option(
    "--policy",
    "policy_file",
    type=EXISTING,
    help="Trust policy (c2sp.org/tlog-policy): which witnesses must have cosigned.",
)

processes_option = click.option(
    "--processes", type=click.IntRange(1, 64), help="How many; default: as many as help."
)


def trust_options(command: F) -> F:
    """Adds ``--key`` and ``--policy``; the command takes ``key_files`` and ``policy_file``."""
    return _KEY(_POLICY(command))


def read_trust(key_files: tuple[Path, ...], policy_file: Path | None) -> Trust:
    """Reads what is pinned; ends the command when it says nothing or cannot be understood."""
    policy = read_policy(policy_file) if policy_file else None
    keys: dict[VerifierKey, None] = {}
    for file in key_files:
        keys |= dict.fromkeys(_read_keys(file))
    trust = Trust(tuple(keys), policy)
    if not trust.log_keys:
        raise Failure(
            Exit.BAD_INPUT,
            "whose log is it? Give --key FILE with the log's verifier key (its operator publishes "
            "it, and it must not come from the log itself), or a --policy that lists the log",
        )
    return trust


def read_policy(file: Path) -> Policy:
    """Reads a policy; ends the command when the file is none."""
    try:
        with file.open("rb") as stream:
            return Policy.parse(stream.read(MAX_POLICY_BYTES + 1))
    except VerificationError as error:
        raise Failure(Exit.BAD_INPUT, f"{file}: {error}") from error


def _read_keys(file: Path) -> tuple[VerifierKey, ...]:
    try:
        with file.open("rb") as stream:
            return parse_keys(stream.read(_MAX_KEY_FILE).decode())
    except (VerificationError, UnicodeDecodeError) as error:
        raise Failure(Exit.BAD_INPUT, f"{file}: {error}") from error
