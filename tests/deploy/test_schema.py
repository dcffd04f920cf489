"""Every overlay builds, and every resource is one that Kubernetes knows, field by field."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import kubernetes_validate
import pytest

from tests.deploy.conftest import REGIONS, ROOT, render

if TYPE_CHECKING:
    from tests.deploy.conftest import Rendered

# Kinds that others define: cert-manager, approver-policy, trust-manager. No schema ships with them
# here; test_identity asserts what we use of them.
_FOREIGN = {"Bundle", "Certificate", "CertificateRequestPolicy", "ClusterIssuer"}
_VERSIONS = ("1.34", "1.37")  # the oldest and the newest that we run on


def test_every_region_directory_is_tested() -> None:
    directories = {path.name for path in (ROOT / "deploy/k8s/regions").iterdir() if path.is_dir()}
    assert directories == set(REGIONS)


@pytest.mark.parametrize("version", _VERSIONS)
def test_resources_are_valid(rendered: Rendered, version: str) -> None:
    for resource in rendered.resources:
        if resource["kind"] not in _FOREIGN:
            kubernetes_validate.validate(resource, version, strict=True)


def test_no_resource_stands_twice(rendered: Rendered) -> None:
    names = Counter(
        (resource["kind"], resource["metadata"].get("namespace"), resource["metadata"]["name"])
        for resource in rendered.resources
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_nothing_lies_outside_of_the_namespace(rendered: Rendered) -> None:
    cluster_wide = {"Namespace", "ClusterIssuer", "CertificateRequestPolicy", "Bundle"}
    for resource in rendered.resources:
        namespace = resource["metadata"].get("namespace")
        if resource["kind"] in cluster_wide:
            assert namespace is None, resource
        elif resource["kind"] == "Certificate":
            assert namespace == "cert-manager", resource  # the development root, kept by its maker
        else:
            assert namespace == "accord", resource


@pytest.mark.parametrize("overlay", ["in", "nl", "ru", "sg"])
def test_a_release_migrates_with_all_that_is_new_and_serves_nothing_new_before(
    overlay: str,
) -> None:
    """The settings of a job bear the hash of what they hold: without its own a job never starts."""
    commands = (ROOT / "docs/operations.md").read_text()
    (step,) = set(re.findall(r"--selector 'accord\.internal/step!=(\w+)'", commands))
    applied: set[tuple[str, str]] = set()
    withheld: set[tuple[str, str]] = set()
    for resource in render(overlay).resources:
        label = resource["metadata"].get("labels", {}).get("accord.internal/step")
        to = withheld if label == step else applied
        to.add((resource["kind"], resource["metadata"]["name"]))
    assert {kind for kind, _ in withheld} == {"Deployment"}
    assert "Deployment" not in {kind for kind, _ in applied}
    for job in render(overlay).of("Job"):
        pod = job["spec"]["template"]["spec"]
        needed = {("ServiceAccount", pod["serviceAccountName"])}
        for container in pod["containers"]:
            needed |= {("ConfigMap", each["configMapRef"]["name"]) for each in container["envFrom"]}
        assert needed <= applied, job["metadata"]["name"]
