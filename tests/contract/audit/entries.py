"""An entry as a producer sends it, and every way in which a member of one is malformed."""

from collections.abc import Sequence

from accord.audit.v1 import append_service_pb2 as append_pb
from accord.audit.v1.entry_pb2 import Decision, EventSection, Field
from accord.audit.v1.event_pb2 import EVENT_NAME_ACCOUNT_LINK_ADD
from google.protobuf.timestamp_pb2 import Timestamp

from runtime.testing import NOON
from tests.contract.audit.log import PERSON


def event_id(number: int) -> str:
    """A UUID of version 7."""
    return f"01900000000070008{number:015x}"


def entry(sequence: int = 1, **changes: object) -> append_pb.NewEntry:
    """A well-formed entry, with changes."""
    stamp = Timestamp()
    stamp.FromDatetime(NOON)
    values: dict[str, object] = {
        "sequence": sequence,
        "event_id": event_id(sequence),
        "event": EVENT_NAME_ACCOUNT_LINK_ADD,
        "outcome": "success",
        "event_time": stamp,
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "span_id": "b7ad6b7169203331",
        "trace_flags": 1,
        "account": PERSON,
        "actor": PERSON,
        "resource": "links/google",
        "fields": [Field(name="provider", value="google")],
    }
    return append_pb.NewEntry(**values | changes)  # type: ignore[arg-type]  # protobuf checks them


MALFORMED: Sequence[tuple[str, object]] = [
    ("sequence", 0),
    ("sequence", 2**63),
    ("event_id", ""),
    ("event_id", "A" * 32),
    ("event_id", "0" * 31),
    ("event_id", "0" * 32),  # a UUID, of no version
    ("event_id", f"{1:032x}"),
    ("event", 0),
    ("event", 999),
    ("event", -1),
    ("outcome", ""),
    ("outcome", "SUCCESS"),
    ("outcome", "a" * 33),
    ("event_time", None),
    ("event_time", Timestamp(seconds=2**62)),
    ("event_time", Timestamp(nanos=-1)),
    ("trace_id", "0" * 32),
    ("trace_id", "0af7"),
    ("trace_id", ""),
    ("span_id", "0" * 16),
    ("span_id", "xyz"),
    ("trace_flags", 0x200),  # whether the parent is remote, without that it is known
    ("trace_flags", 0x401),
    ("trace_state", "a=1\n"),
    ("trace_state", "a" * 513),
    ("account", "a" * 201),
    ("account", "@organisation"),
    ("actor", "@organisation"),
    ("actor", "é" * 201),
    ("resource", "r" * 401),
    ("on_behalf_of", PERSON),  # the actor
    ("on_behalf_of", "@organisation"),
    ("on_behalf_of", "a" * 401),
    ("app", "mi-store"),
    ("app", "staff/officer"),
    ("app", "app/" + "a" * 64),
    ("app", "app/mi-store\n"),
    ("recipients", [""]),
    ("recipients", ["a" * 401]),
    ("recipients", ["a\nb"]),
    ("recipients", ["a", "a"]),
    ("recipients", [f"r{n}" for n in range(1025)]),
    ("contracts", ["\x7f"]),
    ("decision", Decision(name="a" * 401)),
    ("decision", Decision(outcome="permit")),
    ("decision", Decision(reasons=["NO_CONTRACT", "no contract"])),
    ("decision", Decision(reasons=["A"] * 65)),
    ("decision", Decision(citations=["GDPR 6\nGDPR 7"])),
    ("decision", Decision(citations=[""])),
    ("decision", Decision(rulebook_digest="a" * 129)),
    ("fields", [Field(name="", value="")]),
    ("fields", [Field(name="@account", value="")]),
    ("fields", [Field(name="a" * 65, value="")]),
    ("fields", [Field(name="a", value="1"), Field(name="a", value="2")]),
    ("fields", [Field(name=f"f{n}") for n in range(1025)]),
    ("sections", [EventSection()]),
    ("sections", [EventSection(account="@organisation")]),
    ("sections", [EventSection(account="a" * 201)]),
    ("sections", [EventSection(account="a", fields=[Field(name="É")])]),
    ("sections", [EventSection(account="a", fields=[Field(name="a"), Field(name="a")])]),
    ("sections", [EventSection(account="a") for _ in range(1025)]),
]
