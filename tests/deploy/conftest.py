"""Each region as the cluster would receive it: rendered once per test process, offline."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
REGIONS = ("in", "local", "nl", "ru", "sg")

Resource = dict[str, Any]  # as YAML has it; the schemas say what it must be


@dataclass(frozen=True)
class Rendered:
    """All resources of one overlay."""

    overlay: str
    resources: tuple[Resource, ...]

    @property
    def region(self) -> str:
        """The region whose mesh it is; development plays the Netherlands."""
        return "nl" if self.overlay == "local" else self.overlay

    def of(self, *kinds: str) -> list[Resource]:
        """Every resource of the kinds."""
        return [resource for resource in self.resources if resource["kind"] in kinds]

    def named(self, kind: str, name: str) -> Resource:
        """The one resource of that kind and name; a generated name may end in a hash."""
        found = [
            resource
            for resource in self.of(kind)
            if resource["metadata"]["name"] == name
            or (kind == "ConfigMap" and resource["metadata"]["name"].rpartition("-")[0] == name)
        ]
        assert len(found) == 1, f"{kind} {name}: {len(found)} of it"
        return found[0]

    def pods(self) -> Iterator[tuple[str, Resource]]:
        """Every pod template, with ``kind/name`` of what makes it."""
        for resource in self.of("Deployment", "Job", "StatefulSet", "DaemonSet", "CronJob"):
            spec = resource["spec"]
            template = spec.get("jobTemplate", {"spec": spec})["spec"]["template"]
            yield f"{resource['kind']}/{resource['metadata']['name']}", template


def containers(pod: Resource) -> list[Resource]:
    """Every container of a pod template, those that run first included."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


@functools.cache
def render(overlay: str) -> Rendered:
    """What ``kubectl kustomize`` makes of an overlay."""
    kubectl = Path(sys.executable).parent / "kubectl"
    built = subprocess.run(  # noqa: S603  the locked kubectl, on our own directory
        [kubectl, "kustomize", ROOT / "deploy/k8s/regions" / overlay],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(ROOT)},
    )
    assert built.returncode == 0, built.stderr
    return Rendered(overlay, tuple(yaml.safe_load_all(built.stdout)))


@pytest.fixture(params=REGIONS)
def rendered(request: pytest.FixtureRequest) -> Rendered:
    """Each overlay in turn."""
    return render(request.param)
