"""Shows recipients."""

from runtime.fault import invalid, not_found
from services.sharing.cases.means import Means
from services.sharing.domain.ports import Page
from services.sharing.domain.records import Recipient


async def get_recipient(means: Means, name: str) -> Recipient:
    """Return a recipient, or NOT_FOUND."""
    recipient = await means.store.read(lambda records: records.recipients.get(name))
    if recipient is None:
        raise not_found(name)
    return recipient


async def list_recipients(means: Means, page: Page, kind: str) -> tuple[list[Recipient], str]:
    """List by name those of a known kind; return the cursor of what follows, or empty."""
    if kind and kind not in means.rulebook.kind_scopes:
        raise invalid("kind", "unknown key")
    return await means.store.read(lambda records: records.recipients.list(page, kind))
