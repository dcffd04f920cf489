"""`python -m services.portal serve | check-config`."""

import argparse

import uvloop

from runtime.settings import load
from services.portal import main
from services.portal.settings import PortalSettings


def run() -> None:
    """Run the command that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m services.portal", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="serve until told to stop (the default)")
    commands.add_parser("check-config", help="check the settings, and end")
    arguments = parser.parse_args()
    settings = load(PortalSettings)
    if arguments.command != "check-config":
        uvloop.run(main.serve(settings))


if __name__ == "__main__":
    run()
