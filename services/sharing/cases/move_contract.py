"""Moves a contract through its states: submit, activate, suspend, terminate."""

from collections.abc import Callable
from dataclasses import dataclass

from runtime.fault import not_found
from services.sharing.cases.means import Means
from services.sharing.cases.tell_recipients import Revoking
from services.sharing.domain.acting import Acting
from services.sharing.domain.agreement import Agreement, Step
from services.sharing.domain.ports import Records, Request
from services.sharing.domain.records import ContractState

_IN_FORCE = frozenset({ContractState.ACTIVE, ContractState.SUSPENDED})


@dataclass(frozen=True, slots=True)
class _Move:
    action: str
    state: ContractState  # where the version that is moved ends up
    apply: Callable[[Agreement], Agreement]
    note: str = ""


async def submit_contract(
    means: Means, request: Request[Agreement], name: str, version: int, acting: Acting
) -> bytes:
    """Hand a draft in for review."""
    move = _Move(
        "sharing:contract:submit", ContractState.UNDER_REVIEW, lambda known: known.submit(version)
    )
    return await _apply(means, request, name, move, acting)


async def activate_contract(
    means: Means, request: Request[Agreement], name: str, version: int, acting: Acting
) -> bytes:
    """Put a reviewed version in force or resume it, by somebody other than its author."""
    move = _Move(
        "sharing:contract:activate",
        ContractState.ACTIVE,
        lambda known: known.activate(version, acting.who),
    )
    return await _apply(means, request, name, move, acting)


async def suspend_contract(
    means: Means, request: Request[Agreement], name: str, note: str, acting: Acting
) -> bytes:
    """Stop the version in force for a while."""
    move = _Move("sharing:contract:suspend", ContractState.SUSPENDED, Agreement.suspend, note)
    return await _apply(means, request, name, move, acting)


async def terminate_contract(
    means: Means, request: Request[Agreement], name: str, note: str, acting: Acting
) -> bytes:
    """End a contract for good."""
    move = _Move("sharing:contract:terminate", ContractState.TERMINATED, Agreement.terminate, note)
    return await _apply(means, request, name, move, acting)


async def _apply(
    means: Means, request: Request[Agreement], name: str, move: _Move, acting: Acting
) -> bytes:
    now = means.clock.now()

    def unit(records: Records) -> bytes:
        def change() -> Agreement:
            known = records.contracts.get(name)
            if known is None:
                raise not_found(name)
            agreement = move.apply(known)
            # Suspending and resuming concern the version in force, which need not be the latest.
            version = agreement.active_version if move.state in _IN_FORCE else agreement.version
            step = Step(version, move.state, acting.who, now, move.note)
            records.contracts.save(agreement, step)
            records.publish(
                acting.event(
                    action=move.action,
                    time=now,
                    resource=name,
                    recipients=[agreement.recipient],
                    contracts=[name],
                    fields={
                        "version": str(version),
                        **({"note": move.note} if move.note else {}),
                    },
                )
            )
            # Under what was never in force nobody received anything.
            if move.state is ContractState.TERMINATED and agreement.active_version:
                Revoking(means, records, now, acting).contract(name, agreement.recipient)
            return agreement

        return records.once(request, now, change)

    return await means.store.write(unit)
