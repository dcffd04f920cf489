"""Each pod is told what its service reads, nothing that it does not, and no secret as a value."""

from __future__ import annotations

import base64
import math
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from deploy.tables import settings_class
from runtime.settings import load
from tests.deploy.conftest import ROOT, containers

if TYPE_CHECKING:
    from tests.deploy.conftest import Rendered, Resource

SERVICES = ("account", "audit", "portal", "sharing")
_PATH = re.compile(r"(?<![\w.:])/(?:run|var)/[\w./-]+")
# What a file must hold where a database's URL would not do.
_CONTENTS = {
    "sealing.key": base64.b64encode(bytes(32)).decode(),
    "form.key": base64.b64encode(bytes(32)).decode(),
    "log.vkey": "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
}
_SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|CREDENTIAL|KEY|PEPPER")
_KEPT_APART = re.compile(r"_(FILE|DIRECTORY)$")


def _environment(rendered: Rendered, container: Resource) -> dict[str, str]:
    """What a container is told, in the order in which Kubernetes lets one source cover another."""
    told: dict[str, str] = {}
    for source in container["envFrom"]:
        name = source["configMapRef"]["name"]
        (found,) = (one for one in rendered.of("ConfigMap") if one["metadata"]["name"] == name)
        told |= found["data"]
    for variable in container.get("env", []):
        told[variable["name"]] = variable.get("value") or _of_the_pod(container, variable)
    return {name: value for name, value in told.items() if name.startswith("ACCORD_")}


def _of_the_pod(container: Resource, variable: Resource) -> str:
    """What Kubernetes tells a container of the cores that it asks for: rounded up."""
    resource = variable["valueFrom"]["resourceFieldRef"]
    assert resource == {
        "containerName": container["name"],
        "resource": "requests.cpu",
        "divisor": "1",
    }
    asked = str(container["resources"]["requests"]["cpu"])
    cores = float(asked.removesuffix("m")) / (1000 if asked.endswith("m") else 1)
    return str(math.ceil(cores))


@pytest.mark.parametrize("service", SERVICES)
def test_pods_are_told_what_their_service_reads(rendered: Rendered, service: str) -> None:
    known = {f"ACCORD_{name}".upper() for name in settings_class(service).model_fields}
    own = rendered.named("ConfigMap", service)["data"]
    assert own.keys() <= known, sorted(own.keys() - known)


def test_what_all_pods_are_told_is_read_by_some_service(rendered: Rendered) -> None:
    known = {f"ACCORD_{name}".upper() for s in SERVICES for name in settings_class(s).model_fields}
    for shared in ("region", "mesh"):
        told = rendered.named("ConfigMap", shared)["data"]
        assert {name for name in told if name.startswith("ACCORD_")} <= known


@pytest.mark.parametrize("service", SERVICES)
def test_a_process_starts_with_what_its_pod_is_told(
    rendered: Rendered, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pod in _pods(rendered, service):
        for container in containers(pod):
            with monkeypatch.context() as environment:
                for name, value in _environment(rendered, container).items():
                    environment.setenv(
                        name, _PATH.sub(lambda path: _stand_in(tmp_path, path[0]), value)
                    )
                settings = load(settings_class(service))
                assert settings.region == rendered.region
                assert settings.trust_domain == f"{rendered.region}.accord.internal"


@pytest.mark.parametrize("service", SERVICES)
def test_every_path_is_on_a_volume_of_the_pod(rendered: Rendered, service: str) -> None:
    for pod in _pods(rendered, service):
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        for container in containers(pod):
            mounts = {PurePosixPath(mount["mountPath"]) for mount in container["volumeMounts"]}
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
            for name, value in _environment(rendered, container).items():
                for path in _PATH.findall(value):
                    above = {PurePosixPath(path), *PurePosixPath(path).parents}
                    assert above & mounts, (name, path)


def test_no_secret_is_in_a_config_map_and_none_is_committed(rendered: Rendered) -> None:
    assert rendered.of("Secret") == []
    for config in rendered.of("ConfigMap"):
        for name, value in config["data"].items():
            named = _SECRET.search(name) is not None
            assert not named or _KEPT_APART.search(name) or value.startswith("sqlite:///"), name
            assert "://" not in value or "@" not in value, name  # a URL with a password
            assert "PRIVATE KEY" not in value, name


def test_operators_are_told_of_every_secret_and_its_files(rendered: Rendered) -> None:
    guide = (ROOT / "docs/operations.md").read_text()
    for name, pod in rendered.pods():
        for volume in pod["spec"]["volumes"]:
            if "secret" in volume:
                assert f"`{volume['secret']['secretName']}`" in guide, name
        for container in containers(pod):
            for value in _environment(rendered, container).values():
                for path in _PATH.findall(value):
                    directory, file = path.rsplit("/", 1)
                    if directory in {"/run/accord/secrets", "/run/accord/owner"}:
                        assert f"`{file}`" in guide or file == "providers.yaml", (name, file)


def test_a_change_of_settings_rolls_the_pods(rendered: Rendered) -> None:
    for config in rendered.of("ConfigMap"):
        assert re.search(r"-[a-z0-9]{10}$", config["metadata"]["name"]), config["metadata"]["name"]


def _pods(rendered: Rendered, service: str) -> list[Resource]:
    return [pod for _, pod in rendered.pods() if pod["spec"]["serviceAccountName"] == service]


def _stand_in(directory: Path, path: str) -> str:
    """A file, or for a database or a directory its place, where the pod would have the path."""
    place = directory / path.lstrip("/")
    if place.name in {"keks", "accord-tiles", "regions"}:
        place.mkdir(parents=True, exist_ok=True)
        return str(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.suffix != ".db":
        place.unlink(missing_ok=True)
        place.write_text(_CONTENTS.get(place.name, f"postgresql+psycopg://db/{place.name}\n"))
        place.chmod(0o440)  # as the pod mounts it
    return str(place)
