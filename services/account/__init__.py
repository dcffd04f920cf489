"""Account: who the person is, how they sign in, and what they chose to import."""
