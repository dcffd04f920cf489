"""Every overlay builds, and every resource is one that Kubernetes knows, field by field."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import kubernetes_validate
import pytest

from tests.deploy.conftest import REGIONS, ROOT

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
