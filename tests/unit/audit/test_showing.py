"""One value shown with its proof: whoever gets the file learns that value and no other."""

from __future__ import annotations

import base64
import json

import pytest
from accord.audit.v1.checkpoint_pb2 import Checkpoint
from accord.audit.v1.read_service_pb2 import ProveInclusionResponse
from accord_client.verify import pack_proof, verify_proof

from runtime.event import Decision, Event, Section
from services.audit.api import convert
from tests.unit.audit.test_sealing import KEYS, NOON, OTHER, PERSON, opened
from tests.unit.sdk.evidence import ORIGIN, Signer, checkpoint_text

LOG = Signer(ORIGIN)
EVENT = Event(
    "sharing:decision:batch",
    "recorded",
    NOON,
    account=PERSON,
    resource="decisions/nl-1",
    recipients=("recipients/dhl",),
    decision=Decision("decisions/nl-1", "DENY", ("NO_CONTRACT",), ("GDPR 6(1)(a)",), "5a" * 32),
    fields={"purpose": "delivery", "categories": "contact.phone"},
    sections=(Section(PERSON, {"answer": "yours"}), Section(OTHER, {"answer": "theirs"})),
)


@pytest.fixture(scope="module")
def response() -> ProveInclusionResponse:
    """What the log answers about its only entry."""
    entry = opened(EVENT, *KEYS)
    text = checkpoint_text(1, entry.stored.leaf_hash)
    return ProveInclusionResponse(
        entry=convert.to_entry(entry),
        openings=[convert.to_opening(opening) for opening in entry.openings],
        checkpoint=Checkpoint(note=f"{text}\n{LOG.line(text)}", size=1),
    )


@pytest.mark.parametrize(
    ("only", "shown"),
    [
        ("@decision.outcome", ["DENY"]),
        ("@decision.reasons", ["NO_CONTRACT"]),
        ("@recipients", ["recipients/dhl"]),
        ("purpose", ["delivery"]),
        ("answer", ["yours", "theirs"]),
        ("2:answer", ["theirs"]),
    ],
)
def test_a_file_that_shows_one_value_holds_nothing_of_the_others(
    response: ProveInclusionResponse, only: str, shown: list[str]
) -> None:
    proof = pack_proof(response, [only])
    verified = verify_proof(proof, [LOG.key])
    assert [opening.value for opening in verified.openings] == shown
    assert verified.commitments == len(response.openings) > len(shown)
    file = proof.serialise()
    (extra,) = [line for line in file.splitlines() if line.startswith(b"extra ")]
    content = base64.b64decode(extra.removeprefix(b"extra "))
    seen = file + content + base64.b64decode(json.loads(content)["leaf"])
    for opening in response.openings:
        if opening.value not in shown:
            assert opening.value.encode() not in seen
            assert opening.salt not in seen
            assert base64.b64encode(opening.salt) not in seen


def test_a_value_that_is_not_there_is_named(response: ProveInclusionResponse) -> None:
    for name in ("nothing", "1:@decision.outcome", "9:answer"):
        with pytest.raises(KeyError, match=name):
            pack_proof(response, ["@decision.outcome", name])
