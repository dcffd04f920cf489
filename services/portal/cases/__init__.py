"""One use case a file: what a person does that takes more than one question to a peer."""
