"""What can be asked of the log: one use case a file."""
