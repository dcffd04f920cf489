"""`make up`: start a region, play the tour on its first start, say where to look, stay up.

REGIONS="in nl ru sg" starts several, whose audit services cosign each other's logs.
"""

import json
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
from rich.console import Console

from sandbox.browser import LostError
from sandbox.mesh import Mesh
from sandbox.process import StartError
from sandbox.regions import Regions
from sandbox.story import Story
from sandbox.tour import Tour, TourError

_ROOT = Path("var")
_REGIONS = ("in", "nl", "ru", "sg")
_REGION = "nl"
_WATCH_S = 1.0


def main() -> int:
    """Run until Ctrl-C; the exit status says whether all went well."""
    console = Console(highlight=False, soft_wrap=True)
    names = os.environ.get("REGIONS", _REGION).split()
    if not names or len(set(names)) < len(names) or not set(names) <= set(_REGIONS):
        console.print(f"REGIONS names each of {', '.join(_REGIONS)} once at most.")
        return 2
    regions = Regions(names, _ROOT)
    for stop in (signal.SIGINT, signal.SIGTERM):  # also where a shell ignores SIGINT for us
        signal.signal(stop, signal.default_int_handler)
    try:
        return _run(regions, console)
    except KeyboardInterrupt:
        return 0
    except StartError as error:
        console.print(f"[bold red]Accord did not start.[/] {error}", markup=True)
        return 1
    finally:
        _stop(regions, console)


def _run(regions: Regions, console: Console) -> int:
    names = ", ".join(mesh.region for mesh in regions)
    began = time.monotonic()
    console.print(f"Starting {names} …")
    regions.start()
    console.print(f"{names} serves, after {time.monotonic() - began:.1f} s.")
    first = next((mesh for mesh in regions if mesh.region == _REGION), next(iter(regions)))
    played = first.material.home / "tour.json"
    if not played.exists():
        try:
            Tour(first, Story(console)).play()
        except (TourError, LostError, httpx.HTTPError) as error:
            console.print(f"[bold red]The tour stopped:[/] {type(error).__name__}")
            console.print(str(error), markup=False)
            console.print(
                f"Logs are in {first.material.home / 'log'}. To begin anew: rm -r {_ROOT}"
            )
            return 1
        played.write_text(json.dumps({"played": datetime.now(UTC).isoformat()}) + "\n")
    for mesh in regions:
        _say_where(mesh, console)
    never = threading.Event()
    while not never.wait(_WATCH_S):
        for mesh, name in regions.failed():
            log = mesh.material.log(name)
            console.print(f"[bold red]{mesh.region} {name} has ended by itself[/]; see {log}")
            return 1
    return 0


def _say_where(mesh: Mesh, console: Console) -> None:
    material, here, accord = mesh.material, Path.cwd(), ".venv/bin/accord"

    def short(path: Path) -> Path:
        return path.relative_to(here) if path.is_relative_to(here) else path

    console.print(f"""
[bold]Accord is up: region {mesh.region}.[/] Ctrl-C stops it; the next start goes on from here.

  portal       [bold]{mesh.portal}[/]      sign in as anybody the sandbox offers
  providers    {mesh.providers}      stand-ins for Google and Facebook
  AuthZEN      {mesh.tools}      the front door for tools, see docs/doors.md
  the log      {mesh.tiles}      as files, for tools that verify it; see docs/doors.md
  logs         {short(material.log("sharing").parent)}/

  Your browser does not know the certificate of this machine yet. Import
  {short(material.web_root)} as an authority for web sites, or on Debian and Ubuntu:
    sudo cp {short(material.web_root)} /usr/local/share/ca-certificates/accord-local.crt
    sudo update-ca-certificates
  It is good for localhost; its key is in the same directory, for you alone.

  Ask as the store:      {accord} --profile {short(material.profile("mi-store"))} check --help
  Invite staff:          bin/staff add officer NAME
  Read as an auditor:    {accord} --profile {short(material.profile("auditor"))} audit list
  Verify offline:        {accord} audit verify FILE --key {short(material.log_key)}
""")


def _stop(regions: Regions, console: Console) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # a second Ctrl-C must not leave half of it up
        signal.signal(number, signal.SIG_IGN)
    console.print("\nStopping …")
    killed = regions.stop()
    console.print(f"Killed, since they did not stop: {', '.join(killed)}" if killed else "Stopped.")


if __name__ == "__main__":
    sys.exit(main())
