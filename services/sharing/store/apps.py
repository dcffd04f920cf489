"""Reads which app may ask for which services."""

from collections.abc import Collection, Mapping
from pathlib import Path

import yaml


class AppsError(Exception):
    """The file of apps cannot be used; the process must not start."""


def load_apps(path: Path, services: Collection[str]) -> Mapping[str, frozenset[str]]:
    """Return the services of each app; AppsError for a malformed file or an unknown service."""
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise AppsError(f"{path.name}: {error}") from error
    if not isinstance(tree, dict) or set(tree) != {"apps"} or not isinstance(tree["apps"], dict):
        raise AppsError(f"{path.name}: a mapping `apps` is needed, and nothing else")
    apps = {}
    for app, bound in tree["apps"].items():
        if not isinstance(app, str) or not isinstance(bound, list):
            raise AppsError(f"{path.name}: an app needs a name and a list of services")
        unknown = [service for service in bound if service not in services]
        if unknown:
            raise AppsError(f"{path.name}: {app}: unknown service {unknown[0]}")
        apps[app] = frozenset(bound)
    return apps
