"""The caller rules, compiled from the option beside each rpc. Closed: no rule, no start."""

from collections.abc import Iterable
from dataclasses import dataclass

from accord.type.v1 import callers_pb2
from google.protobuf.descriptor import MethodDescriptor

from runtime.call import Actor, Caller
from runtime.fault import Fault


class PolicyError(Exception):
    """A method has no rule, or one that names nobody; the process must not start."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may call one method."""

    services: frozenset[str] = frozenset()
    apps: bool = False
    staff: frozenset[str] = frozenset()
    actors: frozenset[str] = frozenset()

    def admit_caller(self, caller: Caller, method: str) -> None:
        """Refuse with CALLER_NOT_ALLOWED whoever the rule does not name."""
        match caller.kind:
            case "svc":
                named = caller.name in self.services
            case "app":
                named = self.apps
            case "staff":
                named = caller.role in self.staff
        if not named:
            raise Fault(
                "CALLER_NOT_ALLOWED",
                f"{caller.spiffe_id} may not call {method}",
                metadata={"method": method},
            )

    def admit_actor(self, caller: Caller, actor: Actor | None) -> None:
        """Refuse a service that acts for nobody, or for someone without a role of the rule."""
        if caller.kind != "svc" or not self.actors:
            return
        if actor is None:
            raise Fault("ACTOR_REQUIRED", "a service acts here only with a person's actor token")
        if not actor.roles & self.actors:
            raise Fault(
                "ACTOR_ROLE_MISSING",
                f"the actor holds none of: {', '.join(sorted(self.actors))}",
            )


def rule_of(method: MethodDescriptor) -> Rule:
    """Compile the rule of a method; PolicyError when it is missing or empty."""
    option = _option(method)
    rule = Rule(
        services=frozenset(option.services),
        apps=option.apps,
        staff=_roles(option.staff, method),
        actors=_roles(option.actors, method),
    )
    if not (rule.services or rule.apps or rule.staff):
        raise PolicyError(f"{method.full_name} admits nobody")
    return rule


def _option(method: MethodDescriptor) -> callers_pb2.Callers:
    """Return the option beside the method, or that of a file which others specified."""
    own = method.GetOptions()
    if own.HasExtension(callers_pb2.callers):
        return own.Extensions[callers_pb2.callers]
    file = method.containing_service.file.GetOptions()
    if file.HasExtension(callers_pb2.file_callers):
        return file.Extensions[callers_pb2.file_callers]
    raise PolicyError(f"{method.full_name} names no callers")


def _roles(
    values: Iterable[callers_pb2.Role.ValueType], method: MethodDescriptor
) -> frozenset[str]:
    names = frozenset(
        callers_pb2.Role.Name(value).removeprefix("ROLE_").lower() for value in values
    )
    if "unspecified" in names:
        raise PolicyError(f"{method.full_name} names the unspecified role")
    return names
