"""Alembic's entry: account's tables."""

from runtime.migrations import run_env
from services.account.store.tables import METADATA

run_env(METADATA)
