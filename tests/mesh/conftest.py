"""What the mesh tests share: one region in one test process, and the tour played on it once."""

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from sandbox.browser import Browser
from sandbox.mesh import Mesh
from sandbox.story import Story
from sandbox.tour import Tour
from tests.mesh.people import Person, sign_up


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests on one worker, so that one region serves them all."""
    for item in items:
        if "/tests/mesh/" in str(item.path):
            item.add_marker(pytest.mark.xdist_group("mesh"))


@pytest.fixture(scope="session")
def tour(region: Mesh) -> Tour:
    """The tour, played to its end; what it printed is in `tour.told`."""
    paper = io.StringIO()
    played = Tour(region, Story(Console(file=paper, width=120)))
    played.play()
    return played


@pytest.fixture(scope="session")
def arjun(region: Mesh) -> Iterator[Person]:
    """A person who signed up with Google."""
    with Browser(region.portal, region.material.web_root) as browser:
        yield sign_up(browser, "arjun")
