"""``accord contracts``: what was agreed with recipients, from draft to end."""

from __future__ import annotations

import hashlib
from io import BufferedReader
from typing import Any

import click
from accord.sharing.v1.contract_pb2 import (
    Contract,
    ContractState,
    ContractTerms,
    DueDiligenceOutcome,
)

from accord_client.cli.paper import Paper
from accord_client.cli.session import answered
from accord_client.cli.words import OneOf, moment, word
from accord_client.clients import Sharing


@click.group()
def contracts() -> None:
    """Keep contracts, as a privacy officer (auditors may read).

    A contract goes from draft to under review to active; whoever puts it in force is another person
    than its author. No version is ever altered.

    \b
    From a draft to its end (`contracts create --help` shows how to record one):
      accord contracts list --recipient recipients/dhl
      accord contracts show contracts/0193…            says the version, such as 1
      accord contracts submit contracts/0193… 1
      accord contracts activate contracts/0193… 1      (another officer)
      accord contracts terminate contracts/0193… --note "not renewed"
    """  # noqa: D301 -- \b keeps click from wrapping


def _list(found: list[Contract]) -> None:
    Paper().table(
        ["name", "recipient", "version", "state", "purposes", "from", "until"],
        (
            (
                contract.name,
                contract.recipient,
                str(contract.version),
                word(ContractState, contract.state),
                ", ".join(contract.terms.purposes),
                contract.terms.effective_date,
                contract.terms.expire_date,
            )
            for contract in found
        ),
    )


def _show(contract: Contract) -> None:
    out, terms = Paper(), contract.terms
    head = f"  version {contract.version}  {word(ContractState, contract.state)}"
    out.say((contract.name, "bold"), head)
    out.facts(
        (
            ("recipient", contract.recipient),
            ("purposes", ", ".join(terms.purposes)),
            ("categories", ", ".join(terms.categories)),
            ("people of", ", ".join(terms.origins)),
            ("data goes to", ", ".join(terms.destinations)),
            ("safeguards", ", ".join(terms.safeguards) or "none"),
            ("in force", f"{terms.effective_date} to {terms.expire_date}"),
            ("due diligence", _due_diligence(terms)),
            ("author", contract.author),
        )
    )
    for event in contract.history:
        did = f"version {event.version}  {word(ContractState, event.state)}  by {event.actor}"
        out.say(f"{moment(event.event_time)}  {did}")


def _due_diligence(terms: ContractTerms) -> str:
    if not terms.HasField("due_diligence"):
        return "none"
    examined = terms.due_diligence
    outcome = word(DueDiligenceOutcome, examined.outcome)
    return f"{outcome}, {examined.on_date} to {examined.expire_date}"


@contracts.command(name="list")
@click.option("--recipient", default="", help="Only contracts with this recipient.")
@answered(Sharing, _list)
async def list_contracts(client: Sharing, recipient: str) -> list[Contract]:
    """List contracts, newest first."""
    return [contract async for contract in client.contracts(recipient)]


@contracts.command()
@click.argument("name")
@answered(Sharing, _show)
async def show(client: Sharing, name: str) -> Contract:
    """Show the contract NAME, contracts/…, with its terms and every step so far."""
    return await client.contract(name)


@contracts.command()
@click.argument("recipient")
@click.option(
    "--purpose", "purposes", multiple=True, required=True, help="Such as delivery; repeatable."
)
@click.option(
    "--category",
    "categories",
    multiple=True,
    required=True,
    help="Such as contact.name, or contact for all of it; repeatable.",
)
@click.option(
    "--origin", "origins", multiple=True, required=True, help="People of: NL, EEA or *; repeatable."
)
@click.option(
    "--destination",
    "destinations",
    multiple=True,
    required=True,
    help="Data goes to: DE, EEA or *; repeatable.",
)
@click.option(
    "--safeguard", "safeguards", multiple=True, help="For transfers, such as scc; repeatable."
)
@click.option(
    "--effective", "effective_date", required=True, metavar="YYYY-MM-DD", help="First day."
)
@click.option("--expires", "expire_date", required=True, metavar="YYYY-MM-DD", help="Last day.")
@click.option(
    "--due-diligence",
    type=OneOf(DueDiligenceOutcome),
    help="How the examination of the recipient ended.",
)
@click.option(
    "--due-diligence-on",
    default="",
    metavar="YYYY-MM-DD",
    help="Day that the examination counts from.",
)
@click.option(
    "--due-diligence-expires", default="", metavar="YYYY-MM-DD", help="Last day that it counts."
)
@click.option(
    "--subprocessor", "subprocessors", multiple=True, help="One that may be used; repeatable."
)
@click.option("--confidentiality", is_flag=True, help="The recipient is bound to it.")
@click.option("--delete-on-termination", is_flag=True, help="Data is deleted at the end.")
@click.option(
    "--document", type=click.File("rb"), help="The signed document; only its hash is sent."
)
@click.option("--document-location", default="", help="Where the document lies in the archive.")
@answered(Sharing, _show)
async def create(
    client: Sharing,
    recipient: str,
    *,
    due_diligence: DueDiligenceOutcome.ValueType | None,
    due_diligence_on: str,
    due_diligence_expires: str,
    document: BufferedReader | None,
    document_location: str,
    **fields: Any,  # noqa: ANN401 -- of the terms, as click read them
) -> Contract:
    """Record a contract with RECIPIENT as a draft.

    \b
    Example:
      accord contracts create recipients/dhl --purpose delivery --category contact \\
          --category order.delivery --origin NL --destination DE --effective 2026-01-01 \\
          --expires 2027-12-31 --due-diligence passed --due-diligence-on 2026-01-01 \\
          --due-diligence-expires 2026-12-31 --document signed.pdf \\
          --document-location archive/2026/dhl.pdf
    """  # noqa: D301 -- \b keeps click from wrapping
    terms = ContractTerms(**fields)
    if due_diligence is not None:
        terms.due_diligence.outcome = due_diligence
        terms.due_diligence.on_date = due_diligence_on
        terms.due_diligence.expire_date = due_diligence_expires
    if document is not None:
        terms.document.sha256 = hashlib.file_digest(document, "sha256").digest()
        terms.document.location = document_location
    return await client.create_contract(recipient, terms)


@contracts.command()
@click.argument("name")
@click.argument("version", type=int)
@answered(Sharing, _show)
async def submit(client: Sharing, name: str, version: int) -> Contract:
    """Hand in the draft NAME for review. VERSION is the one you read."""
    return await client.submit_contract(name, version)


@contracts.command()
@click.argument("name")
@click.argument("version", type=int)
@answered(Sharing, _show)
async def activate(client: Sharing, name: str, version: int) -> Contract:
    """Put NAME in force, as another person than its author. VERSION is the one you read."""
    return await client.activate_contract(name, version)


@contracts.command()
@click.argument("name")
@click.option("--note", default="", help="Why, for the record; no personal data.")
@answered(Sharing, _show)
async def suspend(client: Sharing, name: str, note: str) -> Contract:
    """Stop the contract NAME for a while; activating it again resumes it."""
    return await client.suspend_contract(name, note)


@contracts.command()
@click.argument("name")
@click.option("--note", default="", help="Why, for the record; no personal data.")
@answered(Sharing, _show)
async def terminate(client: Sharing, name: str, note: str) -> Contract:
    """End the contract NAME for good."""
    return await client.terminate_contract(name, note)
