"""What the sharing service is told, as environment variables `ACCORD_…`."""

from pydantic import Field, FilePath

from runtime.settings import ADDRESS, SealingSettings


class SharingSettings(SealingSettings):
    """Settings of the sharing service."""

    apps_file: FilePath = Field(description="YAML: which app may ask for which services")
    account_address: str = Field(pattern=ADDRESS, description="account's mTLS port")
    audit_address: str = Field(pattern=ADDRESS, description="audit's mTLS port")
