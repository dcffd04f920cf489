"""Every pod can do nothing but its work, serves only when ready, and leaves in peace."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from runtime.health import LIVE
from runtime.settings import GrpcSettings
from services.sharing.settings import SharingSettings
from tests.deploy.conftest import ROOT, containers, render

if TYPE_CHECKING:
    from tests.deploy.conftest import Rendered, Resource

_FLUSH_SECONDS = 20  # for tasks to end and telemetry to be sent
SERVICES = ("account", "audit", "portal", "sharing")
_EMPTY_MIB = 220  # what a process of sharing takes without a fact, and with the calls it serves
_FACT_MIB = 300 / 1_000_000  # what each fact in memory takes, as the setting says


def test_namespace_refuses_pods_that_are_less_than_hardened(rendered: Rendered) -> None:
    labels = rendered.named("Namespace", "accord")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert re.fullmatch(r"v1\.\d+", labels["pod-security.kubernetes.io/enforce-version"])


def test_pods_hold_no_right_that_they_do_not_need(rendered: Rendered) -> None:
    for name, pod in rendered.pods():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["enableServiceLinks"] is False, name
        assert spec["serviceAccountName"] in SERVICES, name
        context = spec["securityContext"]
        assert context["runAsNonRoot"] is True, name
        assert min(context["runAsUser"], context["runAsGroup"], context["fsGroup"]) > 0, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for forbidden in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
            assert not spec.get(forbidden), (name, forbidden)
        assert not [volume for volume in spec["volumes"] if "hostPath" in volume], name


def test_containers_hold_no_right_that_they_do_not_need(rendered: Rendered) -> None:
    for name, pod in rendered.pods():
        for container in containers(pod):
            context = container["securityContext"]
            assert context == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert all("hostPort" not in port for port in container.get("ports", [])), name


def test_memory_is_bounded_and_the_image_is_pinned(rendered: Rendered) -> None:
    for name, pod in rendered.pods():
        for container in containers(pod):
            resources = container["resources"]
            assert resources["requests"]["memory"] == resources["limits"]["memory"], name
            assert resources["requests"]["cpu"], name
            image = container["image"]
            assert re.fullmatch(r"\S*accord-service(:[\w.-]+|@sha256:[0-9a-f]{64})", image), image
            assert not image.endswith(":latest"), image


def test_sharing_has_memory_for_the_facts_that_each_of_its_processes_may_keep(
    rendered: Rendered,
) -> None:
    container = _serving(rendered, "sharing")
    facts = rendered.named("ConfigMap", "sharing")["data"].get("ACCORD_FACTS_IN_MEMORY")
    facts = int(facts or SharingSettings.model_fields["facts_in_memory"].default)
    several = any(each["name"] == "ACCORD_PROCESSES" for each in container.get("env", []))
    processes = int(container["resources"]["requests"]["cpu"]) if several else 1
    ((size, unit),) = re.findall(r"^(\d+)([MG])i$", container["resources"]["limits"]["memory"])
    mebibytes = int(size) * {"M": 1, "G": 1024}[unit]
    assert processes * (_EMPTY_MIB + facts * _FACT_MIB) <= mebibytes


def test_service_accounts_have_no_token(rendered: Rendered) -> None:
    accounts = rendered.of("ServiceAccount")
    assert {account["metadata"]["name"] for account in accounts} == set(SERVICES)
    assert all(account["automountServiceAccountToken"] is False for account in accounts)


def test_the_loss_of_a_node_is_survived(rendered: Rendered) -> None:
    for deployment in rendered.of("Deployment"):
        name = deployment["metadata"]["name"]
        if rendered.overlay != "local":
            assert deployment["spec"]["replicas"] >= 2, name
            assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0, name
        keys = {
            spread["topologyKey"]
            for spread in deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
        }
        assert keys == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}, name
        budget = rendered.named("PodDisruptionBudget", name)["spec"]
        assert budget["maxUnavailable"] == 1, name
        assert budget["selector"] == deployment["spec"]["selector"], name


def test_what_two_replicas_of_audit_write_can_be_mounted_by_both(rendered: Rendered) -> None:
    modes = rendered.named("PersistentVolumeClaim", "audit-tiles")["spec"]["accessModes"]
    alone = rendered.named("Deployment", "audit")["spec"]["replicas"] == 1
    assert modes == (["ReadWriteOncePod"] if alone else ["ReadWriteMany"])


@pytest.mark.parametrize("overlay", ["in", "nl", "ru", "sg"])
def test_the_log_and_its_keys_are_backed_up_apart_by_what_cannot_write_the_log(
    overlay: str,
) -> None:
    """The keys must be destroyed one day, the log never."""
    job = render(overlay).named("CronJob", "audit-backup")["spec"]
    assert job["concurrencyPolicy"] == "Forbid"
    assert not job.get("suspend")
    pod = job["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    *_, command, option, place = container["args"]
    assert (command, option) == ("backup", "--out")
    claims = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    }
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    kept = [claims[mounts[f"{place}/{part}"]["name"]] for part in ("log", "keys")]
    assert len({*kept, "audit-tiles"}) == 3
    told = render(overlay).named("ConfigMap", "audit")["data"]
    tiles = mounts[told["ACCORD_TILE_DIRECTORY"]]
    assert claims[tiles["name"]] == "audit-tiles"
    assert tiles["readOnly"] is True


@pytest.mark.parametrize("overlay", ["in", "nl", "ru", "sg"])
def test_a_restore_in_the_cluster_finds_the_backup_and_the_pinned_key(overlay: str) -> None:
    guide = (ROOT / "docs/operations.md").read_text()
    (stated,) = re.findall(r"\.args = (\[.*?\])", guide)
    module, command, *options = json.loads(stated)
    assert (module, command) == ("services.audit", "restore")
    given = dict(zip(options[::2], options[1::2], strict=True))
    job = render(overlay).named("CronJob", "audit-backup")["spec"]["jobTemplate"]["spec"]
    (container,) = job["template"]["spec"]["containers"]
    assert given["--from"] == container["args"][-1]
    pinned = given["--key"].rpartition("/")
    assert pinned[0] in {mount["mountPath"] for mount in container["volumeMounts"]}
    assert f"create configmap pinned --namespace accord --from-file={pinned[2]}\n" in guide


def test_selectors_find_the_pods_of_their_own_service_alone(rendered: Rendered) -> None:
    labels = {name: pod["metadata"]["labels"] for name, pod in rendered.pods()}
    for service in rendered.of("Service"):
        name = service["metadata"]["name"]
        selector = service["spec"]["selector"].items()
        assert [pod for pod, its in labels.items() if selector <= its.items()] == [
            f"Deployment/{name}"
        ]


def test_services_are_headless_but_for_the_portal(rendered: Rendered) -> None:
    for service in rendered.of("Service"):
        name, spec = service["metadata"]["name"], service["spec"]
        if name == "portal":
            kind = "ClusterIP" if rendered.overlay == "local" else "LoadBalancer"
            assert spec["type"] == kind
        else:
            assert spec["clusterIP"] == "None", name
        pod = rendered.named("Deployment", name)["spec"]["template"]
        ports = {port["name"] for port in containers(pod)[-1]["ports"]}
        assert {port["targetPort"] for port in spec["ports"]} < ports, name


@pytest.mark.parametrize("service", SERVICES)
def test_probes_ask_the_health_port_and_liveness_no_dependency(
    rendered: Rendered, service: str
) -> None:
    container = _serving(rendered, service)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["grpc"]["port"] == ports["health"], probe
    assert container["startupProbe"]["grpc"]["service"] == LIVE
    assert container["livenessProbe"]["grpc"]["service"] == LIVE
    assert "service" not in container["readinessProbe"]["grpc"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_slow_start_is_not_killed_and_a_hung_one_is(rendered: Rendered, service: str) -> None:
    container = _serving(rendered, service)
    startup, live = container["startupProbe"], container["livenessProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 60
    assert live["periodSeconds"] * live["failureThreshold"] <= 60
    for probe in (live, container["readinessProbe"]):
        assert probe["timeoutSeconds"] < probe["periodSeconds"]


@pytest.mark.parametrize("service", SERVICES)
def test_leaving_fits_into_the_grace(rendered: Rendered, service: str) -> None:
    pod = rendered.named("Deployment", service)["spec"]["template"]["spec"]
    endpoints = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    stated = rendered.named("ConfigMap", service)["data"].get("ACCORD_DRAIN_S")
    calls = int(stated or GrpcSettings.model_fields["drain_s"].default)
    assert endpoints >= 5
    assert endpoints + calls + _FLUSH_SECONDS < pod["terminationGracePeriodSeconds"]


def _serving(rendered: Rendered, service: str) -> Resource:
    pod = rendered.named("Deployment", service)["spec"]["template"]
    container: Resource
    (container,) = pod["spec"]["containers"]
    return container
