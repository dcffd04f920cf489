"""AuthZEN's evaluations and searches, on JSON values: what both of its bindings share.

Nothing is decided here: each evaluation is a question to DecisionService, which records its answer.
Several that go together are one CheckBatch.
"""

import asyncio
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import Protocol, TypeVar

from accord.sharing.v1 import decision_pb2, decision_service_pb2

from runtime import paging
from runtime.call import Call
from runtime.errors import http_status_of
from runtime.fault import Fault, invalid, not_found
from runtime.ids import home_of, require_home
from services.sharing.api.doors import asking, entities
from services.sharing.api.doors.asking import PERSON
from services.sharing.api.doors.entities import Action, Entity, Evaluation, Json
from services.sharing.cases.means import Means
from services.sharing.domain.ports import Page
from services.sharing.domain.records import Recipient

T = TypeVar("T")

CheckRequest = decision_service_pb2.CheckRequest
CheckResponse = decision_service_pb2.CheckResponse

_MAX_EVALUATIONS = 1000  # of CheckBatch
_MOST_REFUSED = 8  # batches that are tried anew without what they were refused for
_QUESTION = re.compile(r"questions\[([0-9]{1,4})\]")
_EXECUTE_ALL = "execute_all"
# The decision behind which a semantic ends the evaluations.
_ENDS = {_EXECUTE_ALL: None, "deny_on_first_deny": False, "permit_on_first_permit": True}
_OURS = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.CONFLICT}  # errors not of the evaluation itself
_ENTITIES = ("subject", "action", "resource", "context")


class Decisions(Protocol):
    """DecisionService, as far as the doors ask it."""

    async def check(self, request: CheckRequest, call: Call) -> CheckResponse:
        """Decide one question and record the answer."""
        ...

    async def check_batch(
        self, request: decision_service_pb2.CheckBatchRequest, call: Call
    ) -> decision_service_pb2.CheckBatchResponse:
        """Decide several questions and record the answers."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing that a search tries: the evaluation, and the result if it is permitted."""

    evaluation: Evaluation
    result: Mapping[str, object]


class Access:
    """Evaluates and searches for a caller."""

    def __init__(
        self, means: Means, decisions: Decisions, apps: Mapping[str, frozenset[str]]
    ) -> None:
        self._means = means
        self._decisions = decisions
        self._apps = apps

    # --- evaluations ---------------------------------------------------------------------------

    async def evaluation(self, body: Json, call: Call) -> dict[str, object]:
        """Decide one evaluation."""
        (request,) = await self._asked([entities.evaluation(body)], call)
        if isinstance(request, Fault):
            raise request
        return self._answered(await self._check(request, call))

    async def evaluations(self, body: Json, call: Call) -> dict[str, object]:
        """Decide several; without any, what stands beside them is the one evaluation."""
        semantic = entities.maybe_text(
            entities.optional(body, "options", ""), "evaluations_semantic", "options."
        )
        if (semantic or _EXECUTE_ALL) not in _ENDS:
            raise invalid("options.evaluations_semantic", f"must be one of {', '.join(_ENDS)}")
        items = body.get("evaluations")
        if items is None or items == []:
            return await self.evaluation(body, call)
        if not isinstance(items, list) or len(items) > _MAX_EVALUATIONS:
            raise invalid("evaluations", f"must be a list of at most {_MAX_EVALUATIONS}")
        read = [_item(body, item, f"evaluations[{number}]") for number, item in enumerate(items)]
        requests = await self._asked(read, call)
        end = _ENDS[semantic or _EXECUTE_ALL]
        if end is None:
            return {
                "evaluations": [self._outcome(each) for each in await self._all(requests, call)]
            }
        answers: list[dict[str, object]] = []
        for request in requests:
            answers += [self._outcome(each) for each in await self._all([request], call)]
            if answers[-1]["decision"] is end:
                break
        return {"evaluations": answers}

    def _outcome(self, answer: CheckResponse | Fault) -> dict[str, object]:
        """Return a decision; false with the error for what could not be asked."""
        if isinstance(answer, Fault):
            error = {"status": int(http_status_of(answer)), "message": answer.message}
            return {"decision": False, "context": {"error": error}}
        return self._answered(answer)

    # --- searches ------------------------------------------------------------------------------

    async def subject_search(self, body: Json, call: Call) -> dict[str, object]:
        """Find the recipients of a kind, or kind prefix, that may have the data."""
        wanted = entities.typed(body, "subject")
        action, resource = entities.action(body), entities.entity(body, "resource")
        cursor, size = self._page(body, call)
        if not _known(resource, self._means.region):
            return _nothing()
        found, following = await self._means.store.read(
            lambda records: records.recipients.list(Page(cursor, size), wanted.type)
        )
        circumstances = entities.context(body)
        return await self._found(
            [
                Candidate(
                    Evaluation(_subject(recipient), action, resource, circumstances),
                    {"type": recipient.kind, "id": _subject(recipient).id},
                )
                for recipient in found
            ],
            self._next(body, call, size, following),
            call,
        )

    async def resource_search(self, body: Json, call: Call) -> dict[str, object]:
        """Find which categories of one person's data the recipient may have, each asked alone.

        No directory of people is searched: the person is named in the properties.
        """
        subject, action = entities.entity(body, "subject"), entities.action(body)
        wanted = entities.typed(body, "resource")
        cursor, size = self._page(body, call)
        if wanted.type not in asking.NAMED_BY:
            return _nothing()
        key = asking.NAMED_BY[wanted.type]
        named = entities.text(wanted.properties, key, "resource.properties.") if key else "-"
        resource = replace(wanted, id=named)
        if not _known(resource, self._means.region) or not await self._registered(subject):
            return _nothing()
        categories = entities.texts(wanted.properties, "categories", "resource.properties.")
        keys, following = _part(categories or sorted(self._means.rulebook.categories), cursor, size)
        circumstances = entities.context(body)
        return await self._found(
            [
                Candidate(
                    Evaluation(
                        subject,
                        action,
                        replace(resource, properties={**wanted.properties, "categories": [key]}),
                        circumstances,
                    ),
                    {"type": wanted.type, "id": named, "properties": {"categories": [key]}},
                )
                for key in keys
            ],
            self._next(body, call, size, following),
            call,
        )

    async def action_search(self, body: Json, call: Call) -> dict[str, object]:
        """Find the purposes for which the recipient may have the data; an action is ignored."""
        subject, resource = entities.entity(body, "subject"), entities.entity(body, "resource")
        cursor, size = self._page(body, call)
        if not _known(resource, self._means.region) or not await self._registered(subject):
            return _nothing()
        purposes = self._means.rulebook.purposes
        allowed = sorted(key for key, purpose in purposes.items() if not purpose.prohibited)
        keys, following = _part(allowed, cursor, size)
        circumstances = entities.context(body)
        return await self._found(
            [
                Candidate(
                    Evaluation(
                        subject, Action(asking.SHARE, {"purpose": key}), resource, circumstances
                    ),
                    {"name": asking.SHARE, "properties": {"purpose": key}},
                )
                for key in keys
            ],
            self._next(body, call, size, following),
            call,
        )

    async def _found(
        self, candidates: Sequence[Candidate], following: str, call: Call
    ) -> dict[str, object]:
        """Ask about each candidate, on the record, and return those that are permitted."""
        service = self._only_service(call)
        requests = [asking.asked(each.evaluation, service) for each in candidates]
        results = []
        for candidate, answer in zip(candidates, await self._all(requests, call), strict=True):
            if isinstance(answer, Fault):
                raise answer
            if answer.decision.outcome == decision_pb2.OUTCOME_PERMIT:
                results.append(_result(candidate.result, answer.decision))
        return {"page": {"next_token": following, "count": len(results)}, "results": results}

    def _page(self, body: Json, call: Call) -> tuple[str, int]:
        """Read which part is wanted; beside a token, which keeps it, the limit may be left out."""
        page = entities.optional(body, "page", "")
        limit = page.get("limit", 0)
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
            raise invalid("page.limit", "must be a number, 0 or more")
        size = paging.page_size(limit)
        token = entities.maybe_text(page, "token", "page.")
        if not token:
            return "", size
        kept, _, cursor = paging.cursor_of(token, *self._bound(body, call)).partition(":")
        if not kept.isdecimal() or ("limit" in page and int(kept) != size):
            raise Fault("PAGE_TOKEN_INVALID", "this page token belongs to another limit")
        return cursor, paging.page_size(int(kept))

    def _next(self, body: Json, call: Call, size: int, cursor: str) -> str:
        return paging.page_token(f"{size}:{cursor}", *self._bound(body, call)) if cursor else ""

    def _bound(self, body: Json, call: Call) -> tuple[str, ...]:
        """Bind a page token to the caller, the rules, and all that the request looks for."""
        more = entities.optional(body, "page", "").get("properties")
        asked = json.dumps([*(body.get(key) for key in _ENTITIES), more], sort_keys=True)
        return call.method, call.who(), self._means.rulebook.digest, asked

    # --- what both stand on --------------------------------------------------------------------

    async def _asked(
        self, evaluations: Sequence[Evaluation | Fault], call: Call
    ) -> list[CheckRequest | Fault]:
        """Make the requests; NOT_FOUND for a recipient that is not registered under its type."""
        known = await self._recipients(
            {each.subject.id for each in evaluations if isinstance(each, Evaluation)}
        )
        service = self._only_service(call)

        def request(evaluation: Evaluation) -> CheckRequest:
            made = asking.asked(evaluation, service)
            subject = evaluation.subject
            if known.get(subject.id) != subject.type:
                raise not_found(f"{made.question.recipient} of this type")
            return made

        return [
            each if isinstance(each, Fault) else _tried(partial(request, each))
            for each in evaluations
        ]

    async def _registered(self, subject: Entity) -> bool:
        return (await self._recipients({subject.id})).get(subject.id) == subject.type

    async def _recipients(self, ids: Collection[str]) -> dict[str, str]:
        """Return the kind of each recipient that is registered, by the id as it was written."""
        names = {each: asking.recipient_name(each) for each in ids}
        found = await self._means.store.read(
            lambda records: {each: records.recipients.get(name) for each, name in names.items()}
        )
        return {each: recipient.kind for each, recipient in found.items() if recipient}

    def _only_service(self, call: Call) -> str:
        """Return the service of an app that is bound to one alone."""
        bound = self._apps.get(call.caller.name, frozenset())
        return next(iter(bound)) if len(bound) == 1 else ""

    async def _check(self, request: CheckRequest, call: Call) -> CheckResponse:
        try:
            return await self._decisions.check(request, call)
        except Fault as fault:
            raise asking.translated(fault) from fault

    async def _all(
        self, requests: Sequence[CheckRequest | Fault], call: Call
    ) -> list[CheckResponse | Fault]:
        """Ask as one batch what can be one, and by itself each that the batch is refused for.

        Where more than a few are, or a refusal names none, all that are left are asked singly.
        """
        answers: dict[int, CheckResponse | Fault] = {}
        ready: dict[int, CheckRequest] = {}
        for place, each in enumerate(requests):
            if isinstance(each, Fault):
                answers[place] = each
            else:
                ready[place] = each
        for _ in range(_MOST_REFUSED):
            if len(ready) <= 1 or not _alike([*ready.values()]):
                break
            first = next(iter(ready.values()))
            batch = decision_service_pb2.CheckBatchRequest(
                questions=[each.question for each in ready.values()],
                freshness=first.freshness,
                permit=first.permit,
            )
            try:
                responses = (await self._decisions.check_batch(batch, call)).responses
            except Fault as fault:
                refused = _refused_at(_of_item(fault), [*ready])
                if refused is None:
                    break
                answers[refused] = await self._one(ready.pop(refused), call)
            else:
                answers |= zip(ready, responses, strict=True)
                ready = {}
        singly = await asyncio.gather(*(self._one(each, call) for each in ready.values()))
        answers |= zip(ready, singly, strict=True)
        return [answers[place] for place in range(len(requests))]

    async def _one(self, request: CheckRequest, call: Call) -> CheckResponse | Fault:
        try:
            return await self._check(request, call)
        except Fault as fault:
            return _of_item(fault)

    def _answered(self, response: CheckResponse) -> dict[str, object]:
        return asking.answered(response, self._means.rulebook)


def _item(defaults: Json, item: object, at: str) -> Evaluation | Fault:
    return _tried(lambda: entities.evaluation(entities.overridden(defaults, item, at)))


def _tried(make: Callable[[], T]) -> T | Fault:
    """Return what is made, or the fault of the one evaluation that it is made for."""
    try:
        return make()
    except Fault as fault:
        return _of_item(fault)


def _alike(requests: Sequence[CheckRequest]) -> bool:
    one = requests[0]
    return all((each.freshness, each.permit) == (one.freshness, one.permit) for each in requests)


def _refused_at(fault: Fault, places: Sequence[int]) -> int | None:
    """Return the place of the question for which a batch is refused, if the refusal says it."""
    named = (_QUESTION.match(field) for field, _ in fault.violations)
    number = next((int(found[1]) for found in named if found), len(places))
    return places[number] if number < len(places) else None


def _of_item(fault: Fault) -> Fault:
    """Return a fault that concerns one evaluation; raise one that concerns them all."""
    status = http_status_of(fault)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _OURS:
        raise fault
    return fault


def _known(resource: Entity, region: str) -> bool:
    """Tell whether a resource can be searched; WRONG_REGION for a person of another home."""
    if resource.type != PERSON:
        return resource.type in asking.NAMED_BY
    account = asking.account_name(resource.id)
    try:
        home_of(account)
    except Fault:
        return False
    require_home(account, region, "resource.id")
    return True


def _subject(recipient: Recipient) -> Entity:
    return Entity(recipient.kind, asking.bare(recipient.name), {})


def _part(keys: Sequence[str], cursor: str, size: int) -> tuple[Sequence[str], str]:
    """Return the part of a list behind a position, and the position of what follows."""
    if cursor and not cursor.isdecimal():
        raise Fault("PAGE_TOKEN_INVALID", "this page token was not made here")
    begin = int(cursor or 0)
    end = begin + size
    return keys[begin:end], str(end) if end < len(keys) else ""


def _result(found: Mapping[str, object], decision: decision_pb2.Decision) -> dict[str, object]:
    """Return what was found, with its decision and what the holder of the data has to do."""
    own = found.get("properties")
    more = {"decision_id": decision.name, "token": decision.token}
    properties = {**own, **more} if isinstance(own, Mapping) else more
    return {**found, "properties": properties, "obligations": asking.obligations(decision)}


def _nothing() -> dict[str, object]:
    return {"page": {"next_token": "", "count": 0}, "results": []}
