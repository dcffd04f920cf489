"""Compiles the caller rules of the protos into NetworkPolicies, one file per service.

A packet is let through exactly where some method lets its sender call: defence in depth below
mTLS, from the same source. What no proto knows (browsers, databases, identity providers) is written
by hand beside the generated file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from deploy.wire import ROOT, rpcs

GRPC_PORT = 7443
TOOLS_PORT = 7444
# Doors over HTTPS for tools, by the gRPC service whose callers may come there too.
DOORS = {
    "audit": "accord.audit.v1.TileService",
    "sharing": "authzen.access.v1.Access",
}
SERVICES = ("account", "audit", "portal", "sharing")

_HEAD = """\
# Made by bin/policies from the `callers` options of the protos. Do not edit.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {name}
spec:
  podSelector:
    matchLabels:
      app.kubernetes.io/name: {name}
  policyTypes: [Ingress, Egress]
"""
_PORT = "      ports:\n        - {{port: {port}, protocol: TCP}}\n"
_SERVICE = """\
        - podSelector:
            matchLabels:
              app.kubernetes.io/name: {name}
"""
# An app runs in a namespace of its own; which apps there are, its certificate says.
_APPS = """\
        - namespaceSelector: {}
          podSelector:
            matchLabels:
              accord.internal/caller: app
"""
# Staff come by command line from the bastion's namespace.
_STAFF = """\
        - namespaceSelector:
            matchLabels:
              accord.internal/caller: staff
"""


def policies() -> dict[str, str]:
    """The text of each service's NetworkPolicy, by service."""
    edges = {(caller, rpc.server) for rpc in rpcs() for caller in rpc.rule.services}
    apps = {rpc.server for rpc in rpcs() if rpc.rule.apps}
    staff = {rpc.server for rpc in rpcs() if rpc.rule.staff}
    texts = {}
    for name in SERVICES:
        callers = [_SERVICE.format(name=caller) for caller, to in sorted(edges) if to == name]
        callers += [_APPS] if name in apps else []
        callers += [_STAFF] if name in staff else []
        tools = _rule("from", _tools(DOORS.get(name)), TOOLS_PORT)
        called = [_SERVICE.format(name=to) for caller, to in sorted(edges) if caller == name]
        texts[name] = (
            _HEAD.format(name=name)
            + _rules("ingress", _rule("from", callers) + tools)
            + _rules("egress", _rule("to", called))
        )
    return texts


def _tools(service: str | None) -> list[str]:
    rules = [r.rule for r in rpcs() if r.descriptor.containing_service.full_name == service]
    peers = [_APPS] if any(rule.apps for rule in rules) else []
    return [*peers, _STAFF] if any(rule.staff for rule in rules) else peers


def _rules(direction: str, rules: str) -> str:
    return f"  {direction}:\n{rules}" if rules else ""


def _rule(ends: str, peers: list[str], port: int = GRPC_PORT) -> str:
    return f"    - {ends}:\n{''.join(peers)}{_PORT.format(port=port)}" if peers else ""


def write(base: Path) -> None:
    """Write ``<base>/<service>/networkpolicy.yaml`` for every service."""
    for name, text in policies().items():
        (base / name).mkdir(parents=True, exist_ok=True)
        (base / name / "networkpolicy.yaml").write_text(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", nargs="?", type=Path, default=ROOT / "deploy/k8s/base")
    write(parser.parse_args().base)
