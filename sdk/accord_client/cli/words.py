"""Values of the wire as people read and write them: words of enums, moments."""

from __future__ import annotations

from typing import Protocol, TypeVar, cast

import click
from google.protobuf.timestamp_pb2 import Timestamp

Value = TypeVar("Value", bound=int)


class Enum(Protocol[Value]):
    """An enum of the generated code; its first value is ``…_UNSPECIFIED``."""

    def Name(self, number: Value) -> str:  # noqa: N802 -- protobuf's name
        """What a value is called."""

    def keys(self) -> list[str]:
        """What all are called."""

    def values(self) -> list[Value]:
        """All values."""


def word(enum: Enum[Value], value: Value) -> str:
    """CONTRACT_STATE_UNDER_REVIEW → under review."""
    prefix = enum.keys()[0].removesuffix("UNSPECIFIED")
    return enum.Name(value).removeprefix(prefix).lower().replace("_", " ")


class OneOf(click.Choice[Value]):
    """A choice of an enum's values, by their words: legal_claim → HOLD_KIND_LEGAL_CLAIM."""

    def __init__(self, enum: Enum[Value]) -> None:
        self._enum = enum
        super().__init__(enum.values()[1:])

    def normalize_choice(self, choice: object, ctx: click.Context | None) -> str:
        """What is written for a value; what was written stays."""
        named = choice if isinstance(choice, str) else word(self._enum, cast("Value", choice))
        return super().normalize_choice(named.replace(" ", "_"), ctx)


def moment(stamp: Timestamp, timespec: str = "seconds") -> str:
    """A moment in UTC; empty for none."""
    return f"{stamp.ToDatetime().isoformat(timespec=timespec)}Z" if stamp.seconds else ""
