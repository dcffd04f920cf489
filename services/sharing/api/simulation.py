"""What-if questions on the wire."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from threading import Lock

from accord.sharing.v1 import analysis_service_pb2 as pb
from accord.sharing.v1 import simulation_pb2

from runtime.fault import Fault, invalid
from services.sharing.api import decoding, encoding, fields, terms
from services.sharing.cases.means import Means
from services.sharing.cases.simulate import Plan, Progress, Sample
from services.sharing.domain import whatif
from services.sharing.domain.admission import (
    RECIPIENT_PREFIX,
    check_country,
    check_recipient_scope,
    check_terms,
)
from services.sharing.domain.decision import Decision
from services.sharing.domain.question import Answer
from services.sharing.domain.rulebook import Rulebook, RulebookError

_USUAL, _MOST = 500, 5000
_MOST_FILES, _MOST_BYTES = 64, 512 * 1024
# In all no more than a trailer of 8 KiB takes: it is encoded, and the first stands in it twice.
_MAX_PATH, _MAX_MESSAGE, _MAX_FIRST, _MAX_PROBLEMS = 120, 300, 80, 4096
# A draft is compiled for seconds, with the interpreter that decisions need: one at a time.
COMPILING = Lock()
_RETRY_AFTER = timedelta(seconds=2)


def sample(request: pb.SimulateRequest) -> Sample:
    """Read which decisions to replay."""
    if request.sample_size < 0 or request.seed < 0:
        raise invalid("sample_size" if request.sample_size < 0 else "seed", "must not be negative")
    since = None
    if request.HasField("since_time"):
        if not request.seed:
            raise invalid("since_time", "goes with a seed; without one the newest are replayed")
        since = fields.moment("since_time", request.since_time)
    return Sample(min(request.sample_size or _USUAL, _MOST), request.seed, since)


async def plan(request: pb.SimulateRequest, means: Means) -> Plan:
    """Read what would be otherwise; INVALID_FIELD for what no rule could read."""
    fields.required("change", request, "change")
    now = means.clock.now()
    moment = fields.moment("moment", request.moment) if request.HasField("moment") else now
    if moment < now:
        raise invalid("moment", "must not be in the past")
    change, same = request.change, means.rulebook
    match change.WhichOneof("change"):
        case "rulebook":
            # Parsing takes a while: beside the loop, so that decisions do not wait for it.
            draft = await asyncio.to_thread(_draft, change.rulebook, means)
            return Plan("rulebook", draft, whatif.nothing, moment)
        case "contract_ended":
            name = fields.name("change.contract_ended", change.contract_ended, "contracts")
            return Plan("contract_ended", same, whatif.contract_ended(name), moment, [name])
        case "contract":
            return _contract(change.contract, means, moment)
        case "consents_withdrawn":
            return _consents(change.consents_withdrawn, means, moment)
        case "recipient_moved":
            moved = change.recipient_moved
            name = fields.name("change.recipient_moved.recipient", moved.recipient, "recipients")
            country = fields.country(moved.jurisdiction)
            check_country("change.recipient_moved.jurisdiction", country, same)
            moving = whatif.recipient_moved(name, country)
            return Plan("recipient_moved", same, moving, moment, [name])
        case _:
            raise invalid("change", "exactly one is needed")


def _draft(message: simulation_pb2.RulebookDraft, means: Means) -> Rulebook:
    files = {
        fields.text("change.rulebook.files.path", file.path, _MAX_PATH, 1): file.content
        for file in message.files[: _MOST_FILES + 1]
    }
    if not 1 <= len(message.files) <= _MOST_FILES or len(files) != len(message.files):
        raise invalid("change.rulebook.files", f"1 to {_MOST_FILES} files, each once")
    if sum(map(len, files.values())) > _MOST_BYTES:
        raise invalid("change.rulebook.files", f"at most {_MOST_BYTES} bytes")
    # Not awaited: who gives up waiting leaves a thread that compiles on.
    if not COMPILING.acquire(blocking=False):
        raise Fault("OVERLOADED", "another draft is being compiled", retry_after=_RETRY_AFTER)
    try:
        return means.compile(files, amends=message.amends)
    except RulebookError as error:
        problems = [*_fitting(str(error).splitlines())]
        raise Fault(
            "INVALID_FIELD",
            f"change.rulebook: {problems[0][:_MAX_FIRST]}",
            metadata={"field": "change.rulebook"},
            violations=[("change.rulebook", each) for each in problems],
        ) from error
    finally:
        COMPILING.release()


def _fitting(problems: Iterable[str]) -> Iterator[str]:
    """Yield the first problems, each cut, of _MAX_PROBLEMS bytes in all."""
    left = _MAX_PROBLEMS
    for problem in problems:
        cut = problem[:_MAX_MESSAGE]
        left -= len(cut.encode())
        if left < 0:
            return
        yield cut


def _contract(message: simulation_pb2.ContractDraft, means: Means, moment: datetime) -> Plan:
    fields.required("change.contract.terms", message, "terms")
    names = [fields.name("change.contract.recipient", message.recipient, "recipients")]
    if message.replaces:
        names.append(fields.name("change.contract.replaces", message.replaces, "contracts"))
    agreed = terms.decode(message.terms)
    check_terms(agreed, means.rulebook)
    change = whatif.contract_drafted(message.recipient, agreed, message.replaces)
    return Plan("contract", means.rulebook, change, moment, names)


def _consents(message: simulation_pb2.ConsentsWithdrawn, means: Means, moment: datetime) -> Plan:
    at = "change.consents_withdrawn"
    if not message.purpose and not message.recipient:
        raise invalid(at, "a purpose or a recipient is needed")
    if message.purpose and message.purpose not in means.rulebook.purposes:
        raise invalid(f"{at}.purpose", "unknown key")
    names = []
    if message.recipient:
        decoding.recipient_scope(f"{at}.recipient", message.recipient)
        check_recipient_scope(f"{at}.recipient", message.recipient, means.rulebook)
        if message.recipient.startswith(RECIPIENT_PREFIX):
            names.append(message.recipient)
    change = whatif.consents_withdrawn(message.purpose, message.recipient, moment)
    return Plan("consents_withdrawn", means.rulebook, change, moment, names)


def progress(value: Progress, changed: int, digest: str) -> pb.SimulateResponse:
    """Encode how far a replay is."""
    return pb.SimulateResponse(
        progress=simulation_pb2.SimulationProgress(
            replayed=value.replayed,
            sampled=value.sampled,
            changed=changed,
            done=value.done,
            draft_digest=digest,
        )
    )


def flow(decision: Decision, replay: whatif.Replay) -> pb.SimulateResponse:
    """Encode a flow that would be answered otherwise, without whose data it is."""
    question = decision.question
    return pb.SimulateResponse(
        flow=simulation_pb2.ChangedFlow(
            decision=decision.name,
            service=question.service,
            recipient=question.recipient,
            purpose=question.purpose,
            categories=question.categories,
            before=_answer(replay.before),
            after=_answer(replay.after) if replay.after else simulation_pb2.SimulatedAnswer(),
        )
    )


def _answer(value: Answer) -> simulation_pb2.SimulatedAnswer:
    return simulation_pb2.SimulatedAnswer(
        outcome=encoding.OUTCOMES[value.outcome],
        reasons=[encoding.reason(found) for found in value.findings],
        permitted_categories=value.permitted_categories,
        obligations=[encoding.OBLIGATIONS[duty] for duty in value.obligations],
        citations=dict.fromkeys(ground.citation for ground in value.grounds),
    )
