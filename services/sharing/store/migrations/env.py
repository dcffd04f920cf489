"""Alembic's entry: runs the migrations of sharing."""

from runtime.migrations import run_env
from services.sharing.store.tables import METADATA

run_env(METADATA)
