"""``accord recipients``: the organisations that may receive data."""

from __future__ import annotations

import click
from accord.sharing.v1.recipient_pb2 import Recipient, RecipientEndpoint

from accord_client.agreements import Agreements
from accord_client.cli.paper import Paper
from accord_client.cli.session import Session, emit_json, json_option, run
from accord_client.clients import Sharing


@click.group()
def recipients() -> None:
    """List, show and register recipients, as a privacy officer (auditors may read)."""


@recipients.command(name="list")
@click.option("--kind", default="", help="Only this kind, such as service_provider.")
@json_option
@click.pass_obj
def list_recipients(session: Session, kind: str, *, as_json: bool) -> None:
    """List recipients by name."""

    async def fetch() -> list[Recipient]:
        async with Sharing.connect(session.profile) as client:
            return [recipient async for recipient in client.recipients(kind)]

    _show(run(fetch), as_json=as_json)


@recipients.command()
@click.argument("name")
@json_option
@click.pass_obj
def show(session: Session, name: str, *, as_json: bool) -> None:
    """Show one recipient: accord recipients show recipients/dhl."""

    async def fetch() -> Recipient:
        async with Sharing.connect(session.profile) as client:
            return await client.recipient(name)

    recipient = run(fetch)
    if as_json:
        emit_json(recipient)
    else:
        _show([recipient], as_json=False)


@recipients.command()
@click.argument("recipient_id")
@click.option("--name", "display_name", required=True, help="What people read.")
@click.option("--kind", required=True, help="Such as service_provider.delivery.")
@click.option("--jurisdiction", required=True, help="Country it is established in, such as DE.")
@json_option
@click.pass_obj
def create(
    session: Session,
    recipient_id: str,
    display_name: str,
    kind: str,
    jurisdiction: str,
    *,
    as_json: bool,
) -> None:
    """Register a recipient. Its kind and jurisdiction never change.

    \b
    Example:
      accord recipients create dhl --name "DHL" --kind service_provider.delivery --jurisdiction DE
    """  # noqa: D301 -- \b keeps click from wrapping
    wanted = Recipient(display_name=display_name, kind=kind, jurisdiction=jurisdiction)

    async def register() -> Recipient:
        async with Sharing.connect(session.profile) as client:
            return await client.create_recipient(recipient_id, wanted)

    recipient = run(register)
    if as_json:
        emit_json(recipient)
    else:
        _show([recipient], as_json=False)


@recipients.command()
@click.argument("name")
@click.option(
    "--set", "url", default=None, metavar="URL", help="An https address; '' takes it back."
)
@json_option
@click.pass_obj
def endpoint(session: Session, name: str, url: str | None, *, as_json: bool) -> None:
    """Show or set where a recipient takes revocation notices."""

    async def act() -> RecipientEndpoint:
        async with Agreements.connect(session.profile) as client:
            if url is None:
                return await client.endpoint(name)
            return await client.set_endpoint(name, url)

    found = run(act)
    if as_json:
        emit_json(found)
    else:
        Paper().facts((("endpoint", found.url or "none"), ("set by", found.setter)))


def _show(found: list[Recipient], *, as_json: bool) -> None:
    if as_json:
        emit_json(found)
        return
    Paper().table(
        ["name", "called", "kind", "jurisdiction"],
        ((each.name, each.display_name, each.kind, each.jurisdiction) for each in found),
    )
