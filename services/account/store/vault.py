"""Flow parameters and registrations: made from our key, kept by the browser, at rest nowhere."""

import base64
import binascii
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from runtime.seal import Sealer, UnsealError
from services.account.domain import faults
from services.account.domain.flow import Parameters
from services.account.domain.profile import Field, Identity, ProviderTokens, Value
from services.account.domain.registration import Registration

MAX_REGISTRATION = 3600  # characters: with name and attributes a cookie stays under 4,096
_PURPOSE = "registration"


@dataclass(frozen=True, slots=True)
class SealedVault:
    """The vault over one sealing key."""

    sealer: Sealer

    def parameters(self, flow_secret: str) -> Parameters:
        """Derive state, nonce and PKCE verifier (43 characters: RFC 7636 §4.1)."""
        return Parameters(
            state=self.sealer.derive("state", flow_secret),
            nonce=self.sealer.derive("nonce", flow_secret),
            verifier=self.sealer.derive("verifier", flow_secret),
        )

    def derive(self, purpose: str, *parts: str) -> str:
        """Derive a secret that nobody else can make."""
        return self.sealer.derive(purpose, *parts)

    def seal_registration(self, registration: Registration) -> str:
        """Seal, leaving out what a cookie cannot hold: first the picture, then the access token."""
        identity = registration.identity
        plain = replace(
            identity, values=tuple(v for v in identity.values if v.field is not Field.PICTURE)
        )
        bare = replace(plain, tokens=replace(plain.tokens, access=""))
        for candidate in (identity, plain, bare):
            text = _encode(replace(registration, identity=candidate))
            sealed = self.sealer.seal(text, _PURPOSE, "")
            secret = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
            if len(secret) <= MAX_REGISTRATION:
                return secret
        raise faults.proof_refused(identity.provider)

    def open_registration(self, secret: str) -> Registration:
        """Open; whatever cannot be opened is no registration of ours."""
        if len(secret) > MAX_REGISTRATION:
            raise faults.registration_unknown()
        try:
            sealed = base64.b64decode(secret + "=" * (-len(secret) % 4), b"-_", validate=True)
            return _decode(self.sealer.open(sealed, _PURPOSE, ""))
        except (binascii.Error, ValueError, UnsealError):
            raise faults.registration_unknown() from None


def encode_tokens(tokens: ProviderTokens) -> str:
    """Encode a provider's tokens for sealing."""
    expires = tokens.expires.timestamp() if tokens.expires else None
    return json.dumps([tokens.access, tokens.refresh, expires])


def _encode(registration: Registration) -> str:
    identity = registration.identity
    return json.dumps(
        {
            "flow": registration.flow.hex(),
            "expires": registration.expires.timestamp(),
            "provider": identity.provider,
            "issuer": identity.issuer,
            "subject": identity.subject,
            "values": [[v.field.value, v.text, v.verified] for v in identity.values],
            "tokens": encode_tokens(identity.tokens),
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def _decode(text: str) -> Registration:
    row = json.loads(text)
    access, refresh, expires = json.loads(row["tokens"])
    return Registration(
        flow=bytes.fromhex(row["flow"]),
        identity=Identity(
            row["provider"],
            row["issuer"],
            row["subject"],
            tuple(Value(Field(f), text, verified) for f, text, verified in row["values"]),
            ProviderTokens(access, refresh, _instant(expires)),
        ),
        expires=datetime.fromtimestamp(row["expires"], UTC),
    )


def _instant(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
