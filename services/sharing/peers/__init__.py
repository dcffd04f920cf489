"""The outside: the endpoints of recipients."""
