"""The network lets through what some method allows, and nothing else: regenerated and compared."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

from deploy import policies
from deploy.wire import rpcs
from services.audit.domain.policy import Policy
from services.sharing.domain.endpoint import callable_address
from tests.deploy.conftest import ROOT, render

if TYPE_CHECKING:
    from tests.deploy.conftest import Rendered, Resource

SERVICES = ("account", "audit", "portal", "sharing")
# One of each kind that the registries of special addresses know, and some that are public.
_PLACES = (
    *("0.0.0.1", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1"),
    *("192.0.0.1", "192.0.2.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
    *("224.0.0.1", "240.0.0.1", "255.255.255.255", "8.8.8.8", "192.0.1.1", "172.32.0.1"),
    *("::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::1", "100::1", "2001::1"),
    *("2001:db8::1", "2002:a00:1::1", "fc00::1", "fe80::1", "ff02::1", "2606:4700::1111"),
)


def _from_pods(policy: Resource, direction: str, ends: str) -> set[str]:
    return {
        peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"]
        for rule in policy["spec"].get(direction, [])
        for peer in rule[ends]
        if "namespaceSelector" not in peer
    }


@pytest.mark.parametrize("service", SERVICES)
def test_committed_policies_are_those_of_the_protos(service: str) -> None:
    committed = ROOT / "deploy/k8s/base" / service / "networkpolicy.yaml"
    assert committed.read_text() == policies.policies()[service], "run bin/policies"


def test_nothing_passes_by_default(rendered: Rendered) -> None:
    spec = rendered.named("NetworkPolicy", "default-deny")["spec"]
    assert spec["podSelector"] == {}
    assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in spec
    assert {port["port"] for rule in spec["egress"] for port in rule["ports"]} == {53}


def test_each_edge_is_open_at_both_ends_exactly_where_a_method_names_the_caller(
    rendered: Rendered,
) -> None:
    edges = {(caller, rpc.server) for rpc in rpcs() for caller in rpc.rule.services}
    for service in SERVICES:
        policy = rendered.named("NetworkPolicy", service)
        assert _from_pods(policy, "ingress", "from") == {a for a, b in edges if b == service}
        assert _from_pods(policy, "egress", "to") == {b for a, b in edges if a == service}


def test_apps_reach_only_the_services_that_some_method_opens_to_them(rendered: Rendered) -> None:
    opened = {rpc.server for rpc in rpcs() if rpc.rule.apps}
    for service in SERVICES:
        policy = rendered.named("NetworkPolicy", service)
        reached = [
            (peer["podSelector"]["matchLabels"], port["port"])
            for rule in policy["spec"].get("ingress", [])
            for peer in rule["from"]
            for port in rule["ports"]
            if peer.get("namespaceSelector") == {}
        ]
        apps = {"accord.internal/caller": "app"}
        ports = {"audit": [7443, 7444], "sharing": [7443, 7444]}.get(service, [7443])
        assert reached == [(apps, port) for port in ports if service in opened]


def test_a_door_for_tools_is_where_its_pods_listen_and_its_origin_says(rendered: Rendered) -> None:
    for service in ("audit", "sharing"):
        (port,) = (
            port["port"]
            for port in rendered.named("Service", service)["spec"]["ports"]
            if port["name"] == "tools"
        )
        listen = rendered.named("ConfigMap", service)["data"]["ACCORD_TOOLS_LISTEN"]
        assert listen == f"0.0.0.0:{port}"
    origin = f"https://sharing.{rendered.region}.accord.internal:{port}"
    assert rendered.named("ConfigMap", "region")["data"]["ACCORD_TOOLS_ORIGIN"] == origin


def test_auditors_and_apps_reach_the_published_log(rendered: Rendered) -> None:
    spec = rendered.named("NetworkPolicy", "audit")["spec"]
    (rule,) = (r for r in spec["ingress"] if r["ports"] == [{"port": 7444, "protocol": "TCP"}])
    assert rule["from"] == [
        {
            "namespaceSelector": {},
            "podSelector": {"matchLabels": {"accord.internal/caller": "app"}},
        },
        {"namespaceSelector": {"matchLabels": {"accord.internal/caller": "staff"}}},
    ]


def test_only_the_portal_is_reached_by_the_world(rendered: Rendered) -> None:
    open_to_all = {
        policy["metadata"]["name"]
        for policy in rendered.of("NetworkPolicy")
        for rule in policy["spec"].get("ingress", [])
        if not rule.get("from") or any("ipBlock" in peer for peer in rule["from"])
    }
    assert open_to_all == {"portal-from-browsers"}
    selector = rendered.named("NetworkPolicy", "portal-from-browsers")["spec"]["podSelector"]
    assert selector == {"matchLabels": {"app.kubernetes.io/name": "portal"}}


def test_two_reach_the_world_and_no_neighbour_by_that_way(rendered: Rendered) -> None:
    """Account asks providers, sharing tells recipients; nobody else leaves."""
    blocks = {
        (policy["metadata"]["name"], peer["ipBlock"]["cidr"], *peer["ipBlock"]["except"])
        for policy in rendered.of("NetworkPolicy")
        for rule in policy["spec"].get("egress", [])
        for peer in rule["to"]
        if "ipBlock" in peer
    }
    assert {name for name, *_ in blocks} == {"account-to-providers", "sharing-to-recipients"}
    for name in ("account-to-providers", "sharing-to-recipients"):
        open_to = [
            (ip_network(cidr), [ip_network(each) for each in rest])
            for policy, cidr, *rest in blocks
            if policy == name
        ]
        for text in _PLACES:
            address = ip_address(text)
            reached = any(
                address in all_of and not any(address in each for each in kept_out)
                for all_of, kept_out in open_to
            )
            assert reached == callable_address(address, loopback=False), (name, text)


@pytest.mark.parametrize("overlay", ["in", "nl", "ru", "sg"])
def test_databases_are_reached_by_their_services_alone(overlay: str) -> None:
    rendered = render(overlay)
    selector = rendered.named("NetworkPolicy", "to-databases")["spec"]["podSelector"]
    reached = {
        name
        for name, pod in rendered.pods()
        if selector["matchLabels"].items() <= pod["metadata"]["labels"].items()
    }
    stores = ("account", "audit", "sharing")
    assert reached == {f"Deployment/{name}" for name in stores} | {
        *(f"Job/migrate-{name}" for name in stores),
        "CronJob/audit-backup",
    }


def test_regions_reach_each_other_at_the_witness_port_alone(rendered: Rendered) -> None:
    """Through the namespace of their gateway, and no other pod than audit's."""
    gateway = {"namespaceSelector": {"matchLabels": {"accord.internal/gateway": "regions"}}}
    open_to_it = [
        (policy["metadata"]["name"], policy["spec"]["podSelector"]["matchLabels"], rule["ports"])
        for policy in rendered.of("NetworkPolicy")
        for rule in (*policy["spec"].get("ingress", []), *policy["spec"].get("egress", []))
        if gateway in (*rule.get("from", []), *rule.get("to", []))
    ]
    if rendered.overlay == "local":
        assert open_to_it == []
        return
    audit = {"app.kubernetes.io/name": "audit"}
    port = [{"port": 7445, "protocol": "TCP"}]
    assert open_to_it == [("audit-between-regions", audit, port)] * 2
    (pod,) = (pod for name, pod in rendered.pods() if name == "Deployment/audit")
    told = {one["name"]: one["value"] for one in pod["spec"]["containers"][0]["env"]}
    assert told["ACCORD_WITNESS_LISTEN"] == "0.0.0.0:7445"


def test_each_region_has_a_policy_that_can_be_read(rendered: Rendered) -> None:
    """Nobody's cosignature is needed until keys are exchanged; what is to be filled in is there."""
    if rendered.overlay == "local":
        return
    witness = rendered.named("ConfigMap", "witness")["data"]
    assert Policy.parse(witness["policy"].encode()).satisfied_by([])
    others = {"in", "nl", "ru", "sg"} - {rendered.region}
    named = {
        line.split()[2]
        for line in witness["policy"].splitlines()
        if "# " in line and "witness " in line and "https://" in line
    }
    assert named == others
