"""A browser comes back from a provider: somebody is signed in, about to sign up, or has linked."""

from services.portal.domain.person import Arrival, Link, Person, Registration, Session
from services.portal.domain.ports import Accounts, Sessions


async def arrive(
    sessions: Sessions,
    accounts: Accounts,
    *,
    linker: Person | None,
    flow_secret: str,
    arrival: Arrival,
) -> Session | Registration | Link:
    """Complete the flow that this browser began: a link for `linker`, a sign-in for nobody yet.

    Account checks that flow, state, provider and person belong together and consumes the flow in
    any case, so a callback that is replayed or forged leads to a Fault and to nothing else.
    """
    if linker is None:
        return await sessions.complete(flow_secret, arrival)
    return await accounts.complete_link(linker, flow_secret, arrival)
