"""Decides whether a person's data may be shared, and keeps what the decisions rest on."""
