"""StaffService: invitations and their acceptance."""

from dataclasses import dataclass

from accord.account.v1 import staff_service_pb2 as pb

from runtime.call import Call
from runtime.instants import to_wire
from services.account.api import convert
from services.account.cases.accept_invitation import AcceptInvitation
from services.account.cases.get_invitation import GetInvitation
from services.account.cases.invite_staff import InviteStaff
from services.account.domain.staff import Invitation


@dataclass(frozen=True, slots=True)
class StaffServicer:
    """One method an rpc."""

    invite: InviteStaff
    get: GetInvitation
    accept: AcceptInvitation

    async def invite_staff(
        self, request: pb.InviteStaffRequest, call: Call
    ) -> pb.InviteStaffResponse:
        """Invite someone to a role."""
        invited = await self.invite(
            convert.staff_role(request.role),
            request.display_name,
            request.request_id,
            call.who(),
            call.way,
        )
        return pb.InviteStaffResponse(
            secret=invited.secret, invitation=_invitation(invited.invitation)
        )

    async def get_invitation(
        self, request: pb.GetInvitationRequest, _call: Call
    ) -> pb.GetInvitationResponse:
        """Show an open invitation."""
        secret = convert.bounded("secret", request.secret)
        return pb.GetInvitationResponse(invitation=_invitation(await self.get(secret)))

    async def accept_invitation(
        self, request: pb.AcceptInvitationRequest, call: Call
    ) -> pb.AcceptInvitationResponse:
        """Accept an invitation."""
        secret = convert.bounded("secret", request.secret)
        roles = await self.accept(secret, call.person(), call.way)
        return pb.AcceptInvitationResponse(roles=convert.roles(roles))


def _invitation(invitation: Invitation) -> pb.Invitation:
    return pb.Invitation(
        role=convert.staff_role_number(invitation.role),
        display_name=invitation.display_name,
        expire_time=to_wire(invitation.expires),
    )
