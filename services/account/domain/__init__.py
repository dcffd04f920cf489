"""Types and rules of accounts, links, sessions and staff; pure."""
