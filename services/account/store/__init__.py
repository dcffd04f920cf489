"""The way out to the database; sealing of what must not lie there in clear."""
