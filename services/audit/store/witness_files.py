"""The files that say whom this witness knows, and whose cosignatures this log needs."""

from pathlib import Path

from services.audit.domain.log_keys import KnownLog
from services.audit.domain.note import ED25519, MalformedNoteError, Verifier, VerifierKey
from services.audit.domain.policy import Policy, PolicyError
from services.audit.store.note_key import NoteVerifier


def read_known_logs(path: Path) -> dict[str, KnownLog]:
    """Read the logs that are cosigned here, by origin; ValueError names the line that is wrong.

    One key a line, `<vkey> [<origin>]`; `#` begins a comment. Without an origin it is the key's
    name. A log that changes its key has a line for each.
    """
    keys: dict[str, list[Verifier]] = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        vkey, _, origin = line.partition("#")[0].strip().partition(" ")
        if not vkey:
            continue
        try:
            key = VerifierKey.parse(vkey)
            verifier = NoteVerifier(key)
        except MalformedNoteError as error:
            raise ValueError(f"{path.name}, line {number}: {error}") from error
        if key.kind != ED25519:
            raise ValueError(f"{path.name}, line {number}: not the key of a log")
        keys.setdefault(origin.strip() or key.name, []).append(verifier)
    return {origin: KnownLog(origin, tuple(found)) for origin, found in keys.items()}


def read_policy(path: Path | None, log: KnownLog) -> Policy:
    """Read the policy of a log; without a file nobody's cosignature is needed.

    ValueError when it cannot be read, or when it is of other logs.
    """
    if path is None:
        return Policy()
    try:
        policy = Policy.parse(path.read_bytes())
    except PolicyError as error:
        raise ValueError(f"{path.name}, {error}") from error
    ours = {verifier.key for verifier in log.verifiers}
    if policy.logs and not any(each.key in ours for each in policy.logs):
        raise ValueError(f"{path.name} is a policy of other logs than {log.origin}")
    return policy
