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
    tools_listen: str | None = Field(
        default=None,
        pattern=ADDRESS,
        description="address of the HTTPS port that serves these files; none: not opened",
    )
    tools_apps: frozenset[str] = Field(
        default=frozenset(),
        description='JSON: apps that may read the log as a whole, `["log-monitor"]`',
    )
    tools_tokens_file: FilePath | None = Field(
        default=None,
        description="SHA-256 of each bearer token and the app that it stands for; re-read",
    )
    account_address: str = Field(pattern=ADDRESS, description="account's mTLS port")
    audit_address: str = Field(
        pattern=ADDRESS,
        description="audit's own mTLS port, to which goes what audit itself records: a name that "
        "resolves to every replica (a headless service), of which one appends",
    )

    witness_policy_file: FilePath | None = Field(
        default=None,
        description="whose cosignatures a checkpoint needs to be published (tlog-policy); none: "
        "nobody's",
    )
    witness_ca_file: FilePath | None = Field(
        default=None,
        description="roots, PEM, of witnesses outside of our regions, besides those of the web",
    )
    region_roots_directory: DirectoryPath | None = Field(
        default=None,
        description="the roots of the regions that cosign each other, <region>.pem for each; "
        "believed at the witness port and of witnesses, nowhere else",
    )
    witness_listen: str | None = Field(
        default=None,
        pattern=ADDRESS,
        description="HTTPS port at which the logs of others are cosigned; none: they are not",
    )
    witness_key_file: FilePath | None = Field(
        default=None, description="the key that cosigns, made by `keygen`; needed with the port"
    )
    witness_logs_file: FilePath | None = Field(
        default=None,
        description="the logs that are cosigned, `<vkey> [<origin>]` a line; needed with the port",
    )
    witness_tokens_file: FilePath | None = Field(
        default=None,
        description="bearer tokens of logs elsewhere at the witness port, "
        "`<sha-256 of the token> <name>` a line; re-read",
    )

    @model_validator(mode="after")
    def _whole_witness(self) -> "AuditSettings":
        if self.witness_listen and not (self.witness_key_file and self.witness_logs_file):
            raise ValueError("witness_listen needs witness_key_file and witness_logs_file")
        if self.witness_listen and not (self.region_roots_directory or self.witness_tokens_file):
            raise ValueError("nobody could ask at witness_listen: region_roots_directory")
        return self

    @model_validator(mode="after")
    def _one_key_database(self) -> "AuditSettings":
        if (self.key_database_url is None) == (self.key_database_url_file is None):
            raise ValueError("set exactly one of key_database_url and key_database_url_file")
        check_database_url(self.key_database_url, self.key_database)
        if self.key_database == self.database:
            raise ValueError("the keys need a database of their own, apart from the log's")
        return self

    @model_validator(mode="after")
    def _one_process(self) -> "AuditSettings":
        if self.processes > 1:
            raise ValueError("processes: one process appends, and a replica of it stands by")
        return self

    @model_validator(mode="after")
    def _door_whole(self) -> "AuditSettings":
        if self.tools_tokens_file is not None and self.tools_listen is None:
            raise ValueError("tools_tokens_file serves nothing without tools_listen")
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
