"""`python -m services.sharing serve | migrate | check-config`."""

import argparse
import sys

import uvloop

from runtime.process import NotReadyError
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
    arguments = parser.parse_args()
    match arguments.command:
        case "migrate":
            main.migrate_all(load(SharingSettings))
        case "check-config":
            _check_config()
        case _:
            uvloop.run(main.serve(load(SharingSettings)))


def _check_config() -> None:
    try:
        main.check(load(SharingSettings))
    except NotReadyError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    run()
