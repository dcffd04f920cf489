"""What a transparency log is, without any machine: trees, notes, entries, what holds of them."""
