"""Ways out: account, sharing and audit over mTLS."""
