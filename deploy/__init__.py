"""What is compiled from the protos and the settings: NetworkPolicies, and the tables in docs/."""
