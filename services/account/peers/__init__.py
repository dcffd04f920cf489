"""The ways out to others: identity providers and sharing."""
