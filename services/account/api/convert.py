"""Between messages and plain values; what cannot be one is refused here, field by field."""

from collections.abc import Iterable

from accord.account.v1 import account_pb2, session_service_pb2
from accord.account.v1.link_service_pb2 import CompleteLinkRequest
from accord.account.v1.session_service_pb2 import CompleteSignInRequest
from accord.type.v1 import callers_pb2

from runtime.fault import invalid
from runtime.instants import to_wire
from services.account.domain.account import State
from services.account.domain.flow import Callback
from services.account.domain.link import Link
from services.account.domain.profile import Field, Import, Value, choices
from services.account.domain.provider import Provider
from services.account.domain.registration import Registration
from services.account.domain.staff import Role

_FIELDS = {
    account_pb2.PROFILE_FIELD_NICKNAME: Field.NICKNAME,
    account_pb2.PROFILE_FIELD_PICTURE: Field.PICTURE,
    account_pb2.PROFILE_FIELD_EMAIL: Field.EMAIL,
}
_FIELD_NUMBERS = {field: number for number, field in _FIELDS.items()}
_STATES = {State.ACTIVE: account_pb2.Account.STATE_ACTIVE}
_STAFF = {
    callers_pb2.ROLE_OFFICER: Role.OFFICER,
    callers_pb2.ROLE_AUDITOR: Role.AUDITOR,
    callers_pb2.ROLE_OPERATOR: Role.OPERATOR,
}
_ROLES = {
    "person": callers_pb2.ROLE_PERSON,
    "officer": callers_pb2.ROLE_OFFICER,
    "auditor": callers_pb2.ROLE_AUDITOR,
    "operator": callers_pb2.ROLE_OPERATOR,
}
AUDIENCES = frozenset({"account", "audit", "sharing"})
_MAX_AUDIENCES = 8
_MAX_PARAMETER = 4096


def bounded(field: str, text: str, limit: int = _MAX_PARAMETER) -> str:
    """Refuse an empty or oversized text."""
    if not text:
        raise invalid(field, "is required")
    if len(text) > limit:
        raise invalid(field, f"must be at most {limit} characters")
    return text


def fields_of(numbers: Iterable[account_pb2.ProfileField.ValueType]) -> frozenset[Field]:
    """Decode a choice of fields."""
    fields = []
    for number in numbers:
        if number not in _FIELDS:
            raise invalid("imports", f"{number} is no field that can be imported")
        fields.append(_FIELDS[number])
    return choices(fields)


def audiences_of(names: Iterable[str]) -> list[str]:
    """Decode the audiences of a token."""
    audiences = sorted(set(names))
    if not 1 <= len(audiences) <= _MAX_AUDIENCES or not AUDIENCES.issuperset(audiences):
        raise invalid("audiences", f"must be among: {', '.join(sorted(AUDIENCES))}")
    return audiences


def staff_role(number: callers_pb2.Role.ValueType) -> Role:
    """Decode a role that one can be invited to."""
    if number not in _STAFF:
        raise invalid("role", "must be ROLE_OFFICER, ROLE_AUDITOR or ROLE_OPERATOR")
    return _STAFF[number]


def staff_role_number(role: Role) -> callers_pb2.Role.ValueType:
    """Encode a role of staff."""
    return _ROLES[role.value]


def roles(names: Iterable[str]) -> list[callers_pb2.Role.ValueType]:
    """Encode the roles of an account, in the order of their numbers."""
    return sorted(_ROLES[name] for name in names)


def callback(request: CompleteSignInRequest | CompleteLinkRequest) -> Callback:
    """Decode what the browser brought back; all of it may have been made up."""
    code = bounded("code", request.code) if request.HasField("code") else None
    iss = bounded("iss", request.iss) if request.HasField("iss") else None
    error = bounded("error", request.error) if request.HasField("error") else None
    return Callback(
        flow_secret=bounded("flow_secret", request.flow_secret),
        provider=bounded("provider", request.provider),
        state=bounded("state", request.state),
        code=code,
        iss=iss,
        error=error,
    )


def provider_message(provider: Provider) -> session_service_pb2.Provider:
    """Encode a provider."""
    return session_service_pb2.Provider(
        key=provider.key,
        title=provider.title,
        fields=sorted(_FIELD_NUMBERS[field] for field in provider.fields),
    )


def imported(item: Import) -> account_pb2.ImportedValue:
    """Encode an imported value with its provenance."""
    return account_pb2.ImportedValue(
        field=_FIELD_NUMBERS[item.value.field],
        value=item.value.text,
        provider=item.provider,
        import_time=to_wire(item.time),
        verification=verification(item.value),
    )


def profile(items: Iterable[Import]) -> list[account_pb2.ImportedValue]:
    """Encode imported values in the order of their field's number."""
    return sorted((imported(item) for item in items), key=lambda value: value.field)


def verification(value: Value) -> account_pb2.ImportedValue.Verification.ValueType:
    """Encode whether a provider vouches for a value."""
    if value.verified:
        return account_pb2.ImportedValue.VERIFICATION_VERIFIED
    return account_pb2.ImportedValue.VERIFICATION_UNVERIFIED


def state(value: State) -> account_pb2.Account.State.ValueType:
    """Encode how far an account is open."""
    return _STATES[value]


def registration(secret: str, value: Registration, title: str) -> session_service_pb2.Registration:
    """Encode an open registration."""
    return session_service_pb2.Registration(
        secret=secret,
        provider=value.identity.provider,
        provider_title=title,
        suggestions=[
            session_service_pb2.Suggestion(
                field=_FIELD_NUMBERS[item.field],
                value=item.text,
                verification=verification(item),
            )
            for item in value.identity.values
        ],
        expire_time=to_wire(value.expires),
    )


def link(value: Link, title: str, *, last: bool) -> account_pb2.Link:
    """Encode a link."""
    return account_pb2.Link(
        name=value.name,
        provider=value.provider,
        provider_title=title,
        link_time=to_wire(value.linked),
        imports=profile(value.imports),
        unlinking=account_pb2.Link.UNLINKING_LAST_SIGN_IN
        if last
        else account_pb2.Link.UNLINKING_ALLOWED,
    )
