"""Makes the permit of a decision: what its holder keeps, shows and has verified offline."""

from services.sharing.cases.means import Means
from services.sharing.domain.decision import Decision
from services.sharing.domain.permit import TYPE, claims, revoked_by
from services.sharing.domain.vocabulary import Outcome


async def issue_permit(means: Means, decision: Decision) -> str:
    """Return the permit of a decision that is durable; empty unless it permits for a while."""
    if decision.answer.outcome is not Outcome.PERMIT:
        return ""
    watch = tuple(means.watch_keys.of(change) for change in revoked_by(decision.question))
    said = claims(decision, means.region, watch)
    return await means.signer.sign(said, TYPE) if said else ""
