"""`python -m services.audit serve | migrate | check-config`; the ends of keys; and recovery."""

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import uvloop

from runtime.clock import SystemClock
from runtime.fault import Fault
from runtime.process import NotReadyError
from runtime.settings import load
from services.audit import main, recovery
from services.audit.cases.destroy_kek import KekInUseError
from services.audit.domain.note import COSIGNATURE
from services.audit.settings import AuditSettings, log_origin, witness_name
from services.audit.store.key_encryption import create_key
from services.audit.store.log_keys import create_log_key, retire_log_keys, rotate_log_key
from services.audit.store.note_key import NoteKey, vkey_path

T = TypeVar("T")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.audit", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="serve until told to stop (the default)")
    commands.add_parser("migrate", help="bring both databases to the newest revision")
    commands.add_parser("seal", help="seal for the service that started it, over a pipe")
    commands.add_parser("check-config", help="check settings, keys and databases, and end")
    keygen = commands.add_parser(
        "keygen",
        help="make the keys of log and witness, their vkeys, and this month's key-encryption key",
    )
    keygen.add_argument("--kek-directory", type=Path, required=True)
    keygen.add_argument(
        "--rotate",
        action="store_true",
        help="make a new key of the log; the one of now signs too, until `retire`",
    )
    retire = commands.add_parser("retire", help="destroy the log's older keys, keep their vkeys")
    retire.add_argument(
        "--size", type=int, help="entries of the log until which they count: of its checkpoint now"
    )
    commands.add_parser(
        "rewrap",
        help="wrap parties' keys of older months under the newest; may run beside the service",
    )
    destroy = commands.add_parser(
        "destroy-kek",
        help="destroy a month's key-encryption key: with it end that month's erasures, and backups",
    )
    destroy.add_argument("month", help="<year>-<month>, of which `rewrap` left nothing")
    _add_recovery(commands)
    for command in (keygen, retire):
        command.add_argument("--region", required=True)
        command.add_argument("--log-key-file", type=Path, required=True)
    return parser.parse_args()


def run() -> None:
    """Run the command that was asked for."""
    arguments = _arguments()
    match arguments.command:
        case "migrate":
            main.migrate_all(load(AuditSettings))
        case "check-config":
            _check_config()
        case "keygen":
            path, origin = arguments.log_key_file, log_origin(arguments.region)
            _keygen(path, origin, arguments.kek_directory)
            _witness_keygen(path.with_name("witness.key"), witness_name(arguments.region))
            if arguments.rotate:
                _refused_or(rotate_log_key, path, origin)
            sys.stdout.write(vkey_path(path).read_text())
        case "retire":
            for key in _refused_or(
                partial(retire_log_keys, size=arguments.size),
                arguments.log_key_file,
                log_origin(arguments.region),
            ):
                sys.stdout.write(f"{key}\n")
        case "rewrap":
            uvloop.run(_rewrap(load(AuditSettings)))
        case "destroy-kek":
            _destroy_kek(load(AuditSettings), arguments.month)
        case "rebuild" | "backup" | "restore":
            _recover(load(AuditSettings), arguments)
        case command:
            uvloop.run(main.seal() if command == "seal" else main.serve(load(AuditSettings)))


_UNCOMPARED = """\
No --checkpoint is given, so nothing tells whether this log was published beyond what is restored.
If it was, going on signs a second history. Fetch what each witness of the policy has cosigned,
<its address>/<SHA-256 of the origin in hex>/checkpoint, before the service is started: it asks
them too when it starts, and goes on when none answers.
"""


def _add_recovery(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    commands.add_parser("rebuild", help="fill the log's empty database from the tile directory")
    backup = commands.add_parser(
        "backup", help="copy the published log, and the rows of the key database; may run any time"
    )
    backup.add_argument("--out", type=Path, required=True, help="directory: log/ grows, keys/ ends")
    restore = commands.add_parser("restore", help="put a backup back into empty databases")
    restore.add_argument("--from", type=Path, required=True, dest="source", help="the directory")
    restore.add_argument(
        "--key", type=Path, required=True, help="pinned vkey of the log, from elsewhere"
    )
    restore.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        default=[],
        help="a checkpoint that somebody kept: an older backup, or another history, is refused",
    )


def _recover(settings: AuditSettings, arguments: argparse.Namespace) -> None:
    clock = SystemClock()
    try:
        match arguments.command:
            case "rebuild":
                done = uvloop.run(recovery.rebuild(settings, clock, _progress))
            case "backup":
                done = uvloop.run(recovery.back_up(settings, arguments.out, clock, _progress))
            case _:
                pinned = recovery.Pinned(
                    arguments.key.read_text().split(),
                    [file.read_text() for file in arguments.checkpoint],
                )
                source = arguments.source
                if not arguments.checkpoint:
                    sys.stderr.write(_UNCOMPARED)
                done = uvloop.run(recovery.restore(settings, source, pinned, clock, _progress))
    except (Fault, NotReadyError, OSError) as error:
        sys.stderr.write("\n")
        sys.exit(str(error))
    sys.stderr.write("\n")
    sys.stdout.write(
        f"{done.size} entries, verified against this checkpoint:\n{done.note.strip()}\n"
    )


def _progress(done: int, of: int) -> None:
    sys.stderr.write(f"\r{done:,} of {of:,} entries")
    sys.stderr.flush()


def _check_config() -> None:
    try:
        main.check(load(AuditSettings))
    except NotReadyError as error:
        sys.exit(str(error))


async def _rewrap(settings: AuditSettings) -> None:
    total = 0
    async for count in main.rewrap(settings):
        total += count
        sys.stderr.write(f"\r{total} rows")
    sys.stdout.write(
        f"{total} rows wrapped anew. Back the key database up before `destroy-kek`: "
        "what was backed up before can no longer be read afterwards.\n"
    )


def _destroy_kek(settings: AuditSettings, month: str) -> None:
    try:
        uvloop.run(main.destroy_kek(settings, month))
    except KekInUseError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(
            f"{error}\nThe key of {month} is out of use, but its file is there still: its erasures "
            "are not complete. Remove it where it is kept (of the Secret audit-keks, and of what "
            "that is made from), wait until it is gone from here, and run this again."
        )
    sys.stdout.write(f"The key of {month} is destroyed, and so are the copies that it wrapped.\n")


def _keygen(log_key_file: Path, origin: str, kek_directory: Path) -> None:
    """Make what is missing; what exists is kept, so that running it again each month is safe."""
    for directory in (log_key_file.parent, kek_directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    create_log_key(log_key_file, origin)
    month = f"{datetime.now(UTC):%Y-%m}"
    if not (kek_directory / f"{month}.kek").exists():
        create_key(kek_directory, month)


def _witness_keygen(path: Path, name: str) -> None:
    """Make the key that cosigns, once: never the log's own, which says something else."""
    if not path.exists():
        NoteKey.create(path, name, COSIGNATURE)


def _refused_or(step: Callable[[Path, str], T], path: Path, origin: str) -> T:
    try:
        return step(path, origin)
    except (OSError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    run()
