"""What the sharing service is told, as environment variables `ACCORD_…`."""

from pydantic import Field, FilePath

from runtime.settings import ADDRESS, SealingSettings


class SharingSettings(SealingSettings):
    """Settings of the sharing service."""

    apps_file: FilePath = Field(description="YAML: which app may ask for which services")
    facts_in_memory: int = Field(
        default=1_500_000,
        ge=100_000,
        description="records of facts kept in memory at most; a million take some 300 MB",
    )
    account_address: str = Field(pattern=ADDRESS, description="account's mTLS port")
    audit_address: str = Field(pattern=ADDRESS, description="audit's mTLS port")
