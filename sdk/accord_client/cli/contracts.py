"""``accord contracts``: what was agreed with recipients, from draft to end."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from io import BufferedReader

import click
from accord.sharing.v1 import contract_pb2 as sharing

from accord_client.cli.paper import Paper
from accord_client.cli.session import Session, emit_json, json_option, run, word
from accord_client.clients import Sharing


@click.group()
def contracts() -> None:
    """Keep contracts, as a privacy officer (auditors may read).

    A contract goes from draft to under review to active; whoever puts it in force is another person
    than its author. No version is ever altered.
    """


@contracts.command(name="list")
@click.option("--recipient", default="", help="Only contracts with this recipient.")
@json_option
@click.pass_obj
def list_contracts(session: Session, recipient: str, *, as_json: bool) -> None:
    """List contracts, newest first."""

    async def fetch() -> list[sharing.Contract]:
        async with Sharing.connect(session.profile) as client:
            return [contract async for contract in client.contracts(recipient)]

    found = run(fetch)
    if as_json:
        emit_json(found)
        return
    Paper().table(
        ["name", "recipient", "version", "state", "purposes", "from", "until"],
        (
            (
                contract.name,
                contract.recipient,
                str(contract.version),
                _state(contract.state),
                ", ".join(contract.terms.purposes),
                contract.terms.effective_date,
                contract.terms.expire_date,
            )
            for contract in found
        ),
    )


@contracts.command()
@click.argument("name")
@json_option
@click.pass_obj
def show(session: Session, name: str, *, as_json: bool) -> None:
    """Show a contract with its terms and every step so far."""
    _do(session, lambda client: client.contract(name), as_json=as_json)


@contracts.command()
@click.argument("recipient")
@click.option("--purpose", "purposes", multiple=True, required=True, help="Such as delivery.")
@click.option("--category", "categories", multiple=True, required=True, help="Such as contact.")
@click.option("--origin", "origins", multiple=True, required=True, help="NL, EEA or *.")
@click.option("--destination", "destinations", multiple=True, required=True, help="DE, EEA or *.")
@click.option("--safeguard", "safeguards", multiple=True, help="Transfer safeguard, such as scc.")
@click.option("--effective", required=True, metavar="DATE", help="First day, YYYY-MM-DD.")
@click.option("--expires", required=True, metavar="DATE", help="Last day, YYYY-MM-DD.")
@click.option("--due-diligence", type=click.Choice(["passed", "failed"]), help="How it ended.")
@click.option("--due-diligence-on", default="", metavar="DATE", help="Day it counts from.")
@click.option("--due-diligence-expires", default="", metavar="DATE", help="Its last day.")
@click.option("--subprocessor", "subprocessors", multiple=True, help="One that may be used.")
@click.option("--confidentiality", is_flag=True, help="The recipient is bound to it.")
@click.option("--delete-on-termination", is_flag=True, help="Data is deleted at the end.")
@click.option(
    "--document", type=click.File("rb"), help="The signed document; only its hash is sent."
)
@click.option("--document-location", default="", help="Where the document lies in the archive.")
@json_option
@click.pass_obj
def create(
    session: Session,
    /,
    recipient: str,
    *,
    effective: str,
    expires: str,
    due_diligence: str | None,
    due_diligence_on: str,
    due_diligence_expires: str,
    document: BufferedReader | None,
    document_location: str,
    as_json: bool,
    confidentiality: bool,
    delete_on_termination: bool,
    **lists: tuple[str, ...],
) -> None:
    """Record a contract with RECIPIENT as a draft.

    \b
    Example:
      accord contracts create recipients/dhl --purpose delivery --category contact \\
          --category order.delivery --origin NL --destination DE --effective 2026-01-01 \\
          --expires 2027-12-31 --due-diligence passed --due-diligence-on 2026-01-01 \\
          --due-diligence-expires 2026-12-31 --document signed.pdf \\
          --document-location archive/2026/dhl.pdf
    """  # noqa: D301 -- \b keeps click from wrapping
    terms = sharing.ContractTerms(
        purposes=lists["purposes"],
        categories=lists["categories"],
        origins=lists["origins"],
        destinations=lists["destinations"],
        safeguards=lists["safeguards"],
        subprocessors=lists["subprocessors"],
        effective_date=effective,
        expire_date=expires,
        confidentiality=confidentiality,
        delete_on_termination=delete_on_termination,
    )
    if due_diligence is not None:
        terms.due_diligence.outcome = sharing.DueDiligenceOutcome.Value(
            f"DUE_DILIGENCE_OUTCOME_{due_diligence.upper()}"
        )
        terms.due_diligence.on_date = due_diligence_on
        terms.due_diligence.expire_date = due_diligence_expires
    if document is not None:
        terms.document.sha256 = hashlib.file_digest(document, "sha256").digest()
        terms.document.location = document_location
    _do(session, lambda client: client.create_contract(recipient, terms), as_json=as_json)


@contracts.command()
@click.argument("name")
@click.argument("version", type=int)
@json_option
@click.pass_obj
def submit(session: Session, name: str, version: int, *, as_json: bool) -> None:
    """Hand in a draft for review. VERSION is the one you read."""
    _do(session, lambda client: client.submit_contract(name, version), as_json=as_json)


@contracts.command()
@click.argument("name")
@click.argument("version", type=int)
@json_option
@click.pass_obj
def activate(session: Session, name: str, version: int, *, as_json: bool) -> None:
    """Put a contract in force, as another person than its author. VERSION is the one you read."""
    _do(session, lambda client: client.activate_contract(name, version), as_json=as_json)


@contracts.command()
@click.argument("name")
@click.option("--note", default="", help="Why, for the record; no personal data.")
@json_option
@click.pass_obj
def suspend(session: Session, name: str, note: str, *, as_json: bool) -> None:
    """Stop a contract for a while; activating it again resumes it."""
    _do(session, lambda client: client.suspend_contract(name, note), as_json=as_json)


@contracts.command()
@click.argument("name")
@click.option("--note", default="", help="Why, for the record; no personal data.")
@json_option
@click.pass_obj
def terminate(session: Session, name: str, note: str, *, as_json: bool) -> None:
    """End a contract for good."""
    _do(session, lambda client: client.terminate_contract(name, note), as_json=as_json)


def _do(
    session: Session, call: Callable[[Sharing], Awaitable[sharing.Contract]], *, as_json: bool
) -> None:
    async def act() -> sharing.Contract:
        async with Sharing.connect(session.profile) as client:
            return await call(client)

    contract = run(act)
    if as_json:
        emit_json(contract)
    else:
        _print_contract(contract)


def _print_contract(contract: sharing.Contract) -> None:
    out, terms = Paper(), contract.terms
    head = f"  version {contract.version}  {_state(contract.state)}"
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
        moment = event.event_time.ToDatetime().isoformat(timespec="seconds")
        out.say(f"{moment}Z  version {event.version}  {_state(event.state)}  by {event.actor}")


def _due_diligence(terms: sharing.ContractTerms) -> str:
    if not terms.HasField("due_diligence"):
        return "none"
    examined = terms.due_diligence
    outcome = sharing.DueDiligenceOutcome.Name(examined.outcome)
    return (
        f"{word(outcome, 'DUE_DILIGENCE_OUTCOME_')}, {examined.on_date} to {examined.expire_date}"
    )


def _state(state: sharing.ContractState.ValueType) -> str:
    return word(sharing.ContractState.Name(state), "CONTRACT_STATE_")
