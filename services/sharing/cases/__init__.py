"""What sharing does, one use case a file: unit of work, rule, event, commit."""
