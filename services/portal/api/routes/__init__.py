"""Handlers, one module per part of the portal."""
