"""The map: who is closest to the data comes first, and the table leaves nobody out."""

from __future__ import annotations

from datetime import UTC, date, datetime

from services.portal.domain.reach import (
    MOST_LINES,
    Hold,
    Holding,
    Prospect,
    Reached,
    draw,
)
from services.portal.domain.sharing import Basis, Ground, Recipient

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
GROUND = Ground(
    ("contact.email", "order.details"), "mi-store@2025-05-20 §4.1.2", Basis.CONTRACT, ""
)


def recipient(name: str) -> Recipient:
    return Recipient(f"recipients/{name.lower()}", name, "affiliate", "DE", NOON)


def holding(*, disclosed: bool) -> Holding:
    return Holding(
        "delivery", ("contact.phone",), disclosed, NOON, NOON, "decisions/nl-1", [GROUND]
    )


def prospect(service: str = "mi_store", until: date | None = None) -> Prospect:
    return Prospect("invoicing", service, [GROUND], until, True, False, False)


def test_the_closest_come_first_and_then_by_name() -> None:
    drawn = draw(
        [
            Reached(recipient("Zoo"), (), [prospect()]),
            Reached(recipient("Bank"), [holding(disclosed=False)], ()),
            Reached(recipient("ant"), (), [prospect()]),
            Reached(recipient("Post"), [holding(disclosed=True)], [prospect()]),
        ],
        more=False,
    )
    assert [each.recipient.display_name for each in drawn.drawn] == ["Post", "Bank", "ant", "Zoo"]
    assert [each.hold for each in drawn.drawn] == [
        Hold.SENT,
        Hold.PERMITTED,
        Hold.POSSIBLE,
        Hold.POSSIBLE,
    ]
    assert [(use.recipient.display_name, use.hold) for use in drawn.uses[:3]] == [
        ("Post", Hold.SENT),
        ("Post", Hold.POSSIBLE),
        ("Bank", Hold.PERMITTED),
    ]


def test_the_picture_says_which_groups_of_data_are_had_before_what_could_be() -> None:
    assert Reached(recipient("A"), [holding(disclosed=True)], [prospect()]).groups == ["contact"]
    assert Reached(recipient("A"), (), [prospect()]).groups == ["contact", "order"]


def test_services_that_could_share_the_same_are_one_line() -> None:
    end = date(2026, 12, 31)
    several = [prospect(), prospect("mi_com"), prospect("live_chat", end)]
    ending, lasting = draw([Reached(recipient("A"), (), several)], more=True).uses
    assert (list(ending.services), ending.until) == (["live_chat"], end)
    assert (list(lasting.services), lasting.until) == (["mi_store", "mi_com"], None)
    assert lasting.assumed == ["relation"]
    assert lasting.citations == ["mi-store@2025-05-20 §4.1.2"]
    assert lasting.bases == ["contract"]


def test_more_than_can_be_drawn_stand_in_the_table_alone() -> None:
    many = [Reached(recipient(f"R{n:02}"), (), [prospect()]) for n in range(MOST_LINES + 3)]
    drawn = draw(many, more=False)
    assert (len(drawn.drawn), drawn.left_out, len(drawn.uses)) == (MOST_LINES, 3, MOST_LINES + 3)
