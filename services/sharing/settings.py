"""What the sharing service is told, as environment variables `ACCORD_…`."""

from typing import Self

from pydantic import Field, FilePath, model_validator

from runtime.settings import ADDRESS, SealingSettings


class SharingSettings(SealingSettings):
    """Settings of the sharing service."""

    apps_file: FilePath = Field(description="YAML: which app may ask for which services")
    facts_in_memory: int = Field(
        default=1_500_000,
        ge=100_000,
        description="records of facts kept in memory at most; a million take some 300 MB",
    )
    tools_listen: str | None = Field(
        default=None,
        pattern=ADDRESS,
        description="address of the HTTPS port for tools (AuthZEN); none: not opened",
    )
    tools_origin: str | None = Field(
        default=None,
        pattern=r"^https://[^\s/?#]+$",
        description="origin under which tools know that port, such as https://accord.example:7444",
    )
    tools_tokens_file: FilePath | None = Field(
        default=None,
        description="SHA-256 of each bearer token and the app that it stands for; re-read",
    )
    account_address: str = Field(pattern=ADDRESS, description="account's mTLS port")
    audit_address: str = Field(pattern=ADDRESS, description="audit's mTLS port")

    @model_validator(mode="after")
    def _door_whole(self) -> Self:
        if (self.tools_listen is None) != (self.tools_origin is None):
            raise ValueError("tools_listen and tools_origin go together")
        if self.tools_tokens_file is not None and self.tools_listen is None:
            raise ValueError("tools_tokens_file serves nothing without tools_listen")
        return self
