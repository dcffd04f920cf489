"""Telling sharing of an account: the facts that its rules stand on, and nothing else."""

from datetime import timedelta

from accord.sharing.v1.subject_pb2 import Subject, SubjectStatus
from accord.sharing.v1.subject_service_pb2 import PutSubjectRequest
from accord.sharing.v1.subject_service_pb2_grpc import SubjectServiceStub

from runtime import logs
from runtime.channel import Channel, Peer
from runtime.fault import Fault
from runtime.instants import to_wire
from services.account.domain.account import Account, State

log = logs.get(__name__)

_STATUS = {State.ACTIVE: SubjectStatus.SUBJECT_STATUS_ACTIVE}


class SharingPeer:
    """`domain.ports.Sharing` over gRPC."""

    def __init__(self, channel: Channel) -> None:
        self._subjects = Peer(SubjectServiceStub, channel)

    async def tell(self, account: Account, within: timedelta) -> bool:
        """Tell sharing of an account; whatever goes wrong, the caller tries again later."""
        request = PutSubjectRequest(
            subject=Subject(
                account=account.name,
                jurisdiction=account.country,
                birth_date=account.birth_date.isoformat() if account.birth_date else "",
                status=_STATUS[account.state],
                since_time=to_wire(account.created),
                version=account.version,
            )
        )
        try:
            answer = await self._subjects.call(
                lambda s: s.PutSubject, request, timeout=within.total_seconds()
            )
        except Fault as fault:
            log.warning("sharing did not acknowledge", reason=fault.reason)
            return False
        return answer.version >= account.version
