"""Does the steps of a scenario, through the calls that people, officers and account make."""

import uuid
from typing import Any

from accord.sharing.v1 import (
    consent_pb2,
    consent_service_pb2,
    consent_service_pb2_grpc,
    contract_pb2,
    contract_service_pb2,
    contract_service_pb2_grpc,
    preference_pb2,
    preference_service_pb2,
    preference_service_pb2_grpc,
    subject_pb2,
    subject_service_pb2,
    subject_service_pb2_grpc,
)
from google.protobuf.message import Message

from runtime.fault import Fault, not_found
from sandbox.scenarios.given import numbered
from sandbox.scenarios.stage import Stage
from sandbox.scenarios.steps import Step

_CONSENTS = consent_service_pb2_grpc.ConsentServiceStub
_CONTRACTS = contract_service_pb2_grpc.ContractServiceStub
_PREFERENCES = preference_service_pb2_grpc.PreferenceServiceStub
_SUBJECTS = subject_service_pb2_grpc.SubjectServiceStub
# Two members of staff: who hands in, and who puts in force. Neither wrote what was loaded.
_FIRST, _SECOND = "staff/officer/first", "staff/officer/second"
_DRAFT = contract_pb2.CONTRACT_STATE_DRAFT
_REVIEWED = contract_pb2.CONTRACT_STATE_UNDER_REVIEW
# Where a step of a contract ends up, and how from where it is not one call away: what one officer
# hands in another puts in force, and only what is in force is suspended.
_MOVES: dict[str, tuple[int, dict[int, tuple[str, ...]]]] = {
    "activate": (contract_pb2.CONTRACT_STATE_ACTIVE, {_DRAFT: ("submit", "activate")}),
    "suspend": (
        contract_pb2.CONTRACT_STATE_SUSPENDED,
        {_DRAFT: ("submit", "activate", "suspend"), _REVIEWED: ("activate", "suspend")},
    ),
    "terminate": (contract_pb2.CONTRACT_STATE_TERMINATED, {}),
}
_NOTICE = "mi-store@2025-05-20"  # shown to whoever answers; no rule reads it


async def do(stage: Stage, step: Step) -> None:
    """Do a step in a region; the service's Fault when it refuses."""
    match step.verb:
        case "give" | "refuse":
            await _answer(stage, step)
        case "withdraw":
            await _withdraw(stage, step)
        case "opt_out" | "object" | "stop_sharing":
            await _choose(stage, step)
        case "lift":
            await _lift(stage, step)
        case "activate" | "suspend" | "terminate":
            await _move(stage, step)
        case _:
            await _tell(stage, step)


async def _answer(stage: Stage, step: Step) -> None:
    """Let the person answer in the portal."""
    pb = consent_service_pb2
    if step.verb == "refuse":
        refusal = pb.RefuseConsentRequest(
            request_id=_id(), scope=step.scope, notice=_NOTICE, language="en"
        )
        answer = await _by_person(stage, step, _CONSENTS, "RefuseConsent", refusal)
    else:
        consent = pb.GiveConsentRequest(
            request_id=_id(), scope=step.scope, notice=_NOTICE, language="en"
        )
        if step.expires:
            consent.expire_time.FromDatetime(step.expires)
        answer = await _given(stage, step, consent)
    stage.consents[_number(step)] = answer.consent.name


async def _given(
    stage: Stage, step: Step, request: consent_service_pb2.GiveConsentRequest
) -> consent_service_pb2.GiveConsentResponse:
    """Give a consent; for a minor as it may be given, so that the yes stands as the file says.

    What nobody may give for a minor is given before account tells the age, as it may have been.
    """
    give = "GiveConsent"
    try:
        return await _by_person(stage, step, _CONSENTS, give, request)  # type: ignore[no-any-return]  # stubs have no types
    except Fault as fault:
        if fault.reason not in {"GUARDIAN_REQUIRED", "NOT_FOR_MINORS"}:
            raise
        refused = fault.reason
    if refused == "GUARDIAN_REQUIRED":
        request.indication.indicator = consent_pb2.INDICATOR_GUARDIAN
        request.indication.name = "scenario"
        return await _by_person(stage, step, _CONSENTS, give, request)  # type: ignore[no-any-return]  # the same
    known = stage.subjects[step.account]
    born = known.birth_date
    await _put(stage, known, birth_date="")
    try:
        return await _by_person(stage, step, _CONSENTS, give, request)  # type: ignore[no-any-return]  # the same
    finally:
        await _put(stage, known, birth_date=born)


async def _withdraw(stage: Stage, step: Step) -> None:
    name = stage.consents.get(_number(step))
    if name is None:  # of a later date than what this service knows
        return
    request = consent_service_pb2.WithdrawConsentRequest(request_id=_id(), name=name)
    await _by_person(stage, step, _CONSENTS, "WithdrawConsent", request)


async def _choose(stage: Stage, step: Step) -> None:
    kind, value = step.choice
    pb = preference_service_pb2
    if kind == "opt_out":
        choice = preference_pb2.OptOutChoice.Value(f"OPT_OUT_CHOICE_{value.upper()}")
        opt_out = pb.OptOutRequest(request_id=_id(), choice=choice)
        await _by_person(stage, step, _PREFERENCES, "OptOut", opt_out)
    elif kind == "object_to":
        objection = pb.ObjectRequest(request_id=_id(), purpose=value)
        try:
            await _by_person(stage, step, _PREFERENCES, "Object", objection)
        except Fault as fault:
            # To what rests on no legitimate interest; the rules read no such objection.
            if fault.reason != "INVALID_FIELD":
                raise
    else:
        stop = pb.StopSharingRequest(request_id=_id(), recipient=value)
        await _by_person(stage, step, _PREFERENCES, "StopSharing", stop)


async def _lift(stage: Stage, step: Step) -> None:
    """Let the person lift the choice, as often as it stands."""
    pb = preference_service_pb2
    listed = await _by_person(
        stage, step, _PREFERENCES, "ListPreferences", pb.ListPreferencesRequest(page_size=200)
    )
    for known in listed.preferences:
        if _choice_of(known) == step.choice and not known.HasField("lift_time"):
            request = pb.LiftRequest(request_id=_id(), name=known.name)
            await _by_person(stage, step, _PREFERENCES, "Lift", request)


async def _move(stage: Stage, step: Step) -> None:
    """Let officers move a contract on until it stands as the step says; it may already."""
    pb = contract_service_pb2
    name, (wanted, moves) = step.contract, _MOVES[step.verb]
    found = await stage.call(
        _CONTRACTS, "GetContract", pb.GetContractRequest(name=name), as_=_FIRST
    )
    state, version = found.contract.state, found.contract.version
    if state == wanted:
        return
    for move in moves.get(state, (step.verb,)):
        match move:
            case "submit":
                submit = pb.SubmitContractRequest(request_id=_id(), name=name, version=version)
                await stage.call(_CONTRACTS, "SubmitContract", submit, as_=_FIRST)
            case "activate":
                activate = pb.ActivateContractRequest(request_id=_id(), name=name, version=version)
                await stage.call(_CONTRACTS, "ActivateContract", activate, as_=_SECOND)
            case "suspend":
                suspend = pb.SuspendContractRequest(request_id=_id(), name=name)
                await stage.call(_CONTRACTS, "SuspendContract", suspend, as_=_FIRST)
            case _:
                terminate = pb.TerminateContractRequest(request_id=_id(), name=name)
                await stage.call(_CONTRACTS, "TerminateContract", terminate, as_=_FIRST)


async def _tell(stage: Stage, step: Step) -> None:
    """Let account tell sharing of a new version of the subject."""
    known = stage.subjects.get(step.account)
    if known is None:
        raise not_found(step.account)
    deleted = subject_pb2.SUBJECT_STATUS_DELETED
    if known.status == deleted != step.status:
        raise Fault("WRONG_STATE", "this account is deleted for good")
    if step.verb == "restrict":
        stage.restricted.add(step.account)
    # Whoever unfreezes an account has not lifted its restriction.
    stays = step.verb == "unfreeze" and step.account in stage.restricted
    known.status = subject_pb2.SUBJECT_STATUS_RESTRICTED if stays else step.status
    await _put(stage, known, birth_date=known.birth_date)


async def _put(stage: Stage, known: subject_pb2.Subject, *, birth_date: str) -> None:
    """Let account tell a new version, with that date of birth."""
    known.birth_date = birth_date
    known.version += 1
    request = subject_service_pb2.PutSubjectRequest(subject=known)
    await stage.call(_SUBJECTS, "PutSubject", request, as_="svc/account")


async def _by_person(
    stage: Stage,
    step: Step,
    stub: Any,  # noqa: ANN401  the generated stub class
    method: str,
    request: Message,
) -> Any:  # noqa: ANN401  the method's response
    return await stage.call(stub, method, request, as_="svc/portal", person=step.account)


def _choice_of(preference: preference_pb2.Preference) -> tuple[str, str]:
    if preference.opt_out:
        word = preference_pb2.OptOutChoice.Name(preference.opt_out)
        return "opt_out", word.removeprefix("OPT_OUT_CHOICE_").lower()
    if preference.object_to:
        return "object_to", preference.object_to
    if preference.stop_sharing_with:
        return "stop_sharing_with", preference.stop_sharing_with
    return "accepted_notice", preference.accepted_notice


def _number(step: Step) -> str:
    return numbered(step.account, "consents", step.consent)


def _id() -> str:
    return str(uuid.uuid4())
