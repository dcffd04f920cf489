"""The tour: the main story, through the portal, the store's certificate and the command alone."""

import re
from pathlib import Path

from accord.audit.v1.read_service_pb2 import EntryFilter, ListEntriesRequest
from accord.sharing.v1 import decision_pb2

from sandbox.mesh import Mesh
from sandbox.tour import Tour
from tests.mesh.log import logged


def test_the_tour_plays_to_its_end(tour: Tour) -> None:
    for words in (
        "1. Anna",
        "Google is your only way to sign in",
        "PERMIT  by mi-store@2025-05-20 §4.1.3",
        "CONSENT_MISSING",
        "CONTRACT_NOT_ACTIVE",
        "DENY  CONSENT_WITHDRAWN",
        "│ VERIFIED\n",
        "the path leads to the signed root",
        "column leaf: is not what the log signed",
    ):
        assert words in tour.told


def test_the_front_page_shows_what_the_tour_prints(tour: Tour) -> None:
    page = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    _, _, shown = page.partition("What you see, in part:")[2].split("```")[1].split("\n", 2)
    told = _alike(tour.told).splitlines()
    assert [line for line in _alike(shown).splitlines() if line and line not in told] == []


def _alike(text: str) -> str:
    """Leave out what differs from one tour to the next: ids, keys, numbers; and what is cut."""
    text = re.sub(r"^ *…$", "", text, flags=re.MULTILINE)
    text = re.sub(r"contracts/[0-9a-z]{26}/|key [0-9a-f]{8}\b", "…", text)
    return re.sub(r"(?<= )\d+(?=[ ,;]|$)", "…", text, flags=re.MULTILINE)


def test_a_permit_of_the_tour_names_its_ground_and_its_duties(tour: Tour) -> None:
    assert tour.permit.outcome == decision_pb2.OUTCOME_PERMIT
    assert decision_pb2.OBLIGATION_RECORD_DISCLOSURE in tour.permit.obligations
    assert len(tour.permit.rulebook_digest) == 64


def test_one_trace_leads_from_the_portal_through_account_and_sharing_into_the_log(
    region: Mesh, tour: Tour
) -> None:
    found = logged(
        region,
        lambda entries: {"account", "sharing"} <= {entry.producer for entry in entries},
        ListEntriesRequest(filter=EntryFilter(trace_id=tour.sign_up_trace)),
    )
    assert {entry.producer for entry in found} == {"account", "sharing"}
    assert all(entry.trace_id == tour.sign_up_trace for entry in found)
    assert all(entry.span_id for entry in found)
    assert tour.sign_up_trace in region.material.log("portal").read_text()
