"""The audit service: an append-only log that strangers can verify and erasure does not break."""
