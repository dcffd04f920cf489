"""`python -m services.sharing serve | migrate | check-config | keygen`."""

import argparse
import sys
from pathlib import Path

from runtime import processes
from runtime.process import NotReadyError
from runtime.seal import make_key
from runtime.settings import load
from services.sharing import main
from services.sharing.settings import SharingSettings


def run() -> None:
    """Run the command that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m services.sharing", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="serve until told to stop (the default)")
    commands.add_parser("migrate", help="bring the database to the newest revision")
    commands.add_parser("check-config", help="check settings, rulebook, apps and database, and end")
    keygen = commands.add_parser("keygen", help="make the sealing key; what exists is kept")
    keygen.add_argument("--sealing-key-file", type=Path, required=True)
    arguments = parser.parse_args()
    match arguments.command:
        case "migrate":
            main.migrate_all(load(SharingSettings))
        case "check-config":
            _check_config()
        case "keygen":
            make_key(arguments.sealing_key_file)
        case _:
            processes.run("sharing", load(SharingSettings), main.serve)


def _check_config() -> None:
    try:
        main.check(load(SharingSettings))
    except NotReadyError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    run()
