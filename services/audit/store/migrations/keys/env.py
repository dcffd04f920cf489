"""Alembic's entry: runs the migrations of the parties' keys."""

from runtime.migrations import run_env
from services.audit.store.tables import KEYS

run_env(KEYS)
