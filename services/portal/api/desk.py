"""Everything a page may reach for, handed in by main."""

from collections.abc import Mapping
from dataclasses import dataclass

from jinja2 import Environment

from runtime.clock import Clock
from services.portal.api.catalog import Catalog
from services.portal.domain.officer_ports import (
    Agreements,
    Analysis,
    Contracts,
    Erasures,
    Subjects,
)
from services.portal.domain.ports import (
    Accounts,
    Choices,
    Consents,
    Log,
    OwnLog,
    Reaches,
    Sessions,
    Staff,
)
from services.portal.domain.stated import StatedPurpose


@dataclass(frozen=True)
class Desk:
    """The peers, the clock, the words and the templates of one process."""

    region: str
    form_key: bytes
    clock: Clock
    catalogs: Mapping[str, Catalog]
    templates: Environment
    sessions: Sessions
    accounts: Accounts
    staff: Staff
    consents: Consents
    choices: Choices
    reaches: Reaches
    analysis: Analysis
    subjects: Subjects
    contracts: Contracts
    agreements: Agreements
    erasures: Erasures
    log: Log
    own_log: OwnLog
    stated: StatedPurpose
    trace_viewer: str  # an address with {trace_id}, or empty
