"""The wire: requests into plain values, plain values into answers; nothing is decided here."""
