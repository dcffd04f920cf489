"""The refusals of the audit log."""

from datetime import timedelta

from runtime.fault import Fault, not_found

_COME_AGAIN = timedelta(milliseconds=250)  # a few group commits


class LogDamagedError(Exception):
    """What is stored is not what was signed; says where. The log must not go on from here."""


class PutBackError(LogDamagedError):
    """Somebody holds a checkpoint of `size` entries, signed by this log, which has fewer."""

    def __init__(self, size: int, text: str) -> None:
        super().__init__(text)
        self.size = size


class StaleWriterError(Exception):
    """The stored log has grown under this writer: another one wrote. Nothing was stored."""


class EventsKnownError(Exception):
    """The log holds some of the events under other numbers. Nothing was stored."""

    def __init__(self, event_ids: frozenset[str]) -> None:
        super().__init__(f"{len(event_ids)} events are in the log")
        self.event_ids = event_ids


def sequence_gap(expected: int, got: int) -> Fault:
    """Refuse an entry beyond the producer's next number."""
    return Fault(
        "SEQUENCE_GAP",
        f"entry {got} came where {expected} was expected",
        metadata={"expected": str(expected)},
    )


def sequence_reused(sequence: int) -> Fault:
    """Refuse other content under a number that the log holds."""
    return Fault(
        "SEQUENCE_REUSED",
        f"the log holds other content under {sequence}",
        metadata={"sequence": str(sequence)},
    )


def event_id_reused(sequence: int) -> Fault:
    """Refuse an event that the log holds under another number."""
    return Fault(
        "EVENT_ID_REUSED",
        f"the event of entry {sequence} is in the log under another number",
        metadata={"sequence": str(sequence)},
    )


def entry_too_large(sequence: int, size: int) -> Fault:
    """Refuse an entry that an entry bundle's 16-bit length could not hold."""
    return Fault(
        "ENTRY_TOO_LARGE",
        f"entry {sequence} has {size} bytes sealed, 65535 is the most",
        metadata={"sequence": str(sequence)},
    )


def queue_full() -> Fault:
    """Refuse work beyond the bounded queue."""
    return Fault("OVERLOADED", "the log's queue is full", retry_after=_COME_AGAIN)


def log_unavailable() -> Fault:
    """Refuse because nothing can be made durable now; whether it was is found out by repeating."""
    return Fault("UNAVAILABLE", "the log cannot be written now", retry_after=_COME_AGAIN)


def not_sequencer() -> Fault:
    """Refuse because another process appends to this log now."""
    return Fault(
        "NOT_SEQUENCER", "another replica appends to this log now", retry_after=_COME_AGAIN
    )


def tree_size_unknown(size: int) -> Fault:
    """Refuse a tree size that the log has not grown to."""
    return Fault(
        "TREE_SIZE_UNKNOWN",
        f"the log has {size} entries",
        metadata={"size": str(size)},
    )


def not_a_log_reader(app: str) -> Fault:
    """Refuse an app that the settings do not name among the readers of the log."""
    return Fault(
        "NOT_A_LOG_READER", f"{app} is not to read the log as a whole", metadata={"app": app}
    )


def files_unavailable() -> Fault:
    """Refuse because the published files cannot be read."""
    return Fault("UNAVAILABLE", "the log's files cannot be read now", retry_after=_COME_AGAIN)


def no_entry(entry: str) -> Fault:
    """Refuse an entry that is not in the log."""
    return not_found(f"entries/{entry}")
