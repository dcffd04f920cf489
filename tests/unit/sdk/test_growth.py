"""Whoever kept a checkpoint finds out whether the log still begins with what it signed then."""

from __future__ import annotations

import pytest
from accord_client.checkpoint import Checkpoint, verify_growth
from accord_client.failure import VerificationError
from accord_client.merkle import leaf_hash, root_of

from tests.unit.sdk.evidence import ORIGIN, Signer, checkpoint_text
from tests.unit.sdk.test_merkle import naive_consistency

LEAVES = [leaf_hash(bytes([number])) for number in range(20)]
FORKED = [*LEAVES[:6], leaf_hash(b"another"), *LEAVES[7:]]


def signed(leaves: list[bytes], origin: str = ORIGIN) -> Checkpoint:
    log = Signer(origin)
    text = checkpoint_text(len(leaves), root_of(leaves), origin)
    return Checkpoint.open(f"{text}\n{log.line(text)}".encode(), [log.key])


@pytest.mark.parametrize("size", range(1, len(LEAVES) + 1))
def test_a_log_that_only_grew_is_consistent(size: int) -> None:
    verify_growth(signed(LEAVES[:size]), signed(LEAVES), naive_consistency(size, LEAVES))


@pytest.mark.parametrize("size", range(1, len(LEAVES) + 1))
def test_a_fork_is_found_from_the_entry_on_at_which_it_begins(size: int) -> None:
    old, new, proof = signed(LEAVES[:size]), signed(FORKED), naive_consistency(size, FORKED)
    if size <= 6:
        verify_growth(old, new, proof)
        return
    with pytest.raises(VerificationError) as refused:
        verify_growth(old, new, proof)
    assert refused.value.obligation == "consistency"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (signed(LEAVES), signed(LEAVES[:12]), "had 20 entries and now has 12"),
        (signed(LEAVES[:12]), signed(LEAVES, "sg.accord.internal/audit"), "are two logs"),
        (signed([]), signed(LEAVES), "no proof leads from 0"),
        (signed(LEAVES[:12]), signed(LEAVES), "hashes where its path has|the proof is empty"),
    ],
    ids=["shrunk", "another log", "an empty log", "no proof"],
)
def test_what_is_not_the_same_log_grown_is_refused(
    old: Checkpoint, new: Checkpoint, why: str
) -> None:
    with pytest.raises(VerificationError, match=why):
        verify_growth(old, new, [])
