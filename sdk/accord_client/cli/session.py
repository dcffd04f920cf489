"""What all commands share: the caller's profile, running a call, exit codes, output."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable, Coroutine, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any, Concatenate, TypeVar

import click
import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from accord_client.calls import Client
from accord_client.cli.paper import printable
from accord_client.failure import VerificationError
from accord_client.fault import Fault
from accord_client.profile import Profile, ProfileError, load_profile, load_settings

T = TypeVar("T")
C = TypeVar("C", bound=Client)


class Exit(IntEnum):
    """Exit codes, the same for every command."""

    OK = 0
    REFUSED = 1
    BAD_INPUT = 2
    UNAVAILABLE = 3
    NOT_ALLOWED = 4
    INTERNAL = 5


_EXIT_OF_CODE = {
    grpc.StatusCode.UNAVAILABLE: Exit.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: Exit.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Exit.UNAVAILABLE,
    grpc.StatusCode.CANCELLED: Exit.UNAVAILABLE,
    grpc.StatusCode.UNAUTHENTICATED: Exit.NOT_ALLOWED,
    grpc.StatusCode.PERMISSION_DENIED: Exit.NOT_ALLOWED,
    grpc.StatusCode.INTERNAL: Exit.INTERNAL,
    grpc.StatusCode.UNKNOWN: Exit.INTERNAL,
    grpc.StatusCode.DATA_LOSS: Exit.INTERNAL,
}


class Session:
    """One run of the command; the profile is read when a call first needs it."""

    def __init__(self, profile_file: Path | None, given: Mapping[str, str | None]) -> None:
        self._profile_file = profile_file
        self._given = given

    @property
    def profile(self) -> Profile:
        """The caller's profile; ends the command when it is incomplete."""
        try:
            return load_profile(self._profile_file, self._given)
        except ProfileError as error:
            raise Failure(Exit.BAD_INPUT, str(error)) from error

    def settings(self, *names: str) -> dict[str, Any]:
        """What of the profile is known; ends the command when one of ``names`` is not."""
        try:
            return load_settings(self._profile_file, self._given, names)
        except ProfileError as error:
            raise Failure(Exit.BAD_INPUT, str(error)) from error


class Failure(click.ClickException):
    """Ends the command with a sentence on the error stream and one of the exit codes."""

    def __init__(
        self, exit_code: Exit, message: str, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc] # click sets it per class
        # The command's context is gone by the time its failure is shown.
        context = click.get_current_context(silent=True)
        self._as_json = bool(context and context.params.get("as_json"))
        self._details = details or {}

    def show(self, file: Any = None) -> None:  # noqa: ANN401 -- click's signature
        """Prints the sentence, or with --json an object."""
        if self._as_json:
            click.echo(json.dumps({"error": self.message} | self._details), err=True, file=file)
        else:
            super().show(file)


def run(call: Callable[[], Coroutine[None, None, T]]) -> T:
    """Runs a call to the mesh to its end and turns what can go wrong into exit codes."""
    try:
        return asyncio.run(call())
    except ProfileError as error:
        raise Failure(Exit.BAD_INPUT, str(error)) from error
    except Fault as fault:
        exit_code = _EXIT_OF_CODE.get(fault.code, Exit.BAD_INPUT)
        violations = "".join(f"\n  {field}: {what}" for field, what in fault.violations)
        details = {"reason": fault.reason, "metadata": fault.metadata}
        nobody = exit_code == Exit.UNAVAILABLE and not fault.reason
        advice = "\n  Try again; if it lasts, see whether the profile's address is right." * nobody
        raise Failure(exit_code, f"{fault}{violations}{advice}", details) from fault


def refuse_unverified(error: VerificationError) -> Failure:
    """The failure of a verification, naming the obligation that was not met."""
    # The sentence quotes what was refused, and evidence comes from strangers.
    return Failure(
        Exit.REFUSED,
        f"NOT VERIFIED ({error.obligation}): {printable(str(error))}",
        {"obligation": error.obligation},
    )


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")


def emit_json(value: object) -> None:
    """Prints a value as JSON; messages become objects with the field names of the .proto."""
    click.echo(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


def plain(message: Message) -> dict[str, Any]:
    """A message as an object of JSON."""
    return MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _plain(value: Any) -> dict[str, Any]:  # noqa: ANN401 -- json's hook takes what it cannot print
    return plain(value)


def answered(
    client: type[C], show: Callable[[T], None]
) -> Callable[[Callable[Concatenate[C, ...], Coroutine[None, None, T]]], Callable[..., None]]:
    """Makes a command of what asks the mesh: it is called with an open client, and printed.

    ``show`` prints the answer for people; ``--json`` prints it as it is.
    """

    def made(ask: Callable[Concatenate[C, ...], Coroutine[None, None, T]]) -> Callable[..., None]:
        @json_option
        @click.pass_obj
        @functools.wraps(ask)
        def command(session: Session, /, *, as_json: bool, **given: Any) -> None:  # noqa: ANN401 -- what click parsed
            async def act() -> T:
                async with client.connect(session.profile) as opened:
                    return await ask(opened, **given)

            found = run(act)
            if as_json:
                emit_json(found)
            else:
                show(found)

        return command

    return made
