"""Settings of the portal, read once from the environment."""

import base64
import binascii
from typing import Self

from accord_client.failure import VerificationError
from accord_client.note import VerifierKey, parse_keys
from pydantic import Field, FilePath, field_validator, model_validator

from runtime.secret_file import read_secret
from runtime.settings import ADDRESS, ServiceSettings
from services.portal.domain.form_token import MINIMUM_KEY_BYTES

_ORIGIN = r"^https://[^\s/?#;,]+$"
# Plain http for this machine alone, as operators' viewers are reached there.
_TRACE_VIEWER = r"^((https://|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?/)[^\s{}<>\"'\\]+\{trace_id\}[^\s{}<>\"'\\]*)?$"


class PortalSettings(ServiceSettings):
    """What the portal is told beside what every service is told."""

    web_listen: str = Field(pattern=ADDRESS, description="address of the HTTPS port for browsers")
    web_certificate_file: FilePath = Field(
        description="certificate chain that browsers see, PEM; re-read"
    )
    web_key_file: FilePath = Field(description="private key of that certificate, PEM; re-read")
    portal_origin: str = Field(
        pattern=_ORIGIN, description="the one origin under which browsers know the portal"
    )
    provider_origins: str = Field(
        default="",
        description="origins of the providers' sign-in pages, with blanks between them; "
        "Chromium follows a sign-in button nowhere else",
    )
    form_key_file: FilePath = Field(
        description="base64 of 32 or more random bytes that form tokens are made with; "
        "the same on every replica, and whoever changes it makes open forms stale"
    )
    log_key_file: FilePath = Field(
        description="verifier keys of the audit log and its witnesses, one a line (c2sp.org)"
    )
    trace_viewer_url: str = Field(
        default="",
        pattern=_TRACE_VIEWER,
        description="address of a trace in the operators' viewer, with {trace_id} in the place of "
        "its 32 digits: https, or http at localhost; without one, auditors are shown no link",
    )
    account_address: str = Field(pattern=ADDRESS, description="account's mTLS port")
    sharing_address: str = Field(pattern=ADDRESS, description="sharing's mTLS port")
    audit_address: str = Field(pattern=ADDRESS, description="audit's mTLS port")

    @field_validator("provider_origins")
    @classmethod
    def _origins_alone(cls, value: str) -> str:
        # They go into a header: a semicolon would write a directive of its own.
        for origin in value.split():
            if not origin.startswith("https://") or set(origin.removeprefix("https://")) & set(
                "/?#;,'\""
            ):
                raise ValueError("provider_origins holds something that is no https origin")
        return value

    @model_validator(mode="after")
    def _keys_can_be_read(self) -> Self:
        if len(self.form_key) < MINIMUM_KEY_BYTES:
            raise ValueError(f"form_key_file holds less than {MINIMUM_KEY_BYTES} bytes")
        _ = self.log_keys
        return self

    @property
    def form_key(self) -> bytes:
        """Return the key of form tokens; ValueError when the file is not base64."""
        try:
            return base64.b64decode(read_secret(self.form_key_file), validate=True)
        except binascii.Error:
            raise ValueError("form_key_file is not base64") from None

    @property
    def log_keys(self) -> tuple[VerifierKey, ...]:
        """Return the pinned keys; ValueError when the file holds none."""
        try:
            return parse_keys(self.log_key_file.read_text(encoding="utf-8"))
        except VerificationError as error:
            raise ValueError(f"log_key_file: {error}") from None
