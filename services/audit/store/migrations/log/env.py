"""Alembic's entry: runs the migrations of the log."""

from runtime.migrations import run_env
from services.audit.store.tables import LOG

run_env(LOG)
