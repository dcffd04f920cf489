"""``accord recipients``: the organisations that may receive data."""

from __future__ import annotations

import click
from accord.sharing.v1.recipient_pb2 import Recipient, RecipientEndpoint

from accord_client.agreements import Agreements
from accord_client.cli.paper import Paper
from accord_client.cli.session import answered
from accord_client.clients import Sharing


@click.group()
def recipients() -> None:
    """List, show and register recipients, as a privacy officer (auditors may read).

    \b
    Example:
      accord recipients list --kind service_provider
    """  # noqa: D301 -- \b keeps click from wrapping


def _list(found: list[Recipient]) -> None:
    Paper().table(
        ["name", "called", "kind", "jurisdiction"],
        ((each.name, each.display_name, each.kind, each.jurisdiction) for each in found),
    )


def _show(recipient: Recipient) -> None:
    _list([recipient])


def _show_endpoint(found: RecipientEndpoint) -> None:
    Paper().facts((("endpoint", found.url or "none"), ("set by", found.setter)))


@recipients.command(name="list")
@click.option("--kind", default="", help="Only this kind, such as service_provider.")
@answered(Sharing, _list)
async def list_recipients(client: Sharing, kind: str) -> list[Recipient]:
    """List recipients by name."""
    return [recipient async for recipient in client.recipients(kind)]


@recipients.command()
@click.argument("name")
@answered(Sharing, _show)
async def show(client: Sharing, name: str) -> Recipient:
    """Show the recipient NAME: accord recipients show recipients/dhl."""
    return await client.recipient(name)


@recipients.command()
@click.argument("recipient_id")
@click.option("--name", "display_name", required=True, help="What people read.")
@click.option("--kind", required=True, help="Such as service_provider.delivery.")
@click.option("--jurisdiction", required=True, help="Country it is established in, such as DE.")
@answered(Sharing, _show)
async def create(
    client: Sharing, recipient_id: str, display_name: str, kind: str, jurisdiction: str
) -> Recipient:
    """Register a recipient as recipients/RECIPIENT_ID. Its kind and jurisdiction never change.

    \b
    Example:
      accord recipients create dhl --name "DHL" --kind service_provider.delivery --jurisdiction DE
    """  # noqa: D301 -- \b keeps click from wrapping
    recipient = Recipient(display_name=display_name, kind=kind, jurisdiction=jurisdiction)
    return await client.create_recipient(recipient_id, recipient)


@recipients.command()
@click.argument("name")
@click.option(
    "--set",
    "url",
    default=None,
    metavar="URL",
    help="Set it to this https address; '' takes it back.",
)
@answered(Agreements, _show_endpoint)
async def endpoint(client: Agreements, name: str, url: str | None) -> RecipientEndpoint:
    """Show or set where the recipient NAME takes revocation notices.

    \b
    Example:
      accord recipients endpoint recipients/dhl --set https://dhl.example/revocations
    """  # noqa: D301 -- \b keeps click from wrapping
    return await client.endpoint(name) if url is None else await client.set_endpoint(name, url)
