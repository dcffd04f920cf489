"""Cosigns the checkpoints of other logs: this log's word that they have shown it one history."""

import hashlib
from collections.abc import Mapping

from runtime import logs
from runtime.clock import Clock
from services.audit.domain.checkpoint import Checkpoint, read_text
from services.audit.domain.cosignature import cosign
from services.audit.domain.log_keys import KnownLog
from services.audit.domain.note import MalformedNoteError, Signer, open_note, split_note
from services.audit.domain.ports import WitnessStore
from services.audit.domain.witnessing import NotCosignedError, Presented, Why, Witnessed

log = logs.get(__name__)

_EVIDENCE = 4096  # characters of a checkpoint that are written down


class Witness:
    """Knows some logs, by their origins, and keeps of each the largest tree it has cosigned."""

    def __init__(
        self, known: Mapping[str, KnownLog], signer: Signer, store: WitnessStore, clock: Clock
    ) -> None:
        """Take the witness's own key, which is never that of a log."""
        self._known = known
        self._signer = signer
        self._store = store
        self._clock = clock
        self._origins = {hashlib.sha256(o.encode()).hexdigest(): o for o in known}

    async def cosign(self, presented: Presented) -> str:
        """Return the cosignature line for what is presented, kept durably; or NotCosignedError."""
        try:
            text, _ = split_note(presented.note)
            origin, size, root = read_text(text)
        except MalformedNoteError:
            raise NotCosignedError(Why.MALFORMED) from None
        known = self._known.get(origin)
        if known is None:
            raise NotCosignedError(Why.LOG_UNKNOWN)
        try:
            signed = open_note(presented.note, known.verifiers).signatures
        except MalformedNoteError:
            raise NotCosignedError(Why.NOT_SIGNED) from None
        checkpoint = Checkpoint(origin, size, root, presented.note)
        lines = "".join(signature.line for signature in signed)

        def judge(last: Witnessed | None) -> Witnessed:
            presented.check(checkpoint, last)
            # Only now: what exists of a checkpoint that is refused must not be a cosignature.
            cosignature = cosign(self._signer, text, self._clock.now())
            return Witnessed(origin, size, root, f"{text}\n{lines}{cosignature.line}")

        try:
            witnessed = await self._store.advance(origin, judge)
        except NotCosignedError as refusal:
            # Both are signed by the log: evidence. A proof that fails may be anybody's, of a sound
            # checkpoint.
            if refusal.why is Why.FORKED:
                log.warning("checkpoint_not_consistent", reason=presented.note[:_EVIDENCE])
            raise
        return "—" + witnessed.note.rpartition("\n—")[2]

    async def newest(self, origin_hash: str) -> str | None:
        """Return the newest checkpoint cosigned of the log with this SHA-256 of its origin."""
        origin = self._origins.get(origin_hash)
        return await self._store.newest(origin) if origin is not None else None
