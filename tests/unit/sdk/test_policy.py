"""Trust policies: what is read, what is refused, and when a checkpoint is witnessed enough."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pytest
from accord_client.failure import VerificationError
from accord_client.merkle import EMPTY_ROOT
from accord_client.note import Algorithm, VerifierKey
from accord_client.policy import Policy
from accord_client.trust import Trust
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sdk.evidence import ORIGIN, Signer, checkpoint_text

LOG = Signer(ORIGIN)
NEXT_LOG = Signer(ORIGIN)  # the key that the log changes to
TEXT = checkpoint_text(0, EMPTY_ROOT)
NOON = 1_750_000_000
WITNESSES = {
    name: Signer(f"{name}.example/witness", Algorithm.COSIGNATURE)
    for name in ("X1", "X2", "X3", "Y1", "Y2", "Y3")
}
KEYS = {name: str(signer.key) for name, signer in WITNESSES.items()}
DEFINED = "".join(f"witness {name} {key}\n" for name, key in KEYS.items())
TWO_LEVELS = f"""
# organisation X, and any of organisation Y
\tlog {LOG.key} https://log.example/
{DEFINED}group X-witnesses 2 X1 X2 X3
group  Y-witnesses  any Y1\tY2 Y3
group X-and-Y all X-witnesses Y-witnesses
  quorum X-and-Y
"""


def note(*cosigners: str, signer: Signer = LOG) -> bytes:
    lines = "".join(WITNESSES[name].line(TEXT, at=NOON) for name in cosigners)
    return f"{TEXT}\n{signer.line(TEXT)}{lines}".encode()


def trust(policy: str, keys: Sequence[VerifierKey] = (LOG.key,)) -> Trust:
    return Trust(tuple(keys), Policy.parse(policy.encode()))


@pytest.mark.parametrize(
    ("cosigners", "satisfied"),
    [
        ("", False),
        ("X1", False),
        ("X1 X2", False),
        ("Y1 Y2 Y3", False),
        ("X1 Y1", False),
        ("X1 X3 Y2", True),
        ("X1 X2 X3 Y1 Y2 Y3", True),
    ],
)
def test_a_quorum_of_two_levels(cosigners: str, satisfied: bool) -> None:
    attested = trust(TWO_LEVELS).open(note(*cosigners.split()))
    standing = attested.standing
    assert standing is not None
    assert standing.satisfied is satisfied
    assert [one.name for one in standing.cosigners] == cosigners.split()
    assert set(standing.missing) == set(WITNESSES) - set(cosigners.split())
    assert standing.rule == "2 of (2 of X1, X2, X3), (1 of Y1, Y2, Y3)"
    assert (
        f"the quorum ({standing.rule}) {'holds' if satisfied else 'does NOT'}" in attested.cosigned
    )
    if satisfied:
        attested.require_quorum()
    else:
        with pytest.raises(VerificationError, match="the policy requires 2 of") as caught:
            attested.require_quorum()
        assert caught.value.obligation == "quorum"


@pytest.mark.parametrize(
    ("group", "cosigners", "satisfied"),
    [
        ("group G 1 X1\n", "", False),
        ("group G all X1 X2\n", "X1", False),
        ("group G all X1 X2\n", "X1 X2", True),
        ("group G any X1 X2\n", "X2", True),
        ("group all 2 X1 X2\ngroup G any all Y1\n", "X1", False),
        ("group all 2 X1 X2\ngroup G any all Y1\n", "Y1", True),
    ],
)
def test_groups(group: str, cosigners: str, satisfied: bool) -> None:
    standing = trust(f"{DEFINED}{group}quorum G\n").open(note(*cosigners.split())).standing
    assert standing is not None
    assert standing.satisfied is satisfied


def test_a_single_witness_is_a_quorum_and_none_requires_nobody() -> None:
    standing = trust(f"{DEFINED}quorum X2\n").open(note("X2")).standing
    assert standing is not None
    assert (standing.satisfied, standing.rule) == (True, "X2")
    standing = trust("quorum none").open(note()).standing
    assert standing is not None
    assert (standing.satisfied, standing.rule) == (True, "no cosignature is required")


def test_a_cosignature_that_does_not_verify_spoils_the_note() -> None:
    forged = note("X1").replace(b"X1.example", b"X2.example")
    assert trust(f"{DEFINED}quorum X2\n").open(forged).standing is not None  # of an unknown key
    stolen = WITNESSES["X2"].line(checkpoint_text(9, EMPTY_ROOT), at=NOON).encode()
    with pytest.raises(VerificationError, match=r"X2\.example/witness"):
        trust(f"{DEFINED}quorum X2\n").open(note() + stolen)


def test_a_log_whose_key_changes_is_known_by_any_pinned_key_of_its_origin() -> None:
    both = (LOG.key, NEXT_LOG.key)
    for signer in (LOG, NEXT_LOG):
        attested = trust("quorum none", both).open(note(signer=signer))
        assert attested.checkpoint.log_keys == (signer.key,)
        assert signer.key.key_id.hex() in attested.signers
    twice = f"{TEXT}\n{LOG.line(TEXT)}{NEXT_LOG.line(TEXT)}".encode()
    assert Trust(both).open(twice).checkpoint.log_keys == both
    with pytest.raises(VerificationError, match="no pinned key"):
        trust("quorum none", (LOG.key,)).open(note(signer=NEXT_LOG))


def test_the_logs_of_a_policy_are_pinned_by_it_and_narrow_what_else_is() -> None:
    listed = f"log {LOG.key}\nquorum none\n"
    assert trust(listed, ()).open(note()).checkpoint.origin == ORIGIN
    with pytest.raises(VerificationError, match="no pinned key"):
        trust(listed, ()).open(note(signer=NEXT_LOG))
    with pytest.raises(VerificationError) as caught:
        trust(listed, (NEXT_LOG.key,)).open(note(signer=NEXT_LOG))
    assert caught.value.obligation == "policy"
    with pytest.raises(VerificationError) as caught:
        trust(listed, (NEXT_LOG.key,)).open(note())
    assert caught.value.obligation == "signature"


def test_names_are_octets() -> None:
    policy = b"witness \xff\xfe " + KEYS["X1"].encode() + b"\nquorum \xff\xfe\n"
    standing = Trust((LOG.key,), Policy.parse(policy)).open(note("X1")).standing
    assert standing is not None
    assert standing.satisfied
    assert standing.cosigners[0].name == "\\xff\\xfe"


def refused(policy: str | bytes) -> str:
    data = policy if isinstance(policy, bytes) else policy.encode()
    with pytest.raises(VerificationError) as caught:
        Policy.parse(data)
    assert caught.value.obligation == "policy"
    return str(caught.value)


REFUSED = [
    ("", "no quorum"),
    (DEFINED, "no quorum"),
    ("quorum none\nquorum none\n", "line 2: the quorum is defined twice"),
    ("quorum X1\n" + DEFINED, "line 1: X1 is not defined on a line before"),
    (f"log {LOG.key}\nlog {LOG.key} https://a\nquorum none\n", "line 2"),
    (f"log {KEYS['X1']}\nquorum none\n", "no key of a log"),
    (f"witness W {LOG.key}\nquorum W\n", "no key of a witness"),
    (f"witness none {KEYS['X1']}\nquorum none\n", "none is taken"),
    (f"{DEFINED}witness Z {KEYS['X1']}\nquorum Z\n", "listed twice"),
    (f"{DEFINED}witness X1 {LOG.key}\nquorum X1\n", "X1 is taken"),
    (f"{DEFINED}group G any none\nquorum G\n", "none is not defined"),
    (f"{DEFINED}group G any G\nquorum G\n", "G is not defined"),
    (f"{DEFINED}group G any X1 X1\nquorum G\n", "a member of a group already"),
    (f"{DEFINED}group G any X1\ngroup H any X1\nquorum H\n", "member of a group already"),
    (f"{DEFINED}group G any\nquorum G\n", "must be a log"),
    (f"{DEFINED}group G 0 X1\nquorum G\n", "1 to 1"),
    (f"{DEFINED}group G 3 X1 X2\nquorum G\n", "1 to 2"),
    (f"{DEFINED}group G -1 X1\nquorum G\n", "1 to 1"),
    (f"{DEFINED}group G 01 X1\nquorum G\n", "1 to 1"),
    (f"{DEFINED}group G \u0661 X1\nquorum G\n", "1 to 1"),
    (f"log {LOG.key} https://a #why\nquorum none\n", "must be a log"),
    ("quorum none\r\n", "control character"),
    ("# \f\nquorum none\n", "control character"),
    ("# \x7f\nquorum none\n", "control character"),
    (b"log \xff+00000000+AAAA\nquorum none\n", "line 1"),
    (b"\n" * 20_000, "larger than any"),
    (b"#" * (1 << 21), "larger than any"),
]


@pytest.mark.parametrize(("policy", "says"), REFUSED, ids=map(str, range(len(REFUSED))))
def test_what_is_no_policy_is_refused_by_line(policy: str | bytes, says: str) -> None:
    assert says in refused(policy)


def test_a_policy_of_many_nested_groups_is_judged_without_recursion() -> None:
    groups = "".join(f"group G{n} all G{n - 1}\n" for n in range(1, 5_000))
    policy = f"{DEFINED}group G0 any X1 X2\n{groups}quorum G4999\n"
    standing = trust(policy).open(note("X2")).standing
    assert standing is not None
    assert (standing.satisfied, standing.rule) == (True, "1 of X1, X2")


@given(st.binary(max_size=300))
def test_no_input_breaks_the_reader_of_policies(data: bytes) -> None:
    for text in (data, DEFINED.encode() + b"group G " + data, b"log " + data):
        try:
            Policy.parse(text)
        except VerificationError as error:
            assert error.obligation == "policy"  # noqa: PT017 -- most inputs, not all, are refused


def subtree_line(private: MLDSA44PrivateKey, name: str, at: int) -> tuple[VerifierKey, str]:
    """A cosignature by its definition: the struct cosigned_message of tlog-cosignature."""
    key = VerifierKey(name, Algorithm.SUBTREE, private.public_key().public_bytes_raw())
    message = b"subtree/v1\n\0" + bytes([len(name)]) + name.encode() + at.to_bytes(8)
    message += bytes([len(ORIGIN)]) + ORIGIN.encode() + bytes(16) + EMPTY_ROOT
    blob = base64.b64encode(key.key_id + at.to_bytes(8) + private.sign(message)).decode()
    return key, f"— {name} {blob}\n"


def test_a_witness_may_cosign_with_a_key_that_outlives_quantum_computers() -> None:
    name = "pq.example/witness"
    key, line = subtree_line(MLDSA44PrivateKey.generate(), name, NOON)
    assert VerifierKey.parse(str(key)) == key
    policy = f"witness PQ {key}\nquorum PQ\n"
    standing = trust(policy).open(note() + line.encode()).standing
    assert standing is not None
    assert standing.satisfied
    _, other = subtree_line(MLDSA44PrivateKey.generate(), name, NOON)
    blob = base64.b64decode(other.split(" ")[2])
    moved = base64.b64encode(key.key_id + blob[4:]).decode()
    with pytest.raises(VerificationError, match="does not verify"):
        trust(policy).open(note() + f"— {name} {moved}\n".encode())
