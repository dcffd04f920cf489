"""The rules of sharing: words, records, the rulebook and the decision. Pure; no I/O."""
