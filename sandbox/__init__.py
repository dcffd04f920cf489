"""The outside world for local use and tests: processes that speak other people's wires."""
