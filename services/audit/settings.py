"""What the audit service is told, as environment variables `ACCORD_…`."""

from pydantic import DirectoryPath, Field, FilePath, model_validator

from runtime.settings import ADDRESS, DatabaseSettings, check_database_url


class AuditSettings(DatabaseSettings):
    """Settings of the audit service. `database_url` is the log's; the keys have their own."""

    key_database_url: str | None = Field(
        default=None,
        description="database of the parties' keys: sqlite:///… or postgresql+psycopg://…",
    )
    key_database_url_file: FilePath | None = Field(
        default=None, description="file that holds that URL, when it carries a password"
    )
    log_key_file: FilePath = Field(description="the log's Ed25519 key, made by `keygen`")
    kek_directory: DirectoryPath = Field(
        description="key-encryption keys, one <year>-<month>.kek a month, made by `keygen`"
    )
    tile_directory: DirectoryPath = Field(
        description="where the log is published as files; keep it apart from the database"
    )
    account_address: str = Field(pattern=ADDRESS, description="account's mTLS port")
    audit_address: str = Field(
        pattern=ADDRESS, description="audit's own mTLS port: to it goes what audit itself records"
    )

    @model_validator(mode="after")
    def _one_key_database(self) -> "AuditSettings":
        if (self.key_database_url is None) == (self.key_database_url_file is None):
            raise ValueError("set exactly one of key_database_url and key_database_url_file")
        check_database_url(self.key_database_url, self.key_database)
        if self.key_database == self.database:
            raise ValueError("the keys need a database of their own, apart from the log's")
        return self

    @property
    def key_database(self) -> str:
        """Return the URL of the key database."""
        if self.key_database_url_file is not None:
            return self.key_database_url_file.read_text().strip()
        return self.key_database_url or ""

    @property
    def origin(self) -> str:
        """Return the log's origin, which is also the name of its key."""
        return log_origin(self.region)


def log_origin(region: str) -> str:
    """Return the origin of a region's log."""
    return f"{region}.accord.internal/audit"


def witness_name(region: str) -> str:
    """Return the name under which a region's audit service cosigns the logs of others."""
    return f"{region}.accord.internal/witness"
