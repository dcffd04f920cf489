"""Whom the log asks: account, for the keys that verify who acts."""
