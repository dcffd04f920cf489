"""What the sharing service is told, as environment variables `ACCORD_…`."""

from pydantic import Field, FilePath

from runtime.settings import DatabaseSettings


class SharingSettings(DatabaseSettings):
    """Settings of the sharing service."""

    apps_file: FilePath = Field(description="YAML: which app may ask for which services")
    account_address: str = Field(description="account's mTLS address, host:port")
    audit_address: str = Field(description="audit's mTLS address, host:port")
