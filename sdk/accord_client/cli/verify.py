"""``accord audit verify``: check a bundle or a proof with nothing but pinned keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
from rich.progress import Progress

from accord_client.bundle_check import check_bundle
from accord_client.checkpoint import PROOF_HEADER, ProofFile
from accord_client.cli.paper import Paper
from accord_client.cli.session import (
    Exit,
    Failure,
    emit_json,
    json_option,
    refuse_unverified,
)
from accord_client.cli.trusting import EXISTING, processes_option, read_trust, trust_options
from accord_client.failure import VerificationError
from accord_client.trust import Attested, Trust
from accord_client.verify import VerifiedEntry, verify_proof

_MAX_PROOF_BYTES = 4_000_000
_GZIP = b"\x1f\x8b"


@click.command()
@click.argument("file", type=EXISTING)
@trust_options
@processes_option
@json_option
def verify(
    file: Path,
    *,
    key_files: tuple[Path, ...],
    policy_file: Path | None,
    processes: int | None,
    as_json: bool,
) -> None:
    """Verify FILE offline: a bundle of `accord audit export`, or a proof of `accord audit prove`.

    Needs no service and no network: what is trusted are the keys and the policy given here and
    nothing else. They must come from elsewhere than the log: from whoever operates it, from whoever
    operates its witnesses. Exit code 0 means verified; what was not proved is said as well.
    """
    trust = read_trust(key_files, policy_file)
    try:
        _kind_of(file)(file, trust, processes or 0, as_json=as_json)
    except VerificationError as error:
        raise refuse_unverified(error) from error
    except OSError as error:
        raise Failure(Exit.BAD_INPUT, f"cannot read {file}: {error.strerror}") from error


def _kind_of(file: Path) -> Callable[..., None]:
    header = PROOF_HEADER.encode() + b"\n"
    with file.open("rb") as stream:
        beginning = stream.read(len(header))
    if beginning == header:
        return _verify_proof
    if beginning.startswith(b"{"):
        return _verify_bundle
    if beginning.startswith(_GZIP):
        # Not unpacked here: a small file may unpack to any size.
        raise VerificationError("format", "the file is compressed: unpack it first, with gunzip")
    raise VerificationError(
        "format",
        f"the file is neither a bundle nor a proof: a proof begins {PROOF_HEADER}, "
        "a bundle is JSON lines. Was it changed on its way, or is it another file?",
    )


def _verify_bundle(file: Path, trust: Trust, processes: int, *, as_json: bool) -> None:
    with Progress(console=Paper(stderr=True).console, transient=True) as bar:
        task = bar.add_task("verifying", total=None)

        def told(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        checked = check_bundle(file, trust, told, processes)
    attested, head, seen = checked.attested, checked.head, checked.contents
    if as_json:
        emit_json(
            {
                "verified": True,
                **attested_as_json(attested),
                "entries": seen.entries,
                "first_index": seen.first,
                "last_index": seen.last,
                "values_shown": seen.shown,
                "commitments": seen.commitments,
                "producers": dict(seen.producers),
                "claimed": {"asked": dict(head.asked), "only": head.only},
            }
        )
        return
    out = Paper()
    out.say(("VERIFIED", "bold green"), f"  {_count(seen.entries, 'entry', 'entries')}")
    _say_attested(out, attested)
    where = f", from index {seen.first} to {seen.last}" if seen.entries else ""
    out.say(f"3. inclusion  each is in that log{where}, and is exactly what was hashed then")
    by = ", ".join(f"{name} {count}" for name, count in sorted(seen.producers.items()))
    out.say(f"4. format     each is a log entry; reported by {by or 'nobody'}")
    out.say(
        f"5. openings   {seen.shown} of {seen.commitments} values are shown, each as its entry "
        "commits to it"
    )
    asked = ", ".join(f"{name} {value}" for name, value in head.asked.items())
    out.say(f"Who made the file says that it was asked for: {asked or 'everything'}.")
    if head.only is not None:
        out.say(f"and that no values were left in it but: {', '.join(head.only)}.")
    if head.policy is not None and trust.policy is None:
        out.say(
            "The file carries a policy. It was not used: whoever made the file could have written "
            "it. Give --policy with one that you have from the witnesses' operators."
        )
    out.say(
        "Not proved: that these are all the entries that were asked for, "
        "or that what was reported is true."
    )
    _say_about_other_histories(out, attested)


def _verify_proof(file: Path, trust: Trust, _processes: int, *, as_json: bool) -> None:
    with file.open("rb") as stream:
        data = stream.read(_MAX_PROOF_BYTES + 1)
    if len(data) > _MAX_PROOF_BYTES:
        raise VerificationError("format", "the file is too large for a proof of one entry")
    verified = verify_proof(ProofFile.parse(data), trust.keys, trust.policy)
    if as_json:
        emit_json(_proof_as_json(verified))
        return
    out, entry = Paper(), verified.entry
    out.say(("VERIFIED", "bold green"))
    _say_attested(out, verified.attested)
    out.say(f"3. inclusion  this is its entry {verified.index}; the path leads to the signed root")
    out.say(f"4. format     {entry.producer} reported it as its number {entry.sequence}")
    out.say(
        f"5. openings   {len(verified.openings)} of {verified.commitments} values are shown, "
        "each as the entry commits to it"
    )
    out.facts(
        (
            ("what", f"{verified.action} → {entry.outcome}"),
            ("when", verified.event_time.isoformat()),
            ("by", entry.actor),
            ("through", entry.app),
            ("trace", entry.trace_id.hex()),
            *verified.shown,
        )
    )
    for number, shown in verified.shown_of_several.items():
        out.say(f"section {number}")
        out.facts(shown)
    out.say("Not proved: that what was reported is true, or that nothing else was reported.")
    _say_about_other_histories(out, verified.attested)


def _say_attested(out: Paper, attested: Attested) -> None:
    checkpoint = attested.checkpoint
    out.say(
        f"1. key        {attested.signers} signed the log {checkpoint.origin} "
        f"at {_count(checkpoint.size, 'entry', 'entries')}"
    )
    out.say(f"2. witnesses  cosigned {attested.cosigned}")


def _say_about_other_histories(out: Paper, attested: Attested) -> None:
    standing = attested.standing
    if standing is None or not standing.cosigners:
        out.say(
            "Nor that others were shown the same history: that is what witnesses see to "
            "(--policy), and checkpoints that are kept (accord audit checkpoint, consistent)."
        )


def _proof_as_json(verified: VerifiedEntry) -> dict[str, object]:
    return {
        "verified": True,
        **attested_as_json(verified.attested),
        "index": verified.index,
        "leaf_hash": verified.leaf_hash.hex(),
        "producer": verified.entry.producer,
        "sequence": verified.entry.sequence,
        "event_id": verified.entry.event_id.hex(),
        "action": verified.action,
        "outcome": verified.entry.outcome,
        "event_time": verified.event_time.isoformat(),
        "trace_id": verified.entry.trace_id.hex(),
        "actor": verified.entry.actor,
        "app": verified.entry.app,
        "shown": dict(verified.shown),
        "sections": [dict(shown) for shown in verified.shown_of_several.values()],
        "commitments": verified.commitments,
    }


def attested_as_json(attested: Attested) -> dict[str, object]:
    """What is known of a checkpoint, for scripts."""
    checkpoint, standing = attested.checkpoint, attested.standing
    return {
        "origin": checkpoint.origin,
        "tree_size": checkpoint.size,
        "root_hash": checkpoint.root.hex(),
        "signed_by": [signature.key.name for signature in checkpoint.signatures],
        "cosigned_by": [
            {"name": one.name, "time": one.time.isoformat()} for one in standing.cosigners
        ]
        if standing
        else [],
        "quorum": standing.satisfied if standing else None,
    }


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
