"""An officer looks at whose data a recipient has or could get."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from runtime.fault import not_found
from services.portal.domain.officer_ports import Subjects
from services.portal.domain.person import Person
from services.portal.domain.ports import Choices
from services.portal.domain.sharing import Recipient, Vocabulary
from services.portal.domain.subjects import Subject, Wanted


@dataclass(frozen=True)
class RecipientPeople:
    """A page of people, and the token of the next."""

    vocabulary: Vocabulary
    recipient: Recipient
    people: Sequence[Subject]
    following: str


async def recipient_people(  # noqa: PLR0917  two ways out and one question in its parts
    choices: Choices, subjects: Subjects, officer: Person, key: str, wanted: Wanted, page: str
) -> RecipientPeople:
    """Gather a page; NOT_FOUND for a recipient that is not registered."""
    vocabulary, recipients = await asyncio.gather(
        choices.vocabulary(officer), choices.recipients(officer)
    )
    recipient = next((each for each in recipients if each.key == key), None)
    if recipient is None:
        raise not_found(f"recipients/{key}")
    people, following = await subjects.people(officer, recipient, wanted, page)
    return RecipientPeople(vocabulary, recipient, people, following)
