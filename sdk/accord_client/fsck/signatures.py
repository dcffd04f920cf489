"""Signature lines that a verifier passes over, held against the keys that it knows.

A note may carry signatures by keys that its reader does not know. So a single flipped bit in the
name or the id of a known key makes its signature one that nobody looks at: here it is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from accord_client.failure import VerificationError
from accord_client.fsck.report import Report
from accord_client.note import VerifierKey, parse_signature_line, split_note
from accord_client.trust import Trust

_MOST = 100  # unknown keys that are named one by one


@dataclass
class _Seen:
    first: str
    last: str
    count: int = 0


@dataclass
class Signatures:
    """Looks at the signature lines of many notes; ``tell`` says at the end what was not verified.

    Finds a line that is of a known key by its signature, its id or both, and not by its name or id.
    """

    trust: Trust
    report: Report
    _unknown: dict[tuple[str, bytes], _Seen] = field(default_factory=dict)
    _more: int = 0

    def look(self, note: bytes, where: str, *, verified: bool) -> None:
        """Looks at a note; ``verified`` says that those by known keys were verified."""
        try:
            text, lines = split_note(note)
            signers = [parse_signature_line(line) for line in lines]
        except VerificationError as error:
            self.report.add(where, str(error))
            return
        known = {(key.name, key.key_id): key for key in self.trust.known}
        for number, (name, key_id, signature) in enumerate(signers, 1):
            at, key = f"{where}, signature {number}", known.get((name, key_id))
            if key is not None:
                if not verified and not _holds(key, text, signature):
                    self.report.add(at, f"the signature of {name} does not verify")
                continue
            meant = [one for one in known.values() if one.key_id == key_id]
            meant += [
                one for one in known.values() if one.name == name and _holds(one, text, signature)
            ]
            if meant:
                key = meant[0]
                what = f"is that of {key.name} (key {key.key_id.hex()}) under another name or id"
                self.report.add(at, what)
            else:
                self._pass_over(name, key_id, at)

    def tell(self) -> None:
        """Notes whose signatures were passed over, and where they stand."""
        for (name, key_id), seen in self._unknown.items():
            where = seen.first if seen.count == 1 else f"{seen.first} to {seen.last}: {seen.count}"
            self.report.notes.append(
                f"not verified, for no key of {name} ({key_id.hex()}) was given: {where}"
            )
        if self._more:
            self.report.notes.append(f"not verified: {self._more} signatures of still other keys")

    def _pass_over(self, name: str, key_id: bytes, at: str) -> None:
        seen = self._unknown.get((name, key_id))
        if seen is None:
            if len(self._unknown) == _MOST:
                self._more += 1
                return
            seen = self._unknown[name, key_id] = _Seen(at, at)
        seen.last = at
        seen.count += 1


def _holds(key: VerifierKey, text: str, signature: bytes) -> bool:
    try:
        key.verify(text, signature)
    except VerificationError:
        return False
    return True
