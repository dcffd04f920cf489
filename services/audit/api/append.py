"""AppendService: entries in, receipts and a checkpoint out."""

from accord.audit.v1 import append_service_pb2 as pb

from runtime.call import Call
from runtime.fault import invalid
from services.audit.api.convert import submissions, to_checkpoint
from services.audit.cases.publish import Publisher
from services.audit.cases.sequence import Sequencer
from services.audit.domain.entry import Batch

_MAX_ENTRIES = 1024
_MAX_SEQUENCE = (1 << 63) - 1


class AppendServicer:
    """The producers' door."""

    def __init__(self, entries: Sequencer, publisher: Publisher) -> None:
        self._entries = entries
        self._publisher = publisher

    async def append(self, request: pb.AppendRequest, call: Call) -> pb.AppendResponse:
        """Append entries in the name of the calling service."""
        if not 0 < len(request.entries) <= _MAX_ENTRIES:
            raise invalid("entries", f"must be 1 to {_MAX_ENTRIES}")
        numbers = [entry.sequence for entry in request.entries]
        for at, number in enumerate(numbers):
            if not 0 < number <= _MAX_SEQUENCE:
                raise invalid(f"entries[{at}].sequence", "must be 1 to 2^63 - 1")
            if at and number != numbers[at - 1] + 1:
                raise invalid(f"entries[{at}].sequence", "must follow the one before")
        # Reading the rest is dear, and done where it is sealed.
        wire = request.SerializeToString()
        batch = Batch(call.caller.name, numbers[0], len(numbers), wire, submissions)
        appended = await self._entries.append(batch)
        return pb.AppendResponse(
            receipts=[
                pb.Receipt(
                    sequence=receipt.sequence, index=receipt.index, leaf_hash=receipt.leaf_hash
                )
                for receipt in appended.receipts
            ],
            checkpoint=to_checkpoint(appended.checkpoint),
            published_size=self._publisher.size,
        )
