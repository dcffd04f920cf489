"""``accord contracts expiries|export|import``: the calendar, and contracts as a file."""

from __future__ import annotations

from io import TextIOWrapper

import click
from accord.sharing.v1 import contract_pb2 as sharing

from accord_client.agreements import Agreements
from accord_client.cli.paper import Paper
from accord_client.cli.session import (
    Exit,
    Failure,
    Session,
    answered,
    emit_json,
    json_option,
    run,
)
from accord_client.cli.words import word
from accord_client.clients import Sharing
from accord_client.contract_file import ContractFileError, Written, dump, parse
from accord_client.fault import Fault


def _list(found: list[sharing.Expiry]) -> None:
    Paper().table(
        ["last day", "what", "of", "with"],
        (
            (
                expiry.expire_date,
                f"{word(sharing.ExpiryKind, expiry.kind)} {expiry.safeguard}".rstrip(),
                expiry.resource,
                expiry.recipient,
            )
            for expiry in found
        ),
    )


@click.command()
@click.option("--days", default=90, show_default=True, help="What ends within so many days.")
@answered(Agreements, _list)
async def expiries(client: Agreements, days: int) -> list[sharing.Expiry]:
    """List what of the agreements in force ends soon: terms, examinations, safeguards, orders.

    \b
    Example: what ends within a month?
      accord contracts expiries --days 30
    """  # noqa: D301 -- \b keeps click from wrapping
    return [expiry async for expiry in client.expiries(days)]


@click.command(name="export")
@click.argument("file", type=click.File("w", encoding="utf-8", lazy=False), default="-")
@click.option("--recipient", default="", help="Only contracts with this recipient.")
@json_option
@click.pass_obj
def export_contracts(
    session: Session, file: TextIOWrapper, recipient: str, *, as_json: bool
) -> None:
    """Write the latest terms of every contract that is not terminated to FILE, as YAML.

    Without FILE it is printed. Exported again, the same contracts are the same bytes. With --json
    the contracts are printed and no file is written.

    \b
    Example:
      accord contracts export contracts.yaml
    """  # noqa: D301 -- \b keeps click from wrapping

    async def fetch() -> list[sharing.Contract]:
        async with Sharing.connect(session.profile) as client:
            return [contract async for contract in client.contracts(recipient)]

    ended = sharing.CONTRACT_STATE_TERMINATED
    found = [contract for contract in run(fetch) if contract.state != ended]
    if as_json:
        emit_json(found)
    else:
        file.write(dump(Written(contract.recipient, contract.terms) for contract in found))


@click.command(name="import")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@json_option
@click.pass_obj
def import_contracts(session: Session, file: TextIOWrapper, *, as_json: bool) -> None:
    """Record every contract of FILE as a draft; nothing is in force until another officer says so.

    FILE is as `accord contracts export` writes it. The whole file is read before anything is
    recorded. Imported again by the same officer, the same contract is recorded once.

    \b
    Example: contracts of another region, reviewed and changed by hand
      accord contracts import contracts.yaml
    """  # noqa: D301 -- \b keeps click from wrapping
    try:
        written = parse(file.read(), file.name)
    except ContractFileError as error:
        raise Failure(Exit.BAD_INPUT, str(error)) from error
    except UnicodeDecodeError as error:
        raise Failure(Exit.BAD_INPUT, f"{file.name}: is not UTF-8") from error

    async def record() -> list[sharing.Contract]:
        async with Sharing.connect(session.profile) as client:
            return [await _recorded(client, contract, file.name) for contract in written]

    made = run(record)
    if as_json:
        emit_json(made)
        return
    Paper().table(
        ["line", "name", "recipient"],
        (
            (str(contract.line), draft.name, draft.recipient)
            for contract, draft in zip(written, made, strict=True)
        ),
    )


async def _recorded(client: Sharing, contract: Written, file: str) -> sharing.Contract:
    """Record one; a refusal names the line that it is about."""
    try:
        return await client.create_contract(contract.recipient, contract.terms, contract.request_id)
    except Fault as fault:
        if not fault.violations and fault.reason != "NOT_FOUND":
            raise
        said = "; ".join(f"{field}: {what}" for field, what in fault.violations) or str(fault)
        raise Failure(
            Exit.BAD_INPUT, f"{file}:{contract.line}: {said}", {"reason": fault.reason}
        ) from fault
