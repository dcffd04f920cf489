"""``accord instruments``: what authorities, courts and law enforcement ordered."""

from __future__ import annotations

import hashlib
from io import BufferedReader
from typing import Any

import click
from accord.sharing.v1.instrument_pb2 import Instrument, InstrumentKind, InstrumentState

from accord_client.agreements import Agreements
from accord_client.cli.paper import Paper
from accord_client.cli.session import answered
from accord_client.cli.words import OneOf, word


@click.group()
def instruments() -> None:
    """Keep legal instruments, as a privacy officer (auditors may read).

    One officer records an instrument, another puts it in force. Nothing is disclosed by law
    without one, nor beyond what it names.

    \b
    After `accord instruments create …`, which prints its name:
      accord instruments activate instruments/…      (another officer)
      accord instruments revoke instruments/… --note "lifted by the court"
    """  # noqa: D301 -- \b keeps click from wrapping


def _list(found: list[Instrument]) -> None:
    Paper().table(
        ["name", "kind", "authority", "reference", "state", "from", "until"],
        (
            (
                one.name,
                word(InstrumentKind, one.kind),
                f"{one.authority} ({one.issuer})",
                one.reference,
                word(InstrumentState, one.state),
                one.on_date,
                one.expire_date,
            )
            for one in found
        ),
    )


def _show(one: Instrument) -> None:
    out = Paper()
    words = f"{word(InstrumentKind, one.kind)}  {word(InstrumentState, one.state)}"
    out.say((one.name, "bold"), f"  {words}")
    out.facts(
        (
            ("issued by", f"{one.authority} ({one.issuer})"),
            ("reference", one.reference),
            ("about", one.account),
            ("categories", ", ".join(one.categories)),
            ("in force", f"{one.on_date} to {one.expire_date}"),
            ("secret until", one.secret_until_date),
            ("document", one.document.location),
            ("recorded by", one.recorder),
            ("put in force by", one.activator),
            ("revoked by", one.revoker),
            ("note", one.note),
        )
    )


@instruments.command(name="list")
@click.option("--account", default="", help="Only those about this account.")
@answered(Agreements, _list)
async def list_instruments(client: Agreements, account: str) -> list[Instrument]:
    """List instruments, newest first."""
    return [one async for one in client.instruments(account)]


@instruments.command()
@click.argument("name")
@answered(Agreements, _show)
async def show(client: Agreements, name: str) -> Instrument:
    """Show the instrument NAME, instruments/…."""
    return await client.instrument(name)


@instruments.command()
@click.argument("account")
@click.option("--kind", type=OneOf(InstrumentKind), required=True, help="What kind of paper it is.")
@click.option(
    "--issuer", required=True, metavar="COUNTRY", help="Country of the authority, such as NL."
)
@click.option("--authority", required=True, help="Who issued it.")
@click.option("--reference", required=True, help="The authority's own reference.")
@click.option(
    "--category",
    "categories",
    multiple=True,
    required=True,
    help="What is ordered, such as order; repeatable.",
)
@click.option("--on", "on_date", required=True, metavar="YYYY-MM-DD", help="First day.")
@click.option("--expires", "expire_date", required=True, metavar="YYYY-MM-DD", help="Last day.")
@click.option(
    "--secret-until",
    "secret_until_date",
    metavar="YYYY-MM-DD",
    help="Last day the person may not be told.",
)
@click.option(
    "--document", type=click.File("rb"), required=True, help="The paper; only its hash is sent."
)
@click.option("--document-location", required=True, help="Where the paper lies in the archive.")
@answered(Agreements, _show)
async def create(
    client: Agreements,
    *,
    document: BufferedReader,
    document_location: str,
    **fields: Any,  # noqa: ANN401 -- of an instrument, as click read them
) -> Instrument:
    """Record an instrument about ACCOUNT; another officer puts it in force.

    \b
    Example:
      accord instruments create accounts/nl-… --kind court_order --issuer NL \\
          --authority "Rechtbank Amsterdam" --reference "AMS 26/1" --category order \\
          --on 2026-05-01 --expires 2026-12-31 --document order.pdf \\
          --document-location archive/law/order.pdf
    """  # noqa: D301 -- \b keeps click from wrapping
    paper = Instrument(**fields)
    paper.document.sha256 = hashlib.file_digest(document, "sha256").digest()
    paper.document.location = document_location
    return await client.create_instrument(paper)


@instruments.command()
@click.argument("name")
@answered(Agreements, _show)
async def activate(client: Agreements, name: str) -> Instrument:
    """Put the instrument NAME in force, as another person than who recorded it."""
    return await client.activate_instrument(name)


@instruments.command()
@click.argument("name")
@click.option("--note", default="", help="Why, for the record; no personal data.")
@answered(Agreements, _show)
async def revoke(client: Agreements, name: str, note: str) -> Instrument:
    """End the instrument NAME for good."""
    return await client.revoke_instrument(name, note)
