"""AppendService: entries in, receipts and a checkpoint out."""

from itertools import pairwise

from accord.audit.v1 import append_service_pb2 as pb

from runtime.call import Call
from runtime.fault import invalid
from services.audit.api.convert import submission, to_checkpoint
from services.audit.cases.publish import Publisher
from services.audit.cases.sequence import Sequencer

_MAX_ENTRIES = 1024


class AppendServicer:
    """The producers' door."""

    def __init__(self, entries: Sequencer, publisher: Publisher) -> None:
        self._entries = entries
        self._publisher = publisher

    async def append(self, request: pb.AppendRequest, call: Call) -> pb.AppendResponse:
        """Append entries in the name of the calling service."""
        if not 0 < len(request.entries) <= _MAX_ENTRIES:
            raise invalid("entries", f"must be 1 to {_MAX_ENTRIES}")
        submissions = [
            submission(entry, f"entries[{at}]") for at, entry in enumerate(request.entries)
        ]
        producer = call.caller.name
        for at, each in enumerate(submissions):
            # Else one service could say in the log what another alone decides.
            if not each.event.action.startswith(f"{producer}:"):
                raise invalid(f"entries[{at}].event", f"must be an event of {producer} itself")
        for at, (before, after) in enumerate(pairwise(submissions), 1):
            if after.sequence != before.sequence + 1:
                raise invalid(f"entries[{at}].sequence", "must follow the one before")
        appended = await self._entries.append(producer, submissions)
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
