"""Account over mTLS: sessions, links, staff."""

from collections.abc import Iterable, Sequence
from datetime import date

from accord.account.v1 import (
    account_pb2,
    account_service_pb2,
    account_service_pb2_grpc,
    link_service_pb2,
    link_service_pb2_grpc,
    session_service_pb2,
    session_service_pb2_grpc,
    staff_service_pb2,
    staff_service_pb2_grpc,
)
from accord.type.v1 import callers_pb2

from services.portal.domain.person import (
    Account,
    Arrival,
    Departure,
    Invitation,
    Link,
    Person,
    ProfileField,
    Provider,
    Registration,
    Role,
    Session,
    SignUp,
    Value,
)
from services.portal.peers.convert import known, moment
from services.portal.peers.peer import TIMEOUT, Peer

FLOW = 10.0  # seconds: flows wait for a provider on the far side of account
AUDIENCES = ("account", "sharing", "audit")

_ROLES = {
    callers_pb2.ROLE_PERSON: Role.PERSON,
    callers_pb2.ROLE_OFFICER: Role.OFFICER,
    callers_pb2.ROLE_AUDITOR: Role.AUDITOR,
    callers_pb2.ROLE_OPERATOR: Role.OPERATOR,
}
_FIELDS = {
    account_pb2.PROFILE_FIELD_NICKNAME: ProfileField.NICKNAME,
    account_pb2.PROFILE_FIELD_PICTURE: ProfileField.PICTURE,
    account_pb2.PROFILE_FIELD_EMAIL: ProfileField.EMAIL,
}
_FIELDS_OUT = {ours: theirs for theirs, ours in _FIELDS.items()}


class SessionPeer:
    """Signing up, in and out."""

    def __init__(self, peer: "Peer[session_service_pb2_grpc.SessionServiceAsyncStub]") -> None:
        self._peer = peer

    async def providers(self, country: str | None = None) -> Sequence[Provider]:
        """Return the providers on offer, in the order in which to show them."""
        answer = await self._peer.call(
            lambda stub: stub.ListProviders,
            session_service_pb2.ListProvidersRequest(country=country),
            timeout=TIMEOUT,
        )
        return [
            Provider(each.key, each.title, [known(_FIELDS, field) for field in each.fields])
            for each in answer.providers
        ]

    async def begin(self, provider: str, language: str) -> Departure:
        """Begin a sign-in at a provider."""
        answer = await self._peer.call(
            lambda stub: stub.BeginSignIn,
            session_service_pb2.BeginSignInRequest(provider=provider, language=language),
            timeout=FLOW,
        )
        return Departure(answer.authorization_url, answer.flow_secret)

    async def complete(self, flow_secret: str, arrival: Arrival) -> Session | Registration:
        """Complete a sign-in: a session for a known identity, a registration for a new one."""
        answer = await self._peer.call(
            lambda stub: stub.CompleteSignIn,
            session_service_pb2.CompleteSignInRequest(
                flow_secret=flow_secret,
                provider=arrival.provider,
                state=arrival.state,
                code=arrival.code,
                iss=arrival.issuer,
                error=arrival.error,
            ),
            timeout=FLOW,
        )
        if answer.HasField("session"):
            return _session(answer.session)
        return _registration(answer.registration)

    async def registration(self, secret: str) -> Registration:
        """Return a registration that is still open."""
        answer = await self._peer.call(
            lambda stub: stub.GetRegistration,
            session_service_pb2.GetRegistrationRequest(registration_secret=secret),
            timeout=TIMEOUT,
        )
        return _registration(answer.registration)

    async def register(self, secret: str, request_id: str, sign_up: SignUp) -> Session:
        """Register an account and sign its person in."""
        answer = await self._peer.call(
            lambda stub: stub.Register,
            session_service_pb2.RegisterRequest(
                registration_secret=secret,
                request_id=request_id,
                country=sign_up.country,
                birth_date=sign_up.birth_date.isoformat() if sign_up.birth_date else None,
                imports=[_FIELDS_OUT[field] for field in sign_up.imports],
                accepted_notice=sign_up.notice,
                language=sign_up.language,
            ),
            timeout=FLOW,
        )
        return _session(answer.session)

    async def authenticate(self, secret: str) -> Person:
        """Return whose session it is, with a token that acts for them for at most 60 seconds."""
        answer = await self._peer.call(
            lambda stub: stub.Authenticate,
            session_service_pb2.AuthenticateRequest(session_secret=secret, audiences=AUDIENCES),
            timeout=TIMEOUT,
        )
        return Person(
            account=answer.account,
            token=answer.actor_token,
            roles=_roles(answer.roles),
            nickname=answer.nickname if answer.HasField("nickname") else None,
            language=answer.language,
            country=answer.country,
        )

    async def end(self, secret: str) -> None:
        """End a session, whatever its state."""
        await self._peer.call(
            lambda stub: stub.EndSession,
            session_service_pb2.EndSessionRequest(session_secret=secret),
            timeout=TIMEOUT,
        )


class AccountPeer:
    """A person's own account and links."""

    def __init__(
        self,
        accounts: "Peer[account_service_pb2_grpc.AccountServiceAsyncStub]",
        links: "Peer[link_service_pb2_grpc.LinkServiceAsyncStub]",
    ) -> None:
        self._accounts = accounts
        self._links = links

    async def account(self, person: Person) -> Account:
        """Return the person's account."""
        request = account_service_pb2.GetAccountRequest(name=person.account)
        answer = await self._accounts.ask(person, lambda stub: stub.GetAccount, request)
        account = answer.account
        return Account(
            name=account.name,
            country=account.country,
            birth_date=(
                date.fromisoformat(account.birth_date) if account.HasField("birth_date") else None
            ),
            profile=[_value(value) for value in account.profile],
            roles=_roles(account.roles),
            since=moment(account.create_time),
        )

    async def links(self, person: Person) -> Sequence[Link]:
        """Return the person's links, oldest first (a person has a handful: one page of 100)."""
        request = link_service_pb2.ListLinksRequest(parent=person.account, page_size=100)
        answer = await self._links.ask(person, lambda stub: stub.ListLinks, request)
        return [_link(link) for link in answer.links]

    async def begin_link(
        self, person: Person, provider: str, imports: Sequence[ProfileField], language: str
    ) -> Departure:
        """Begin to link another identity."""
        request = link_service_pb2.BeginLinkRequest(
            provider=provider, imports=[_FIELDS_OUT[field] for field in imports], language=language
        )
        answer = await self._links.ask(person, lambda stub: stub.BeginLink, request, within=FLOW)
        return Departure(answer.authorization_url, answer.flow_secret)

    async def complete_link(self, person: Person, flow_secret: str, arrival: Arrival) -> Link:
        """Complete a link with what the provider sent back."""
        request = link_service_pb2.CompleteLinkRequest(
            flow_secret=flow_secret,
            provider=arrival.provider,
            state=arrival.state,
            code=arrival.code,
            iss=arrival.issuer,
            error=arrival.error,
        )
        answer = await self._links.ask(person, lambda stub: stub.CompleteLink, request, within=FLOW)
        return _link(answer.link)

    async def unlink(self, person: Person, key: str, request_id: str) -> None:
        """End a link and forget what it imported."""
        request = link_service_pb2.UnlinkRequest(
            name=f"{person.account}/links/{key}", request_id=request_id
        )
        await self._links.ask(person, lambda stub: stub.Unlink, request)


class StaffPeer:
    """Invitations to a role."""

    def __init__(self, peer: "Peer[staff_service_pb2_grpc.StaffServiceAsyncStub]") -> None:
        self._peer = peer

    async def invitation(self, secret: str) -> Invitation:
        """Return an open invitation."""
        answer = await self._peer.call(
            lambda stub: stub.GetInvitation,
            staff_service_pb2.GetInvitationRequest(secret=secret),
            timeout=TIMEOUT,
        )
        return Invitation(
            role=known(_ROLES, answer.invitation.role),
            display_name=answer.invitation.display_name,
            expires=moment(answer.invitation.expire_time),
        )

    async def accept(self, person: Person, secret: str) -> None:
        """Bind the invitation's role to the person's account."""
        request = staff_service_pb2.AcceptInvitationRequest(secret=secret)
        await self._peer.ask(person, lambda stub: stub.AcceptInvitation, request)


def _roles(roles: "Iterable[callers_pb2.Role.ValueType]") -> frozenset[Role]:
    # A role of a newer release opens no page of this one.
    return frozenset(_ROLES[role] for role in roles if role in _ROLES)


def _session(session: session_service_pb2.Session) -> Session:
    return Session(session.secret, moment(session.expire_time))


def _registration(registration: session_service_pb2.Registration) -> Registration:
    return Registration(
        secret=registration.secret,
        provider=registration.provider,
        provider_title=registration.provider_title,
        suggestions=[
            Value(
                field=known(_FIELDS, each.field),
                value=each.value,
                verified=each.verification == account_pb2.ImportedValue.VERIFICATION_VERIFIED,
                provider=registration.provider,
            )
            for each in registration.suggestions
        ],
        expires=moment(registration.expire_time),
    )


def _link(link: account_pb2.Link) -> Link:
    return Link(
        name=link.name,
        provider=link.provider,
        provider_title=link.provider_title,
        since=moment(link.link_time),
        imports=[_value(value) for value in link.imports],
        last_sign_in=link.unlinking == account_pb2.Link.UNLINKING_LAST_SIGN_IN,
    )


def _value(value: account_pb2.ImportedValue) -> Value:
    return Value(
        field=known(_FIELDS, value.field),
        value=value.value,
        verified=value.verification == account_pb2.ImportedValue.VERIFICATION_VERIFIED,
        provider=value.provider,
        imported=moment(value.import_time),
    )
