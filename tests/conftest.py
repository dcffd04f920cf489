"""The running region that mesh and browser tests share: real processes over mTLS."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from sandbox.mesh import Mesh, Ports

# The same examples each time, and no judgement of how busy the machine is.
settings.register_profile(
    "accord", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("accord")

# A shell that starts the tests in the background has SIGINT ignored, as would all they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """Region nl, started once for the test process on free ports, empty at first.

    `region.portal` is its address, `region.material.web_root` the root to trust for it,
    `region.material.profile("mi-store")` a profile for the SDK and the command.
    """
    with Mesh("nl", tmp_path_factory.mktemp("region"), Ports.free()) as mesh:
        yield mesh
