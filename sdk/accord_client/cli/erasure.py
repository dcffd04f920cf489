"""``accord audit erase`` and ``accord audit hold``: who is erased, and who is kept from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import click
from accord.audit.v1 import erasure_pb2, erasure_service_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from accord_client.cli.filters import purpose_option
from accord_client.cli.paper import Paper
from accord_client.cli.session import Session, emit_json, json_option, run, word
from accord_client.erasures import Erasures
from accord_client.verify import pack_proof

_GROUNDS = [
    word(name, "ERASURE_GROUND_").replace(" ", "_") for name in erasure_pb2.ErasureGround.keys()[1:]
]
_KINDS = [word(name, "HOLD_KIND_").replace(" ", "_") for name in erasure_pb2.HoldKind.keys()[1:]]
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


@erase.command()
@click.argument("account")
@click.option(
    "--ground", type=click.Choice(_GROUNDS), required=True, help="Why, of Art. 17(1) GDPR."
)
@json_option
@click.pass_obj
def ask(session: Session, account: str, ground: str, *, as_json: bool) -> None:
    """Ask to erase ACCOUNT (accounts/… or guests/…); nothing is destroyed yet."""
    value = erasure_pb2.ErasureGround.Value(f"ERASURE_GROUND_{ground.upper()}")
    _erasure(session, lambda client: client.ask(account, value), as_json=as_json)


@erase.command()
@click.argument("name")
@json_option
@click.pass_obj
def confirm(session: Session, name: str, *, as_json: bool) -> None:
    """Destroy the keys, as another officer than who asked. Nobody can undo it."""
    _erasure(session, lambda client: client.confirm(name), as_json=as_json)


@erase.command()
@click.argument("name")
@json_option
@click.pass_obj
def cancel(session: Session, name: str, *, as_json: bool) -> None:
    """Call off an erasure that waits for confirmation."""
    _erasure(session, lambda client: client.cancel(name), as_json=as_json)


@erase.command()
@click.argument("name")
@purpose_option
@click.option("--out", type=_OUT, help="Write the proof of it to this file.")
@json_option
@click.pass_obj
def show(session: Session, name: str, purpose: str, out: Path | None, *, as_json: bool) -> None:
    """Show an erasure, what is left of it to do, and where its proof is."""

    async def fetch() -> erasure_service_pb2.GetErasureResponse:
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
    _say_erasure(found.erasure)
    if found.HasField("proof"):
        Paper().say(f"The proof is entry {found.proof.entry.index} of the log.")
    if out is not None:
        Paper().say(f"Written to {out}. Verify it with")
        Paper().say(f"  accord audit verify {out} --key PINNED.vkey")


@erase.command(name="list")
@purpose_option
@json_option
@click.pass_obj
def list_erasures(session: Session, *, purpose: str, as_json: bool) -> None:
    """List erasures, newest first."""

    async def fetch() -> list[erasure_pb2.Erasure]:
        async with Erasures.connect(session.profile) as client:
            return [one async for one in client.erasures(purpose)]

    found = run(fetch)
    if as_json:
        emit_json(found)
        return
    Paper().table(
        ["name", "state", "about", "ground", "asked", "asked by"],
        (
            (one.name, _state(one), one.account, _ground(one), _time(one.ask_time), one.asker)
            for one in found
        ),
    )


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


@hold.command()
@click.argument("account")
@click.option(
    "--kind", type=click.Choice(_KINDS), required=True, help="Why, of Art. 17(3) (b) or (e) GDPR."
)
@click.option("--reference", required=True, help="A file number, for example; names nobody.")
@json_option
@click.pass_obj
def place(session: Session, account: str, kind: str, reference: str, *, as_json: bool) -> None:
    """Keep ACCOUNT from being erased."""
    value = erasure_pb2.HoldKind.Value(f"HOLD_KIND_{kind.upper()}")
    _hold(session, lambda client: client.place_hold(account, value, reference), as_json=as_json)


@hold.command()
@click.argument("name")
@json_option
@click.pass_obj
def lift(session: Session, name: str, *, as_json: bool) -> None:
    """Ask to lift a hold; when another officer has asked, lift it."""
    _hold(session, lambda client: client.lift_hold(name), as_json=as_json)


@hold.command(name="list")
@purpose_option
@json_option
@click.pass_obj
def list_holds(session: Session, *, purpose: str, as_json: bool) -> None:
    """List holds, newest first."""

    async def fetch() -> list[erasure_pb2.Hold]:
        async with Erasures.connect(session.profile) as client:
            return [one async for one in client.holds(purpose)]

    found = run(fetch)
    if as_json:
        emit_json(found)
        return
    Paper().table(
        ["name", "state", "about", "kind", "reference", "placed"],
        (
            (
                one.name,
                word(erasure_pb2.HoldState.Name(one.state), "HOLD_STATE_"),
                one.account,
                word(erasure_pb2.HoldKind.Name(one.kind), "HOLD_KIND_"),
                one.reference,
                _time(one.place_time),
            )
            for one in found
        ),
    )


def _erasure(
    session: Session,
    call: Callable[[Erasures], Awaitable[erasure_pb2.Erasure]],
    *,
    as_json: bool,
) -> None:
    async def act() -> erasure_pb2.Erasure:
        async with Erasures.connect(session.profile) as client:
            return await call(client)

    one = run(act)
    if as_json:
        emit_json(one)
    else:
        _say_erasure(one)


def _say_erasure(one: erasure_pb2.Erasure) -> None:
    out = Paper()
    out.say((one.name, "bold"), f"  {_state(one)}")
    destroyed = bool(one.event_id)
    out.facts(
        (
            ("about", one.account or "nobody can tell any more"),
            ("ground", _ground(one)),
            ("asked by", f"{one.asker}  {_time(one.ask_time)}"),
            ("confirmed by", one.confirmer),
            ("called off by", one.canceller),
            ("keys destroyed", _time(one.erase_time)),
            ("entries", f"{one.entries} of {one.log_size}" if destroyed else ""),
            ("fingerprint", one.fingerprint.hex()),
            ("event", one.event_id),
            ("left to do", _left(one)),
        )
    )


def _left(one: erasure_pb2.Erasure) -> str:
    """What is missing until nothing can bring the person back."""
    match one.state:
        case erasure_pb2.ERASURE_STATE_ASKED:
            return "another officer confirms it"
        case erasure_pb2.ERASURE_STATE_ERASED:
            return (
                f"destroy the key-encryption key of {one.kek_month}; backups of the keys end by "
                f"{_time(one.backups_end_time)}"
            )
        case _:
            return ""


def _hold(
    session: Session, call: Callable[[Erasures], Awaitable[erasure_pb2.Hold]], *, as_json: bool
) -> None:
    async def act() -> erasure_pb2.Hold:
        async with Erasures.connect(session.profile) as client:
            return await call(client)

    one = run(act)
    if as_json:
        emit_json(one)
        return
    out = Paper()
    out.say((one.name, "bold"), f"  {word(erasure_pb2.HoldState.Name(one.state), 'HOLD_STATE_')}")
    out.facts(
        (
            ("keeps", one.account),
            ("kind", word(erasure_pb2.HoldKind.Name(one.kind), "HOLD_KIND_")),
            ("reference", one.reference),
            ("placed by", f"{one.placer}  {_time(one.place_time)}"),
            ("lifting asked by", one.lift_asker),
            ("lifted by", one.lifter),
        )
    )


def _state(one: erasure_pb2.Erasure) -> str:
    return word(erasure_pb2.ErasureState.Name(one.state), "ERASURE_STATE_")


def _ground(one: erasure_pb2.Erasure) -> str:
    return word(erasure_pb2.ErasureGround.Name(one.ground), "ERASURE_GROUND_")


def _time(stamp: Timestamp) -> str:
    if not stamp.seconds:
        return ""
    return stamp.ToDatetime().isoformat(timespec="seconds") + "Z"
