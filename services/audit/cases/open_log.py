"""Opens the stored log for writing: it must be exactly what was last signed."""

from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.faults import LogDamagedError
from services.audit.domain.log_keys import LogKeys
from services.audit.domain.merkle import EMPTY_ROOT
from services.audit.domain.note import MalformedNoteError
from services.audit.domain.ports import Growth, LogStore
from services.audit.domain.tiles import Edge


async def open_log(log: LogStore, signer: LogKeys) -> tuple[Edge, Checkpoint]:
    """Return the right edge and the newest checkpoint, which agree; sign the first of a new log.

    LogDamagedError, saying where, when they do not: going on would sign a second history.
    """
    head = await log.head()
    size = head.edge.size
    if head.note is None:
        if size:
            raise LogDamagedError(f"{size} entries are stored, and no checkpoint")
        return head.edge, await log.grow(Growth(0, (), (), EMPTY_ROOT), signer)
    try:
        checkpoint = Checkpoint.read(head.note, signer, newest=True)
    except MalformedNoteError as error:
        raise LogDamagedError(f"the newest checkpoint cannot be trusted: {error}") from error
    if size != checkpoint.size:
        raise LogDamagedError(
            f"{size} entries are stored, the newest checkpoint is of {checkpoint.size}"
        )
    if head.edge.root() != checkpoint.root:
        raise LogDamagedError(
            f"the {size} entries stored do not hash to the root of their checkpoint"
        )
    return head.edge, checkpoint
