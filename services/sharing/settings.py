"""What the sharing service is told, as environment variables `ACCORD_…`."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, FilePath, StringConstraints, model_validator

from runtime.settings import ADDRESS, SealingSettings

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class SharingSettings(SealingSettings):
    """Settings of the sharing service."""

    apps_file: FilePath = Field(description="YAML: which app may ask for which services")
    facts_in_memory: int = Field(
        default=1_500_000,
        ge=100_000,
        description="records of facts that each process keeps at most; a million take some 300 MB",
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
    revocation_hours: int = Field(
        default=72,
        ge=1,
        le=24 * 30,
        description="how long a recipient has to acknowledge a revocation notice",
    )
    revocation_hours_by_country: dict[Country, Annotated[int, Field(ge=1, le=24 * 30)]] = Field(
        default_factory=dict,
        description='JSON: the same, where the law of the person\'s country differs: `{"IN": 24}`',
    )
    revocation_ca_file: FilePath | None = Field(
        default=None,
        description="root that is trusted for recipients' endpoints beside the system's",
    )
    revocation_to_loopback: bool = Field(
        default=False,
        description="sandbox only: revocation notices may go to this machine, and there by http",
    )
    account_address: str = Field(pattern=ADDRESS, description="account's mTLS port")
    audit_address: str = Field(pattern=ADDRESS, description="audit's mTLS port")

    doors: ClassVar[tuple[str, ...]] = ("listen", "tools_listen")

    @model_validator(mode="after")
    def _door_whole(self) -> Self:
        if (self.tools_listen is None) != (self.tools_origin is None):
            raise ValueError("tools_listen and tools_origin go together")
        if self.tools_tokens_file is not None and self.tools_listen is None:
            raise ValueError("tools_tokens_file serves nothing without tools_listen")
        return self
