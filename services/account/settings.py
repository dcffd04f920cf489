"""Settings of account, read once from the environment."""

from typing import Self

from pydantic import Field, FilePath, model_validator

from runtime.settings import ADDRESS, DatabaseSettings
from services.account.store.seal import Sealer


class AccountSettings(DatabaseSettings):
    """What account is told beside what every service is told."""

    sharing_address: str = Field(pattern=ADDRESS, description="sharing's mTLS port")
    audit_address: str = Field(pattern=ADDRESS, description="audit's mTLS port")
    portal_origin: str = Field(
        pattern=r"^https://[^\s/?#]+$",
        description="origin of the portal; providers return to <origin>/callback/<provider>",
    )
    providers_file: FilePath = Field(
        description="the identity providers, YAML (peers/directory.py)"
    )
    provider_ca_file: FilePath | None = Field(
        default=None, description="a root to trust for providers beside the system's, PEM"
    )
    sealing_key_file: FilePath = Field(
        description="base64 of 32 random bytes; seals provider tokens, imports and signing keys"
    )

    @model_validator(mode="after")
    def _key_can_be_read(self) -> Self:
        Sealer.load(self.sealing_key_file)
        return self

    @property
    def sealer(self) -> Sealer:
        """Return the sealer over the key in the file."""
        return Sealer.load(self.sealing_key_file)
