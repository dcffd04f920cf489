"""The rulebook for people: `bin/rulebook lint | show | diff`."""
