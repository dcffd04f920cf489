"""`python -m services.audit serve | migrate | check-config | keygen`."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from runtime.process import NotReadyError
from runtime.settings import load
from services.audit import main
from services.audit.settings import AuditSettings, log_origin
from services.audit.store.key_encryption import create_key
from services.audit.store.log_key import LogKey, vkey_path


def run() -> None:
    """Run the command that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m services.audit", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="serve until told to stop (the default)")
    commands.add_parser("migrate", help="bring both databases to the newest revision")
    commands.add_parser("check-config", help="check settings, keys and databases, and end")
    keygen = commands.add_parser(
        "keygen", help="make the log's key, its vkey, and this month's key-encryption key"
    )
    keygen.add_argument("--region", required=True)
    keygen.add_argument("--log-key-file", type=Path, required=True)
    keygen.add_argument("--kek-directory", type=Path, required=True)
    arguments = parser.parse_args()
    match arguments.command:
        case "migrate":
            main.migrate_all(load(AuditSettings))
        case "check-config":
            _check_config()
        case "keygen":
            _keygen(arguments.region, arguments.log_key_file, arguments.kek_directory)
        case _:
            uvloop.run(main.serve(load(AuditSettings)))


def _check_config() -> None:
    try:
        main.check(load(AuditSettings))
    except NotReadyError as error:
        sys.exit(str(error))


def _keygen(region: str, log_key_file: Path, kek_directory: Path) -> None:
    """Make what is missing; what exists is kept, so that running it again each month is safe."""
    for directory in (log_key_file.parent, kek_directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not log_key_file.exists():
        LogKey.create(log_key_file, log_origin(region))
    month = f"{datetime.now(UTC):%Y-%m}"
    if not (kek_directory / f"{month}.kek").exists():
        create_key(kek_directory, month)
    sys.stdout.write(vkey_path(log_key_file).read_text())


if __name__ == "__main__":
    run()
