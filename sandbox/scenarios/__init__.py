"""Policy tests as data: scenario files, and what runs them against sharing's own RPCs."""
