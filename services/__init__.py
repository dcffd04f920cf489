"""The services that are deployed, one package each."""
