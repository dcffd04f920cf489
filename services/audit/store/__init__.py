"""Where the log and its keys rest: two databases, two kinds of key file."""

LOG_MIGRATIONS = "services.audit.store:migrations/log"
KEY_MIGRATIONS = "services.audit.store:migrations/keys"
