"""``accord instruments``: what authorities, courts and law enforcement ordered."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from io import BufferedReader

import click
from accord.sharing.v1 import instrument_pb2 as sharing

from accord_client.agreements import Agreements
from accord_client.cli.paper import Paper
from accord_client.cli.session import Session, emit_json, json_option, run, word

_KINDS = [
    word(name, "INSTRUMENT_KIND_").replace(" ", "_") for name in sharing.InstrumentKind.keys()[1:]
]


@click.group()
def instruments() -> None:
    """Keep legal instruments, as a privacy officer (auditors may read).

    One officer records an instrument, another puts it in force. Nothing is disclosed by law
    without one, nor beyond what it names.
    """


@instruments.command(name="list")
@click.option("--account", default="", help="Only those about this account.")
@json_option
@click.pass_obj
def list_instruments(session: Session, account: str, *, as_json: bool) -> None:
    """List instruments, newest first."""

    async def fetch() -> list[sharing.Instrument]:
        async with Agreements.connect(session.profile) as client:
            return [instrument async for instrument in client.instruments(account)]

    found = run(fetch)
    if as_json:
        emit_json(found)
        return
    Paper().table(
        ["name", "kind", "authority", "reference", "state", "from", "until"],
        (
            (
                one.name,
                _kind(one),
                f"{one.authority} ({one.issuer})",
                one.reference,
                _state(one),
                one.on_date,
                one.expire_date,
            )
            for one in found
        ),
    )


@instruments.command()
@click.argument("name")
@json_option
@click.pass_obj
def show(session: Session, name: str, *, as_json: bool) -> None:
    """Show an instrument."""
    _do(session, lambda client: client.instrument(name), as_json=as_json)


@instruments.command()
@click.argument("account")
@click.option("--kind", type=click.Choice(_KINDS), required=True, help="What kind of paper it is.")
@click.option("--issuer", required=True, metavar="COUNTRY", help="Country of the authority.")
@click.option("--authority", required=True, help="Who issued it.")
@click.option("--reference", required=True, help="The authority's own reference.")
@click.option("--category", "categories", multiple=True, required=True, help="Such as order.")
@click.option("--on", required=True, metavar="DATE", help="First day, YYYY-MM-DD.")
@click.option("--expires", required=True, metavar="DATE", help="Last day, YYYY-MM-DD.")
@click.option(
    "--secret-until", default="", metavar="DATE", help="Last day the person may not be told."
)
@click.option(
    "--document", type=click.File("rb"), required=True, help="The paper; only its hash is sent."
)
@click.option("--document-location", required=True, help="Where the paper lies in the archive.")
@json_option
@click.pass_obj
def create(
    session: Session,
    /,
    account: str,
    *,
    kind: str,
    categories: tuple[str, ...],
    on: str,
    expires: str,
    secret_until: str,
    document: BufferedReader,
    document_location: str,
    as_json: bool,
    issuer: str,
    authority: str,
    reference: str,
) -> None:
    """Record an instrument about ACCOUNT; another officer puts it in force.

    \b
    Example:
      accord instruments create accounts/nl-… --kind court_order --issuer NL \\
          --authority "Rechtbank Amsterdam" --reference "AMS 26/1" --category order \\
          --on 2026-05-01 --expires 2026-12-31 --document order.pdf \\
          --document-location archive/law/order.pdf
    """  # noqa: D301 -- \b keeps click from wrapping
    paper = sharing.Instrument(
        kind=sharing.InstrumentKind.Value(f"INSTRUMENT_KIND_{kind.upper()}"),
        issuer=issuer,
        authority=authority,
        reference=reference,
        account=account,
        categories=categories,
        on_date=on,
        expire_date=expires,
        secret_until_date=secret_until,
    )
    paper.document.sha256 = hashlib.file_digest(document, "sha256").digest()
    paper.document.location = document_location
    _do(session, lambda client: client.create_instrument(paper), as_json=as_json)


@instruments.command()
@click.argument("name")
@json_option
@click.pass_obj
def activate(session: Session, name: str, *, as_json: bool) -> None:
    """Put an instrument in force, as another person than who recorded it."""
    _do(session, lambda client: client.activate_instrument(name), as_json=as_json)


@instruments.command()
@click.argument("name")
@click.option("--note", default="", help="Why, for the record; no personal data.")
@json_option
@click.pass_obj
def revoke(session: Session, name: str, note: str, *, as_json: bool) -> None:
    """End an instrument for good."""
    _do(session, lambda client: client.revoke_instrument(name, note), as_json=as_json)


def _do(
    session: Session, call: Callable[[Agreements], Awaitable[sharing.Instrument]], *, as_json: bool
) -> None:
    async def act() -> sharing.Instrument:
        async with Agreements.connect(session.profile) as client:
            return await call(client)

    one = run(act)
    if as_json:
        emit_json(one)
        return
    out = Paper()
    out.say((one.name, "bold"), f"  {_kind(one)}  {_state(one)}")
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


def _kind(one: sharing.Instrument) -> str:
    return word(sharing.InstrumentKind.Name(one.kind), "INSTRUMENT_KIND_")


def _state(one: sharing.Instrument) -> str:
    return word(sharing.InstrumentState.Name(one.state), "INSTRUMENT_STATE_")
