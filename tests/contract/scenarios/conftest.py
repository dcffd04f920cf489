"""What the scenario tests share: the rules, and what every throw-away service begins with."""

from pathlib import Path

import pytest

from sandbox.scenarios.stage import prepare
from services.sharing.domain.rulebook import Rulebook
from services.sharing.store.rulebook import load_rulebook


@pytest.fixture(scope="session")
def rulebook() -> Rulebook:
    return load_rulebook()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an empty database and a sealing key."""
    directory = tmp_path_factory.mktemp("scenarios")
    prepare(directory)
    return directory
