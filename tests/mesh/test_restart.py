"""A region stops cleanly and goes on from its data, without a second tour."""

from pathlib import Path

import pytest

from sandbox.browser import Browser
from sandbox.mesh import Mesh, Ports
from sandbox.process import StartError
from tests.mesh.people import sign_up


@pytest.mark.timeout(240)  # two starts, beside whatever else the machine does
def test_a_region_goes_on_from_where_it_stopped(tmp_path: Path) -> None:
    ports = Ports.free()
    first = Mesh("nl", tmp_path, ports)
    with first, Browser(first.portal, first.material.web_root) as browser:
        account = sign_up(browser, "dmitri").account
        key = first.material.log_key.read_text()
        assert first.stop() == []  # nobody had to be killed
        assert set(first.failed()) == {"providers", "account", "sharing", "audit", "portal"}
        with Mesh("nl", tmp_path, ports) as second:
            assert second.material.log_key.read_text() == key
            assert account in browser.open("/account").html  # the session of before


def test_a_second_region_on_the_same_ports_is_refused_with_a_sentence(
    region: Mesh, tmp_path: Path
) -> None:
    with pytest.raises(StartError, match="running already"):
        Mesh("nl", tmp_path, region.ports).start()
