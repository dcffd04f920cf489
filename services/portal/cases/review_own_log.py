"""A person looks at what the log says was done with their data."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.portal.domain.person import Person
from services.portal.domain.ports import Choices, OwnLog
from services.portal.domain.sharing import Recipient, Vocabulary
from services.portal.domain.told import Told, tell
from services.portal.domain.trace import Proof


@dataclass(frozen=True)
class Review:
    """Some of it, newest first, with the words and names to tell it in."""

    vocabulary: Vocabulary
    recipients: Mapping[str, Recipient]
    told: Sequence[Told] = ()
    next_page: str = ""
    proof: Proof | None = None


async def review_page(log: OwnLog, choices: Choices, person: Person, page: str) -> Review:
    """Gather one page."""
    found, vocabulary, recipients = await asyncio.gather(
        log.entries(person, page), choices.vocabulary(person), choices.recipients(person)
    )
    names = {recipient.name: recipient for recipient in recipients}
    return Review(vocabulary, names, tell(found.entries), found.next_page)


async def review_entry(log: OwnLog, choices: Choices, person: Person, index: int) -> Review:
    """Gather one entry with its proof."""
    proof, vocabulary, recipients = await asyncio.gather(
        log.prove(person, index), choices.vocabulary(person), choices.recipients(person)
    )
    names = {recipient.name: recipient for recipient in recipients}
    return Review(vocabulary, names, [Told(proof.entry)], proof=proof)
