"""`make up`: start a region, play the tour on its first start, say where to look, stay up."""

import json
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
from sandbox.story import Story
from sandbox.tour import Tour, TourError

_ROOT = Path("var")
_REGION = "nl"
_WATCH_S = 1.0


def main() -> int:
    """Run until Ctrl-C; the exit status says whether all went well."""
    console = Console(highlight=False, soft_wrap=True)
    mesh = Mesh(_REGION, _ROOT)
    for stop in (signal.SIGINT, signal.SIGTERM):  # also where a shell ignores SIGINT for us
        signal.signal(stop, signal.default_int_handler)
    try:
        return _run(mesh, console)
    except KeyboardInterrupt:
        return 0
    except StartError as error:
        console.print(f"[bold red]Accord did not start.[/] {error}", markup=True)
        return 1
    finally:
        _stop(mesh, console)


def _run(mesh: Mesh, console: Console) -> int:
    began = time.monotonic()
    console.print(f"Starting region {mesh.region} …")
    mesh.start()
    console.print(f"Region {mesh.region} serves, after {time.monotonic() - began:.1f} s.")
    played = mesh.material.home / "tour.json"
    if not played.exists():
        try:
            Tour(mesh, Story(console)).play()
        except (TourError, LostError, httpx.HTTPError) as error:
            console.print(f"[bold red]The tour stopped:[/] {type(error).__name__}")
            console.print(str(error), markup=False)
            console.print(f"Logs are in {mesh.material.home / 'log'}. To begin anew: rm -r {_ROOT}")
            return 1
        played.write_text(json.dumps({"played": datetime.now(UTC).isoformat()}) + "\n")
    _say_where(mesh, console)
    never = threading.Event()
    while not never.wait(_WATCH_S):
        for name in mesh.failed():
            console.print(f"[bold red]{name} has ended by itself[/]; see {mesh.material.log(name)}")
            return 1
    return 0


def _say_where(mesh: Mesh, console: Console) -> None:
    material, here, accord = mesh.material, Path.cwd(), ".venv/bin/accord"

    def short(path: Path) -> Path:
        return path.relative_to(here) if path.is_relative_to(here) else path

    console.print(f"""
[bold]Accord is up.[/] Ctrl-C stops it; the next start goes on from here.

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


def _stop(mesh: Mesh, console: Console) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # a second Ctrl-C must not leave half of it up
        signal.signal(number, signal.SIG_IGN)
    console.print("\nStopping …")
    killed = mesh.stop()
    console.print(f"Killed, since they did not stop: {', '.join(killed)}" if killed else "Stopped.")


if __name__ == "__main__":
    sys.exit(main())
