"""The other services that sharing talks to."""
