"""A person looks at who has which of their data, for what and why."""

import asyncio
from dataclasses import dataclass

from services.portal.domain.person import Person
from services.portal.domain.ports import Choices, Reaches
from services.portal.domain.reach import Map, draw
from services.portal.domain.sharing import Vocabulary


@dataclass(frozen=True)
class Drawn:
    """The map, with the words to show it in."""

    vocabulary: Vocabulary
    map: Map


async def draw_map(choices: Choices, reaches: Reaches, person: Person) -> Drawn:
    """Gather who has or could get the person's data."""
    vocabulary, (reached, more) = await asyncio.gather(
        choices.vocabulary(person), reaches.recipients(person)
    )
    return Drawn(vocabulary, draw(reached, more=more))
