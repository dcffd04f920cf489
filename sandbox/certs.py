"""`bin/certs PATH STEM`: another certificate of a local region, for an app or a member of staff."""

import argparse
import sys
from pathlib import Path

from runtime.authority import Authority
from runtime.identity import parse
from sandbox.material import Material


def run(arguments: list[str] | None = None) -> None:
    """Issue the certificate that was asked for; exit status 2 for a path that names no one."""
    parser = argparse.ArgumentParser(
        prog="bin/certs",
        description="Issue a certificate of a local region's CA, which `make up` makes.",
        epilog="Example: bin/certs app/mi-home var/nl/certificates/mi-home",
    )
    parser.add_argument("path", help="svc/<service>, app/<app> or staff/<role>/<id>")
    parser.add_argument("stem", type=Path, help="where to write <stem>.crt and <stem>.key")
    parser.add_argument("--region", default="nl", help="in, nl, ru or sg (default nl)")
    parser.add_argument("--root", type=Path, default=Path("var"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    domain = f"{given.region}.accord.internal"
    caller = parse(f"spiffe://{domain}/{given.path}")
    if caller is None:
        parser.error(f"{given.path} is no identity: svc/…, app/… or staff/<role>/<id>")
    bundle = Material(given.root, given.region).trust_bundle
    if not bundle.exists():
        parser.error(f"there is no CA of region {given.region} yet: run `make up` once")
    dns = [f"{caller.name}.{domain}"] if caller.kind == "svc" else []
    Authority.read(domain, bundle.with_suffix("")).issue(given.path, dns=dns).write(given.stem)
    sys.stdout.write(f"{given.stem}.crt\n{given.stem}.key\n")


if __name__ == "__main__":
    run()
