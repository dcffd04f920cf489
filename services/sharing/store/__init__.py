"""What sharing keeps: the rulebook's files, and the tables of its database."""
