"""``accord audit erase`` and ``accord audit hold``: who is erased, and who is kept from it."""

from __future__ import annotations

from pathlib import Path

import click
from accord.audit.v1 import erasure_pb2
from accord.audit.v1.erasure_pb2 import (
    Erasure,
    ErasureGround,
    ErasureState,
    Hold,
    HoldKind,
    HoldState,
)
from accord.audit.v1.erasure_service_pb2 import GetErasureResponse

from accord_client.cli.filters import purpose_option
from accord_client.cli.paper import Paper
from accord_client.cli.session import Session, answered, emit_json, json_option, run
from accord_client.cli.words import OneOf, moment, word
from accord_client.erasures import Erasures
from accord_client.verify import pack_proof

_OUT = click.Path(dir_okay=False, path_type=Path)


@click.group()
def erase() -> None:
    """Make what the log says of a person unreadable for good, as a privacy officer.

    One officer asks, another confirms; then the person's keys are destroyed, which nobody can undo.
    The log itself does not change: every proof of it stays valid. A person under a hold is kept.

    \b
    From the asking to the proof:
      accord audit erase ask accounts/nl-… --ground withdrawal
      accord audit erase confirm erasures/…          (another officer)
      accord audit erase show erasures/… --purpose "request 4711" --out erased.tlog-proof

    What arrives about the person afterwards has new keys. The erasure cannot tell, it no longer
    knows whose it is: ask again for the same account later; NOT_FOUND says that nothing came.

    What is left until it is complete, `show` says: a backup may hold the keys until the
    key-encryption key of their month is destroyed (`python -m services.audit rewrap`, then
    `destroy-kek`). It proves that the keys were destroyed here, not that no copy of them or of what
    they opened exists elsewhere.
    """  # noqa: D301 -- \b keeps click from wrapping


def _list(found: list[Erasure]) -> None:
    Paper().table(
        ["name", "state", "about", "ground", "asked", "asked by"],
        (
            (
                one.name,
                word(ErasureState, one.state),
                one.account,
                word(ErasureGround, one.ground),
                moment(one.ask_time),
                one.asker,
            )
            for one in found
        ),
    )


def _show(one: Erasure) -> None:
    out = Paper()
    out.say((one.name, "bold"), f"  {word(ErasureState, one.state)}")
    destroyed = bool(one.event_id)
    out.facts(
        (
            ("about", one.account or "nobody can tell any more"),
            ("ground", word(ErasureGround, one.ground)),
            ("asked by", f"{one.asker}  {moment(one.ask_time)}"),
            ("confirmed by", one.confirmer),
            ("called off by", one.canceller),
            ("keys destroyed", moment(one.erase_time)),
            ("entries", f"{one.entries} of {one.log_size}" if destroyed else ""),
            ("fingerprint", one.fingerprint.hex()),
            ("event", one.event_id),
            ("left to do", _left(one)),
        )
    )


def _left(one: Erasure) -> str:
    """What is missing until nothing can bring the person back."""
    match one.state:
        case erasure_pb2.ERASURE_STATE_ASKED:
            return "another officer confirms it"
        case erasure_pb2.ERASURE_STATE_ERASED:
            return (
                f"destroy the key-encryption key of {one.kek_month}; backups of the keys end by "
                f"{moment(one.backups_end_time)}"
            )
        case _:
            return ""


@erase.command()
@click.argument("account")
@click.option("--ground", type=OneOf(ErasureGround), required=True, help="Why, of Art. 17(1) GDPR.")
@answered(Erasures, _show)
async def ask(client: Erasures, account: str, ground: ErasureGround.ValueType) -> Erasure:
    """Ask to erase ACCOUNT (accounts/… or guests/…); nothing is destroyed yet.

    Prints the name of the erasure, which another officer confirms.
    """
    return await client.ask(account, ground)


@erase.command()
@click.argument("name")
@answered(Erasures, _show)
async def confirm(client: Erasures, name: str) -> Erasure:
    """Destroy the keys, as another officer than who asked. Nobody can undo it.

    NAME is the erasure's, erasures/….
    """
    return await client.confirm(name)


@erase.command()
@click.argument("name")
@answered(Erasures, _show)
async def cancel(client: Erasures, name: str) -> Erasure:
    """Call off the erasure NAME, which waits for confirmation."""
    return await client.cancel(name)


@erase.command()
@click.argument("name")
@purpose_option
@click.option("--out", type=_OUT, help="Write the proof of it to this file.")
@json_option
@click.pass_obj
def show(session: Session, name: str, purpose: str, out: Path | None, *, as_json: bool) -> None:
    """Show the erasure NAME, what is left of it to do, and where its proof is."""

    async def fetch() -> GetErasureResponse:
        async with Erasures.connect(session.profile) as client:
            return await client.erasure(name, purpose)

    found = run(fetch)
    if out is not None:
        if not found.HasField("proof"):
            raise click.ClickException("the proof is not in the log: nothing was destroyed yet")
        out.write_bytes(pack_proof(found.proof).serialise())
    if as_json:
        emit_json(found.erasure)
        return
    _show(found.erasure)
    if found.HasField("proof"):
        Paper().say(f"The proof is entry {found.proof.entry.index} of the log.")
    if out is not None:
        Paper().say(f"Written to {out}. Verify it with")
        Paper().say(f"  accord audit verify {out} --key PINNED.vkey")


@erase.command(name="list")
@purpose_option
@answered(Erasures, _list)
async def list_erasures(client: Erasures, purpose: str) -> list[Erasure]:
    """List erasures, newest first."""
    return [one async for one in client.erasures(purpose)]


@click.group()
def hold() -> None:
    """Keep a person from being erased while a law or a claim demands it, as a privacy officer.

    One officer places a hold; to lift it, one asks and another agrees. Each step is on record.

    \b
    Example:
      accord audit hold place accounts/nl-… --kind legal_claim --reference C-09-2026-114
      accord audit hold lift holds/…                 (asks)
      accord audit hold lift holds/…                 (another officer: lifts)
    """  # noqa: D301 -- \b keeps click from wrapping


def _list_holds(found: list[Hold]) -> None:
    Paper().table(
        ["name", "state", "about", "kind", "reference", "placed"],
        (
            (
                one.name,
                word(HoldState, one.state),
                one.account,
                word(HoldKind, one.kind),
                one.reference,
                moment(one.place_time),
            )
            for one in found
        ),
    )


def _show_hold(one: Hold) -> None:
    out = Paper()
    out.say((one.name, "bold"), f"  {word(HoldState, one.state)}")
    out.facts(
        (
            ("keeps", one.account),
            ("kind", word(HoldKind, one.kind)),
            ("reference", one.reference),
            ("placed by", f"{one.placer}  {moment(one.place_time)}"),
            ("lifting asked by", one.lift_asker),
            ("lifted by", one.lifter),
        )
    )


@hold.command()
@click.argument("account")
@click.option(
    "--kind", type=OneOf(HoldKind), required=True, help="Why, of Art. 17(3) (b) or (e) GDPR."
)
@click.option("--reference", required=True, help="A file number, for example; names nobody.")
@answered(Erasures, _show_hold)
async def place(client: Erasures, account: str, kind: HoldKind.ValueType, reference: str) -> Hold:
    """Keep ACCOUNT from being erased."""
    return await client.place_hold(account, kind, reference)


@hold.command()
@click.argument("name")
@answered(Erasures, _show_hold)
async def lift(client: Erasures, name: str) -> Hold:
    """Ask to lift the hold NAME; when another officer has asked, lift it."""
    return await client.lift_hold(name)


@hold.command(name="list")
@purpose_option
@answered(Erasures, _list_holds)
async def list_holds(client: Erasures, purpose: str) -> list[Hold]:
    """List holds, newest first."""
    return [one async for one in client.holds(purpose)]
