"""Front doors that other tools know: AuthZEN over gRPC and HTTPS, Envoy's ext_authz.

Each only translates. What it asks is asked of DecisionService, with the same checks, the same
record and the same answer; docs/doors.md says what its words mean here.
"""
