"""The ``accord`` command: ask, agree, and check the record from a terminal or a script."""

from __future__ import annotations

from pathlib import Path

import click

from accord_client.cli.audit import audit
from accord_client.cli.check import check
from accord_client.cli.checkpoints import checkpoint, consistent
from accord_client.cli.consent import consent
from accord_client.cli.contracts import contracts
from accord_client.cli.erasure import erase, hold
from accord_client.cli.exchange import expiries, export_contracts, import_contracts
from accord_client.cli.explain import explain
from accord_client.cli.export import export
from accord_client.cli.fsck import fsck
from accord_client.cli.instruments import instruments
from accord_client.cli.recipients import recipients
from accord_client.cli.revocations import revocations
from accord_client.cli.session import Session
from accord_client.cli.simulate import simulate
from accord_client.cli.staff import staff
from accord_client.cli.subjects import subjects
from accord_client.cli.tail import tail
from accord_client.cli.verify import verify

_FILE = click.Path(dir_okay=False)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="accord")
@click.option(
    "--profile",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="ACCORD_PROFILE",
    show_envvar=True,
    help="TOML file with the settings below; ACCORD_… variables win over it, flags over both.",
)
@click.option("--region", help="Region to call, such as nl.")
@click.option("--certificate-file", type=_FILE, help="The caller's certificate, PEM.")
@click.option("--key-file", type=_FILE, help="Its private key, PEM.")
@click.option("--trust-bundle-file", type=_FILE, help="Roots of the region, PEM.")
@click.option("--account-address", metavar="HOST:PORT", help="Where account listens.")
@click.option("--sharing-address", metavar="HOST:PORT", help="Where sharing listens.")
@click.option("--audit-address", metavar="HOST:PORT", help="Where audit listens.")
@click.option("--portal-url", metavar="URL", help="Address of the portal, for links to it.")
@click.pass_context
def cli(context: click.Context, /, profile: Path | None, **given: str | None) -> None:
    """May this person's data go to that recipient, for this purpose, now?

    Accord answers, and keeps the record that the answer rests on. Who calls is a certificate: an
    app asks (check), a privacy officer keeps recipients and contracts, an auditor reads and
    verifies the log, an operator invites staff. `make up` writes a profile for each of them.

    \b
    Examples, after `make up`:
      accord --profile var/nl/clients/mi-store.toml check accounts/nl-… mi_store recipients/dhl \\
          delivery contact.name contact.phone contact.address --relation order-4711
      accord --profile var/nl/clients/officer.toml contracts list
      accord --profile var/nl/clients/officer.toml explain accounts/nl-… mi_store \\
          recipients/dhl delivery contact.name
      accord --profile var/nl/clients/auditor.toml audit list --trace 4bf92f35…
      accord audit verify decision.tlog-proof --key log.vkey

    \b
    The same profile for every command, and completion by the Tab key:
      export ACCORD_PROFILE=var/nl/clients/officer.toml
      eval "$(_ACCORD_COMPLETE=bash_source accord)"        # or zsh_source, fish_source

    \b
    Exit codes, the same for every command:
      0  permitted, done, verified
      1  not permitted (DENY or GAP), or the verification failed
      2  bad input: usage, a malformed or unknown value, a state that does not allow it
      3  the service cannot be reached or is overloaded: try again
      4  the caller may not do this
      5  a fault on the other side
    """  # noqa: D301, D400 -- \b keeps click from wrapping
    context.obj = Session(profile, given)


for command in (checkpoint, consistent, erase, export, hold, verify, fsck, tail):
    audit.add_command(command)
for command in (expiries, export_contracts, import_contracts):
    contracts.add_command(command)
recipients.add_command(subjects)
for command in (explain, simulate, instruments, revocations):
    cli.add_command(command)
for command in (check, recipients, contracts, consent, audit, staff):
    cli.add_command(command)


def main() -> None:
    """Entry point of the console script."""
    cli(prog_name="accord")
