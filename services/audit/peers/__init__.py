"""Whom the log speaks to outside of its own service: the witnesses of its checkpoints."""
