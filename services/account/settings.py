"""Settings of account, read once from the environment."""

from pydantic import Field, FilePath

from runtime.settings import ADDRESS, SealingSettings


class AccountSettings(SealingSettings):
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
