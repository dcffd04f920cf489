"""Writes terms down: a contract's first version, or its next one."""

from collections.abc import Callable

from runtime.fault import not_found
from runtime.ids import opaque_id
from services.sharing.cases.means import Means
from services.sharing.domain.acting import Acting
from services.sharing.domain.admission import check_terms
from services.sharing.domain.agreement import Agreement, Step
from services.sharing.domain.ports import Records, Request
from services.sharing.domain.records import ContractState, Terms


async def create_contract(
    means: Means, request: Request[Agreement], recipient: str, terms: Terms, acting: Acting
) -> bytes:
    """Record a draft with a recipient that exists."""
    name = f"contracts/{opaque_id()}"

    def drafted(records: Records) -> Agreement:
        if records.recipients.get(recipient) is None:
            raise not_found(recipient)
        return Agreement.draft(name, recipient, terms, acting.who, means.clock.now())

    return await _write(
        means, request, "sharing:contract:create", terms, acting=acting, drafted=drafted
    )


async def amend_contract(
    means: Means,
    request: Request[Agreement],
    *,
    name: str,
    version: int,
    terms: Terms,
    acting: Acting,
) -> bytes:
    """Record the next version, as a draft."""

    def drafted(records: Records) -> Agreement:
        agreement = records.contracts.get(name)
        if agreement is None:
            raise not_found(name)
        return agreement.amend(version, terms, acting.who)

    return await _write(
        means, request, "sharing:contract:amend", terms, acting=acting, drafted=drafted
    )


async def _write(
    means: Means,
    request: Request[Agreement],
    action: str,
    terms: Terms,
    *,
    acting: Acting,
    drafted: Callable[[Records], Agreement],
) -> bytes:
    check_terms(terms, means.rulebook)
    now = means.clock.now()

    def unit(records: Records) -> bytes:
        def change() -> Agreement:
            agreement = drafted(records)
            step = Step(agreement.version, ContractState.DRAFT, acting.who, now)
            records.contracts.save(agreement, step)
            records.publish(
                acting.event(
                    action=action,
                    time=now,
                    resource=agreement.name,
                    recipients=[agreement.recipient],
                    contracts=[agreement.name],
                    fields={
                        "version": str(agreement.version),
                        "document_sha256": terms.document.sha256 if terms.document else "",
                    },
                )
            )
            return agreement

        return records.once(request, now, change)

    return await means.store.write(unit)
