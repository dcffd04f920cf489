"""Policies: what the format allows, what each quorum means, and errors that say where."""

from __future__ import annotations

from itertools import product

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.domain.note import COSIGNATURE, ED25519, VerifierKey
from services.audit.domain.policy import Policy, PolicyError


def key(name: str, kind: int) -> VerifierKey:
    seed = name.encode().ljust(32, b".")[:32]
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return VerifierKey(name, public, kind)


def log(name: str) -> str:
    return str(key(name, ED25519))


def witness(name: str) -> str:
    return str(key(name, COSIGNATURE))


def witnesses(*names: str) -> str:
    return "".join(f"witness {name} {witness(name)}\n" for name in names)


def parse(text: str) -> Policy:
    return Policy.parse(text.encode())


def test_a_policy_of_two_levels_reads_as_it_stands() -> None:
    policy = parse(
        f"# ours\n\n log\t{log('nl.example/log')} https://nl.example/\n"
        + witnesses("X1", "X2", "X3")
        + f"witness Y1 {witness('Y1')} https://y1.example/w\n"
        + witnesses("Y2")
        + "  group X 2 X1  X2\tX3 \ngroup Y any Y1 Y2\n\t# both\ngroup X-and-Y all X Y\n"
        + f"quorum X-and-Y\nlog {log('in.example/log')}\n"
    )
    assert [each.key.name for each in policy.logs] == ["nl.example/log", "in.example/log"]
    assert policy.logs[0].url == "https://nl.example/"
    assert [each.url for each in policy.witnesses] == [None] * 3 + ["https://y1.example/w", None]
    assert policy.groups[2].threshold == 2
    for held in product([False, True], repeat=5):
        names = [w.name for w, is_held in zip(policy.witnesses, held, strict=True) if is_held]
        assert policy.satisfied_by(names) is (sum(held[:3]) >= 2 and any(held[3:]))
    assert not policy.satisfied_by(["X", "Y", "X-and-Y"]), "a group's name is nobody's signature"


def test_one_witness_may_be_the_quorum_and_none_needs_nobody() -> None:
    one = parse(f"{witnesses('a', 'b')}quorum b")
    assert one.satisfied_by(["b"])
    assert not one.satisfied_by(["a"])
    assert parse("quorum none\n").satisfied_by([])


def test_thirty_two_of_each_and_more_are_supported() -> None:
    names = [f"w{n}" for n in range(40)]
    text = "".join(f"log {log(f'log-{n}')}\n" for n in range(40)) + witnesses(*names)
    text += "".join(f"group g{n} any {name}\n" for n, name in enumerate(names))
    text += f"group all-of-them 32 {' '.join(f'g{n}' for n in range(40))}\nquorum all-of-them\n"
    policy = parse(text)
    assert policy.satisfied_by(names[:32])
    assert not policy.satisfied_by(names[:31])


def test_names_are_octets_and_look_alikes_differ() -> None:
    text = f"witness K {witness('a')}\nwitness \u212a {witness('b')}\nquorum \u212a\n".encode()
    assert not Policy.parse(text).satisfied_by(["K"])
    latin = b"witness \xff " + witness("a").encode() + b"\nquorum \xff\n"
    (only,) = Policy.parse(latin).witnesses
    assert Policy.parse(latin).satisfied_by([only.name])
    # What Unicode calls a space or a line is neither here.
    assert parse(f"witness a\u00a0b\u2028c {witness('a')}\nquorum a\u00a0b\u2028c\n").quorum


AB = witnesses("a", "b")


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        (f"log {log('l')}\n", None, "no line defines the quorum"),
        ("", None, "no line defines the quorum"),
        ("quorum a\n", 1, "defined on no line before"),
        (f"quorum a\n{AB}", 1, "defined on no line before"),
        (f"{AB}quorum a\nquorum b\n", 4, "has defined the quorum"),
        ("quorum none\nquorum none\n", 2, "has defined the quorum"),
        (f"{AB}group g all a c\nquorum g\n", 3, "'c' is defined on no line before"),
        (f"{AB}group g all a g\nquorum g\n", 3, "'g' is defined on no line before"),
        (f"{AB}group g all none\nquorum g\n", 3, "'none' is defined on no line before"),
        (f"{AB}group g all\nquorum g\n", 3, "no member"),
        (f"{AB}group g\nquorum g\n", 3, "too few or too many"),
        (f"{AB}group g any a a\nquorum g\n", 3, "a member already"),
        (f"{AB}group g any a\ngroup h any a b\nquorum h\n", 4, "'a' is a member already"),
        (f"{AB}group a any b\nquorum a\n", 3, "'a' is defined already"),
        (f"{AB}group none any b\nquorum none\n", 3, "'none' is defined already"),
        (f"witness none {witness('a')}\nquorum none\n", 1, "'none' is defined already"),
        (f"{AB}group g 0 a b\nquorum g\n", 3, "1 to 2"),
        (f"{AB}group g 3 a b\nquorum g\n", 3, "1 to 2"),
        (f"{AB}group g -1 a b\nquorum g\n", 3, "1 to 2"),
        (f"{AB}group g 02 a b\nquorum g\n", 3, "1 to 2"),
        (f"{AB}group g most a b\nquorum g\n", 3, "1 to 2"),
        (f"{AB}witness c {witness('a')}\nquorum c\n", 3, "witness of this key"),
        (f"log {log('l')}\nlog {log('l')} https://l\nquorum none\n", 2, "log of this key"),
        (f"log {witness('l')}\nquorum none\n", 1, "of type 4, not 1"),
        (f"witness w {log('w')}\nquorum w\n", 1, "of type 1, not 4"),
        ("witness w nonsense\nquorum w\n", 1, "no vkey"),
        (f"witness w {witness('w')} https://w more\nquorum w\n", 1, "too few or too many"),
        (f"witness {witness('w')}\nquorum w\n", 1, "too few or too many"),
        (f"{AB}quorum a # mine\n", 3, "too few or too many"),
        ("quorum none\nwitnesses a\n", 2, "'witnesses' is none of"),
        ("quorum none\r\n", 1, "control character"),
        ("quorum none\n\x0b\n", 2, "control character"),
        ("quorum none\n#\x7f\n", 2, "control character"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, line: int | None, why: str) -> None:
    with pytest.raises(PolicyError) as raised:
        parse(text)
    assert why in str(raised.value)
    assert str(raised.value).startswith(f"line {line}: " if line else "no line")
    assert str(raised.value).isprintable()


def test_a_key_counts_once_under_whatever_name() -> None:
    same = key("a", COSIGNATURE).public_key
    text = f"{AB}witness c {VerifierKey('another.example', same, COSIGNATURE)}\nquorum c\n"
    with pytest.raises(PolicyError, match="witness of this key"):
        parse(text)
