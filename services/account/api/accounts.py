"""AccountService: a person's own view of the account."""

from dataclasses import dataclass

from accord.account.v1 import account_pb2
from accord.account.v1 import account_service_pb2 as pb

from runtime.call import Call
from runtime.ids import require_home
from runtime.instants import to_wire
from services.account.api import convert
from services.account.cases.get_account import GetAccount


@dataclass(frozen=True, slots=True)
class AccountServicer:
    """One method an rpc."""

    region: str
    get: GetAccount

    async def get_account(self, request: pb.GetAccountRequest, call: Call) -> pb.GetAccountResponse:
        """Show one's own account."""
        require_home(request.name, self.region, "name")
        own = await self.get(request.name, call.person())
        account = own.account
        born = account.birth_date
        return pb.GetAccountResponse(
            account=account_pb2.Account(
                name=account.name,
                state=convert.state(account.state),
                country=account.country,
                birth_date=born.isoformat() if born else None,
                language=account.language,
                profile=convert.profile(own.profile),
                roles=convert.roles(own.roles),
                create_time=to_wire(account.created),
            )
        )
