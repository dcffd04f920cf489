"""AuthZEN's entities as they come: JSON values, read strictly where known, else passed over.

A refusal names the place as the caller wrote it: `resource.properties.categories`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from runtime.fault import invalid
from services.sharing.api import fields

Json = Mapping[str, object]

_KEYS = ("subject", "action", "resource", "context")
_NOTHING: Json = {}
# More than any id or key has, also in a store's index, and than a page token.
_MAX_TEXT = 2048


@dataclass(frozen=True, slots=True)
class Entity:
    """A subject or a resource; the id is empty where a search looks for it."""

    type: str
    id: str
    properties: Json


@dataclass(frozen=True, slots=True)
class Action:
    """What is to be done; without a name where a search looks for it."""

    name: str
    properties: Json


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is to be decided."""

    subject: Entity
    action: Action
    resource: Entity
    context: Json


def evaluation(body: Json) -> Evaluation:
    """Read an evaluation, each of its entities named in full."""
    return Evaluation(
        entity(body, "subject"), action(body), entity(body, "resource"), context(body)
    )


def overridden(defaults: Json, item: object, at: str) -> Json:
    """Return an item of a list of evaluations: each key that it has prevails whole."""
    if not isinstance(item, Mapping):
        raise invalid(at, "must be an object")
    return {key: value for key, value in {**defaults, **item}.items() if key in _KEYS}


def entity(body: Json, key: str) -> Entity:
    """Read a subject or a resource."""
    found = typed(body, key)
    return Entity(found.type, text(required(body, key), "id", f"{key}."), found.properties)


def typed(body: Json, key: str) -> Entity:
    """Read a subject or a resource that is looked for: its id, if any, is passed over."""
    found = required(body, key)
    return Entity(text(found, "type", f"{key}."), "", properties(found, key))


def action(body: Json) -> Action:
    """Read an action."""
    found = required(body, "action")
    return Action(text(found, "name", "action."), properties(found, "action"))


def context(body: Json) -> Json:
    """Read the circumstances, if any."""
    return optional(body, "context", "")


def properties(found: Json, at: str) -> Json:
    """Read the properties of an entity, if any."""
    return optional(found, "properties", f"{at}.")


def required(body: Json, key: str) -> Json:
    """Read an object that must be there."""
    if body.get(key) is None:
        raise invalid(key, "is missing")
    return optional(body, key, "")


def optional(body: Json, key: str, at: str) -> Json:
    """Read an object; nothing in it when it is not there."""
    value = body.get(key)
    if value is None:
        return _NOTHING
    if not isinstance(value, Mapping):
        raise invalid(f"{at}{key}", "must be an object")
    return value


def text(found: Json, key: str, at: str) -> str:
    """Read a text that must be there."""
    value = maybe_text(found, key, at)
    if not value:
        raise invalid(f"{at}{key}", "is missing")
    return value


def maybe_text(found: Json, key: str, at: str) -> str:
    """Read a text; empty when it is not there."""
    value = found.get(key)
    return "" if value is None else _text(value, f"{at}{key}")


def texts(found: Json, key: str, at: str) -> list[str]:
    """Read a list of texts; none when it is not there."""
    value = found.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise invalid(f"{at}{key}", "must be a list")
    return [_text(each, f"{at}{key}") for each in value]


def flag(found: Json, key: str, at: str) -> bool:
    """Read a truth value; false when it is not there."""
    value = found.get(key)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise invalid(f"{at}{key}", "must be true or false")
    return value


def _text(value: object, at: str) -> str:
    if not isinstance(value, str):
        raise invalid(at, "must be a string")
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON can spell half of a surrogate pair
        raise invalid(at, "must be text") from None
    return fields.text(at, value, _MAX_TEXT)
