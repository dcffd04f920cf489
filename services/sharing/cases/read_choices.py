"""Shows a person their own consents and choices."""

from services.sharing.cases.means import Means
from services.sharing.domain.ports import Page
from services.sharing.domain.records import Consent, Preference


async def list_consents(means: Means, page: Page, account: str) -> tuple[list[Consent], str]:
    """List newest first; return the cursor of what follows, or empty."""
    return await means.store.read(lambda records: records.consents.list(page, account))


async def list_preferences(means: Means, page: Page, account: str) -> tuple[list[Preference], str]:
    """List newest first, lifted ones included; return the cursor of what follows, or empty."""
    return await means.store.read(lambda records: records.preferences.list(page, account))
