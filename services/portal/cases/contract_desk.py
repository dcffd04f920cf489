"""An officer looks at recipients and at what was agreed with them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.portal.domain.officer_ports import Contracts
from services.portal.domain.person import Person
from services.portal.domain.ports import Choices
from services.portal.domain.sharing import Contract, Recipient, Vocabulary


@dataclass(frozen=True)
class ContractDesk:
    """Recipients by name, contracts newest first, and the words to show them in."""

    vocabulary: Vocabulary
    recipients: Mapping[str, Recipient]
    contracts: Sequence[Contract]


async def contract_desk(choices: Choices, contracts: Contracts, officer: Person) -> ContractDesk:
    """Gather everything that is on record."""
    vocabulary, recipients, found = await asyncio.gather(
        choices.vocabulary(officer), choices.recipients(officer), contracts.contracts(officer)
    )
    return ContractDesk(vocabulary, {each.name: each for each in recipients}, found)


async def one_contract(
    choices: Choices, contracts: Contracts, officer: Person, key: str
) -> ContractDesk:
    """Gather one contract with its history."""
    vocabulary, recipients, contract = await asyncio.gather(
        choices.vocabulary(officer), choices.recipients(officer), contracts.contract(officer, key)
    )
    return ContractDesk(vocabulary, {each.name: each for each in recipients}, [contract])
