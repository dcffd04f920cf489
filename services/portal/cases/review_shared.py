"""A person looks at what was decided about their data."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.portal.domain.person import Person
from services.portal.domain.ports import Choices
from services.portal.domain.sharing import Decision, Outcome, Recipient, Vocabulary


@dataclass(frozen=True)
class Review:
    """Decisions, newest first, with the words and names to show them in."""

    vocabulary: Vocabulary
    recipients: Mapping[str, Recipient]
    decisions: Sequence[Decision]
    next_page: str = ""


async def review_shared(
    choices: Choices, person: Person, outcome: Outcome | None, page: str
) -> Review:
    """Gather one page of decisions."""
    vocabulary, recipients, (decisions, next_page) = await asyncio.gather(
        choices.vocabulary(person),
        choices.recipients(person),
        choices.decisions(person, outcome, page),
    )
    return Review(vocabulary, _by_name(recipients), decisions, next_page)


async def review_one(choices: Choices, person: Person, key: str, purpose: str = "") -> Review:
    """Gather one decision: about the person, or any for a purpose of staff."""
    vocabulary, recipients, decision = await asyncio.gather(
        choices.vocabulary(person),
        choices.recipients(person),
        choices.decision(person, key, purpose),
    )
    return Review(vocabulary, _by_name(recipients), [decision])


def _by_name(recipients: Sequence[Recipient]) -> dict[str, Recipient]:
    return {recipient.name: recipient for recipient in recipients}
