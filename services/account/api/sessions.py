"""SessionService: sign-up, sign-in, sessions."""

from dataclasses import dataclass

from accord.account.v1 import session_service_pb2 as pb

from runtime.call import Call
from runtime.ids import request_uuid
from runtime.instants import to_wire
from services.account.api import convert
from services.account.cases.authenticate import Authenticate
from services.account.cases.begin_flow import BeginFlow
from services.account.cases.complete_sign_in import CompleteSignIn, SignedIn
from services.account.cases.end_session import EndSession
from services.account.cases.get_registration import GetRegistration
from services.account.cases.register import Form, Register
from services.account.domain import home
from services.account.domain.ports import Providers
from services.account.domain.session import Session


@dataclass(frozen=True, slots=True)
class SessionServicer:
    """One method an rpc: decode, case, encode."""

    providers: Providers
    begin: BeginFlow
    complete: CompleteSignIn
    show_registration: GetRegistration
    registering: Register
    authenticating: Authenticate
    ending: EndSession

    async def list_providers(
        self, request: pb.ListProvidersRequest, _call: Call
    ) -> pb.ListProvidersResponse:
        """List the providers on offer."""
        country = home.country(request.country) if request.HasField("country") else None
        return pb.ListProvidersResponse(
            providers=[
                convert.provider_message(provider)
                for provider in self.providers.all()
                if country is None or provider.offered_in(country)
            ]
        )

    async def begin_sign_in(
        self, request: pb.BeginSignInRequest, _call: Call
    ) -> pb.BeginSignInResponse:
        """Begin a sign-in."""
        begun = await self.begin(convert.bounded("provider", request.provider), request.language)
        return pb.BeginSignInResponse(
            authorization_url=begun.authorization_url,
            flow_secret=begun.flow_secret,
        )

    async def complete_sign_in(
        self, request: pb.CompleteSignInRequest, call: Call
    ) -> pb.CompleteSignInResponse:
        """Complete a sign-in."""
        callback = convert.callback(request)
        outcome = await self.complete(callback, call.way)
        if isinstance(outcome, SignedIn):
            return pb.CompleteSignInResponse(session=_session(outcome.secret, outcome.session))
        provider = self.providers.get(outcome.registration.identity.provider).provider
        return pb.CompleteSignInResponse(
            registration=convert.registration(outcome.secret, outcome.registration, provider.title)
        )

    async def get_registration(
        self, request: pb.GetRegistrationRequest, _call: Call
    ) -> pb.GetRegistrationResponse:
        """Show a registration that is still open."""
        secret = convert.bounded("registration_secret", request.registration_secret)
        found = await self.show_registration(secret)
        provider = self.providers.get(found.identity.provider).provider
        return pb.GetRegistrationResponse(
            registration=convert.registration(secret, found, provider.title)
        )

    async def register(self, request: pb.RegisterRequest, call: Call) -> pb.RegisterResponse:
        """Register an account."""
        form = Form(
            request_id=request_uuid(request.request_id),
            country=request.country,
            birth_date=request.birth_date if request.HasField("birth_date") else None,
            imports=convert.fields_of(request.imports),
            accepted_notice=request.accepted_notice,
            language=request.language,
        )
        secret = convert.bounded("registration_secret", request.registration_secret)
        registered = await self.registering(secret, form, call.way)
        return pb.RegisterResponse(
            session=_session(registered.secret, registered.session),
            propagation=pb.RegisterResponse.PROPAGATION_DONE
            if registered.propagated
            else pb.RegisterResponse.PROPAGATION_PROPAGATING,
        )

    async def authenticate(
        self, request: pb.AuthenticateRequest, _call: Call
    ) -> pb.AuthenticateResponse:
        """Authenticate a session."""
        found = await self.authenticating(
            request.session_secret, convert.audiences_of(request.audiences)
        )
        return pb.AuthenticateResponse(
            actor_token=found.token,
            account=found.account.name,
            nickname=found.nickname,
            roles=convert.roles(found.roles),
            language=found.account.language,
            country=found.account.country,
        )

    async def end_session(self, request: pb.EndSessionRequest, call: Call) -> pb.EndSessionResponse:
        """End a session."""
        await self.ending(convert.bounded("session_secret", request.session_secret), call.way)
        return pb.EndSessionResponse()


def _session(secret: str, session: Session) -> pb.Session:
    return pb.Session(secret=secret, expire_time=to_wire(session.ends), account=session.account)
