"""From a peer's violations to the fields of the form that the person filled in."""

from collections.abc import Mapping

from runtime.fault import Fault

Wrong = list[tuple[str, str]]


def wrong_fields(fault: Fault, fields: Mapping[str, str]) -> Wrong:
    """Return (form field, catalog key) for each violation; raise the fault when none is ours.

    `fields` maps the last known part of the peer's field path to a form field, so that
    `terms.due_diligence.expire_date` finds `due_diligence` unless a longer part is listed.
    """
    if fault.reason != "INVALID_FIELD":
        raise fault
    found: dict[str, str] = {}
    for path, _ in fault.violations or [(fault.metadata.get("field", ""), "")]:
        field = _known(path, fields)
        if field is None:
            raise fault
        found[field] = f"wrong.{field}"
    return list(found.items())


def _known(path: str, fields: Mapping[str, str]) -> str | None:
    parts = [part.partition("[")[0] for part in path.split(".")]
    return next((fields[part] for part in reversed(parts) if part in fields), None)
