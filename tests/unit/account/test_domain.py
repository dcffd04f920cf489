"""The rules of account, without anything around them."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.fault import Fault
from services.account.domain import account, home, link, secret
from services.account.domain.link import Link
from services.account.domain.profile import Field, Import, Value, sane
from services.account.domain.provider import EmailAuthority, Provider
from services.account.domain.session import ABSOLUTE, IDLE, Session

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
# The same examples each time, and no haste on a busy machine.
patient = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
ACCOUNT = "accounts/nl-" + "0" * 26


def a_link(number: int, provider: str = "google", *imports: Import) -> Link:
    return Link(ACCOUNT, f"{number:026}", provider, "https://i", str(number), NOON, imports)


@patient
@given(st.sampled_from(sorted(home.COUNTRIES)))
def test_every_country_has_one_home(country: str) -> None:
    region = home.home_region(country)
    assert region in {"nl", "in", "ru", "sg"}
    home.require_home_of_country(country, region)
    for other in {"nl", "in", "ru", "sg"} - {region}:
        with pytest.raises(Fault) as refused:
            home.require_home_of_country(country, other)
        assert refused.value.metadata == {"region": region}


def test_homes_follow_the_notices() -> None:
    assert {c for c in home.COUNTRIES if home.home_region(c) == "in"} == {"IN"}
    assert {c for c in home.COUNTRIES if home.home_region(c) == "ru"} == {"RU"}
    in_nl = {c for c in home.COUNTRIES if home.home_region(c) == "nl"}
    assert len(in_nl) == 32  # 27 of the EU, 3 of the EEA, UK, CH
    assert {"NL", "GB", "CH", "NO", "IS", "LI"} <= in_nl
    assert home.home_region("HK") == home.home_region("TW") == "sg"
    assert len(home.COUNTRIES) == 249


@patient
@given(st.dates(date(1900, 1, 1), NOON.date()))
def test_birth_dates_are_read_as_written(born: date) -> None:
    assert account.birth_date(born.isoformat(), NOON.date()) == born


@patient
@given(st.text(max_size=12))
def test_nothing_else_is_a_birth_date(text: str) -> None:
    try:
        born = account.birth_date(text, NOON.date())
    except Fault as fault:
        assert fault.reason == "INVALID_FIELD"  # noqa: PT017  either outcome is right
    else:
        assert born is not None
        assert born.isoformat() == text


def test_no_birth_date_is_no_mistake() -> None:
    assert account.birth_date(None, NOON.date()) is None


@patient
@given(st.text())
def test_only_what_could_be_a_secret_is_looked_for(text: str) -> None:
    assert not secret.well_formed(text) or len(text) == 43
    assert secret.well_formed(secret.new_secret())


@patient
@given(
    st.lists(st.sampled_from(["google", "facebook", "retired"]), min_size=1, max_size=5),
    st.data(),
)
def test_the_last_door_stays_open(providers: list[str], data: st.DataObject) -> None:
    """Whatever is unlinked in whatever order, a way to sign in that is on offer remains."""
    offered = frozenset({"google", "facebook"})
    links = [a_link(number, provider) for number, provider in enumerate(providers)]
    open_before = any(item.provider in offered for item in links)
    for _ in range(len(links)):
        chosen = data.draw(st.sampled_from(links))
        try:
            link.require_another_sign_in(chosen, links, offered)
        except Fault as fault:
            assert fault.reason == "LAST_SIGN_IN"  # noqa: PT017  either outcome is right
            continue
        links.remove(chosen)
        assert any(item.provider in offered for item in links)
    assert links
    assert any(item.provider in offered for item in links) == open_before


@patient
@given(st.lists(st.tuples(st.sampled_from(list(Field)), st.integers(0, 9)), max_size=8))
def test_the_profile_shows_the_latest_import_and_unlinking_brings_the_earlier_back(
    imported: list[tuple[Field, int]],
) -> None:
    links = [
        a_link(
            number,
            f"p{number}",
            Import(Value(field, f"v{number}", False), f"p{number}", NOON + timedelta(hours=hour)),
        )
        for number, (field, hour) in enumerate(imported)
    ]
    shown = {item.value.field: item for item in link.profile(links)}
    assert set(shown) == {field for field, _ in imported}
    for item in shown.values():
        of_field = [i for one in links for i in one.imports if i.value.field is item.value.field]
        assert item.time == max(i.time for i in of_field)
        without = [one for one in links if item not in one.imports]
        back = {i.value.field: i for i in link.profile(without)}.get(item.value.field)
        assert (back is None) == (len(of_field) == 1)


JUNK = st.none() | st.booleans() | st.integers() | st.text(max_size=2000) | st.lists(st.text())


@patient
@given(st.sampled_from(list(Field)), JUNK)
def test_a_claim_becomes_a_printable_value_or_nothing(field: Field, claim: object) -> None:
    for value in sane(field, claim, verified=True):
        assert value.text.isprintable()
        assert 0 < len(value.text) <= 1024


@pytest.mark.parametrize(
    ("field", "claim"),
    [
        (Field.PICTURE, "javascript:alert(1)"),
        (Field.PICTURE, "http://example.org/a.png"),
        (Field.PICTURE, "data:text/html,x"),
        (Field.EMAIL, "no address"),
        (Field.NICKNAME, "  "),
        (Field.NICKNAME, "right\u202eleft"),
        (Field.NICKNAME, "x" * 1025),
    ],
)
def test_claims_that_could_harm_are_no_values(field: Field, claim: str) -> None:
    assert sane(field, claim, verified=False) == ()


@pytest.mark.parametrize(
    ("email", "verified", "hosted_domain", "vouched"),
    [
        ("anna@gmail.com", True, None, True),
        ("ANNA@GMAIL.COM", True, None, True),
        ("anna@gmail.com", "true", None, False),  # a string is not what Google says
        ("anna@gmail.com", False, None, False),
        ("anna@gmail.com", None, None, False),
        ("anna@gmail.com.evil.example", True, None, False),
        ("anna@evil.example@gmail.com", True, None, False),
        ("anna@gmail.com@evil.example", True, None, False),
        ("@gmail.com", True, None, False),
        ("pieter@bakker.example", True, "bakker.example", True),
        ("pieter@bakker.example", True, "other.example", False),
        ("pieter@bakker.example", True, None, False),
        (None, True, None, False),
        (["anna@gmail.com"], True, None, False),
    ],
)
def test_an_email_is_verified_only_by_who_runs_the_mailbox(
    email: object, verified: object, hosted_domain: object, vouched: bool
) -> None:
    google = EmailAuthority(frozenset({"gmail.com"}), hosted=True)
    assert google.vouches(email, verified=verified, hosted_domain=hosted_domain) is vouched


@patient
@given(st.timedeltas(timedelta(0), 2 * ABSOLUTE), st.timedeltas(timedelta(0), 2 * ABSOLUTE))
def test_a_session_ends_when_idle_or_old(seen_after: timedelta, asked_after: timedelta) -> None:
    session = Session(b"", ACCOUNT, "", NOON, NOON + seen_after)
    asked = NOON + seen_after + asked_after
    assert session.valid(asked) == (asked_after < IDLE and seen_after + asked_after < ABSOLUTE)


def test_a_provider_is_on_offer_where_the_data_says() -> None:
    def provider(only_in: frozenset[str] | None, not_in: frozenset[str]) -> Provider:
        return Provider("p", "P", "https://p", (), only_in, not_in)

    assert provider(None, frozenset()).offered_in("NL")
    assert not provider(None, frozenset({"NL"})).offered_in("NL")
    assert not provider(frozenset({"DE"}), frozenset()).offered_in("NL")
    assert provider(frozenset({"NL"}), frozenset()).offered_in("NL")


@pytest.mark.parametrize(
    "end", ["", "/links", "/links/", "/links/../x", "/links/" + "A" * 26, "/links/" + "0" * 27]
)
def test_a_link_has_one_form_of_name(end: str) -> None:
    with pytest.raises(Fault):
        link.split_name(ACCOUNT + end)
