"""Serves envoy.service.auth.v3.Authorization: a proxy asks before it lets a request pass.

What is to be shared stands in the proxy's configuration of the route (`context_extensions`), which
no request can alter; of the request itself only the named header fields are read. Whatever cannot
be decided is denied in so many words, so that a proxy told to let failures pass does not.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus

from accord.sharing.foreign import ext_authz_pb2 as pb
from accord.sharing.v1 import decision_pb2, decision_service_pb2
from google.rpc import code_pb2

from runtime.call import Call
from runtime.errors import http_status_of
from runtime.fault import Fault, invalid
from services.sharing.api.doors import asking
from services.sharing.api.doors.access import Decisions

# Keys of context_extensions.
_ROUTE = ("service", "purpose", "destination", "subprocessor")
_HEADERS = ("account", "relation")  # `<key>_header` names the field of the request that has it
_FLAGS = ("signed_in", "de_identified")
_KNOWN = {"recipient", "categories", *_ROUTE, *_FLAGS} | {f"{key}_header" for key in _HEADERS}
_FAILURES = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
_OVERWRITE = pb.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD


class AuthorizationServicer:
    """Answers proxies."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions

    async def check(self, request: pb.CheckRequest, call: Call) -> pb.CheckResponse:
        """Let a request pass when its question is permitted."""
        try:
            response = await self._decisions.check(_asked(request.attributes), call)
        except Fault as fault:
            return _refused(fault)
        decision = response.decision
        if decision.outcome == decision_pb2.OUTCOME_PERMIT:
            return _passed(decision)
        return _denied(decision)


def _asked(attributes: pb.AttributeContext) -> decision_service_pb2.CheckRequest:
    route, headers = attributes.context_extensions, attributes.request.http.headers
    unknown = sorted(route.keys() - _KNOWN)
    if unknown:  # a misspelt key must not narrow what is asked
        raise invalid(f"context_extensions.{unknown[0]}", "is unknown")
    question = decision_pb2.Question(
        recipient=asking.recipient_name(route["recipient"]) if route["recipient"] else "",
        categories=[key.strip() for key in route["categories"].split(",") if key.strip()],
        signed_in=_flag(route, "signed_in"),
        de_identified=_flag(route, "de_identified"),
    )
    for key in _ROUTE:
        setattr(question, key, route[key])
    for key in _HEADERS:
        named = route[f"{key}_header"].lower()
        value = headers[named] if named else ""
        if key == "account" and named:
            if not value:
                raise invalid(f"headers.{named}", "is missing")
            value = asking.account_name(value)
        setattr(question, key, value)
    return decision_service_pb2.CheckRequest(question=question)


def _flag(route: Mapping[str, str], key: str) -> bool:
    value = route[key]
    if value not in {"", "true", "false"}:
        raise invalid(f"context_extensions.{key}", "must be true or false")
    return value == "true"


def _passed(decision: decision_pb2.Decision) -> pb.CheckResponse:
    response = pb.CheckResponse()
    response.status.code = code_pb2.OK
    fields = {
        "accord-decision": decision.name,
        "accord-token": decision.token,
        "accord-obligations": ",".join(asking.obligation_words(decision)),
    }
    for key, value in fields.items():
        _add(response.ok_response.headers.add(), key, value)
    return response


def _denied(decision: decision_pb2.Decision) -> pb.CheckResponse:
    problem = {
        "title": "Accord does not permit this",
        "decision": decision.name,
        "outcome": decision_pb2.Outcome.Name(decision.outcome).removeprefix("OUTCOME_"),
        "reasons": [
            {
                "id": asking.reason_word(reason),
                "citations": list(reason.citations),
                "categories": list(reason.categories),
            }
            for reason in decision.reasons
        ],
    }
    return _problem(HTTPStatus.FORBIDDEN, code_pb2.PERMISSION_DENIED, problem)


def _refused(fault: Fault) -> pb.CheckResponse:
    """Deny what could not be decided: by 403 a mistake of the proxy's, by 503 a failure of ours."""
    failed = http_status_of(fault) in _FAILURES
    problem = {"title": "Accord could not decide this", "reason": fault.reason}
    field = fault.metadata.get("field", "").removeprefix("question.")
    if field:
        problem["field"] = field
    if failed:
        return _problem(HTTPStatus.SERVICE_UNAVAILABLE, code_pb2.UNAVAILABLE, problem)
    return _problem(HTTPStatus.FORBIDDEN, code_pb2.PERMISSION_DENIED, problem)


def _problem(status: int, code: int, problem: Mapping[str, object]) -> pb.CheckResponse:
    """Return a denial whose body is problem details (RFC 9457)."""
    response = pb.CheckResponse()
    response.status.code = code
    denied = response.denied_response
    denied.status.code = status
    _add(denied.headers.add(), "content-type", "application/problem+json")
    _add(denied.headers.add(), "cache-control", "no-store")
    denied.body = json.dumps({"status": status, **problem}, ensure_ascii=False)
    return response


def _add(option: pb.HeaderValueOption, key: str, value: str) -> None:
    option.header.key, option.header.value = key, value
    option.append_action = _OVERWRITE
