"""`accord` for officers, beside contracts: files, the calendar, legal instruments, notices."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from accord_client.cli import cli
from accord_client.cli.session import Exit
from click.testing import CliRunner

from sandbox.mesh import Mesh
from tests.mesh.people import Person
from tests.mesh.records import agree
from tests.mesh.test_command import accord, answer

FILE = """\
contracts:
  - recipient: recipients/freight
    purposes: [delivery]
    categories: [contact]
    origins: [NL]
    destinations: [DE]
    effective: 2026-01-01
    expires: 2099-12-31
    safeguards: [scc]
    safeguard_details: [{safeguard: scc, scc_module: 2, reference: 2021/914}]
"""


def test_contracts_go_out_and_in_as_a_file(region: Mesh, tmp_path: Path) -> None:
    given = ("--kind", "service_provider.delivery", "--jurisdiction", "DE", "--name", "Freight")
    answer(region, "officer", "recipients", "create", "freight", *given)
    file, out = tmp_path / "contracts.yaml", tmp_path / "out.yaml"
    file.write_text(FILE)
    (made,) = answer(region, "officer", "contracts", "import", str(file))
    assert made["state"] == "CONTRACT_STATE_DRAFT"  # four eyes are still to come
    again = accord(region, "officer", "contracts", "import", str(file))
    assert made["name"] in again.stdout  # the same content, the same request
    only = ("--recipient", "recipients/freight")
    accord(region, "officer", "contracts", "export", str(out), *only)
    (same,) = answer(region, "officer", "contracts", "import", str(out))
    assert same["name"] == made["name"]
    written = accord(region, "auditor", "contracts", "export", *only).stdout
    assert written == out.read_text()

    file.write_text(FILE.replace("[contact]", "[shoes]"))
    wrong = accord(region, "officer", "contracts", "import", str(file), code=Exit.BAD_INPUT)
    assert f"{file}:2: terms.categories: unknown key" in wrong.stderr
    file.write_text(FILE.replace("purposes", "purpose"))
    wrong = accord(region, "officer", "contracts", "import", str(file), code=Exit.BAD_INPUT)
    assert f"{file}:3: purpose: unknown key" in wrong.stderr


def test_the_calendar_and_legal_instruments(region: Mesh, arjun: Person, tmp_path: Path) -> None:
    recipient = agree(region, "sprinters", "service_provider.delivery", "delivery", "contact")
    ends = answer(region, "auditor", "contracts", "expiries", "--days", "120")
    assert {"EXPIRY_KIND_TERM", "EXPIRY_KIND_DUE_DILIGENCE"} <= {
        end["kind"] for end in ends if end["recipient"] == recipient
    }
    assert "term" in accord(region, "officer", "contracts", "expiries", "--days", "120").stdout

    today = datetime.now(UTC).date()
    paper = tmp_path / "order.pdf"
    paper.write_bytes(b"order")
    said = (
        *("--kind", "warrant", "--issuer", "NL", "--authority", "OM", "--reference", "7"),
        *("--category", "order", "--on", str(today), "--expires", str(today + timedelta(days=9))),
        *("--document", str(paper), "--document-location", "archive/order.pdf"),
    )
    made = answer(region, "officer", "instruments", "create", arjun.account, *said)
    name = made["name"]
    alone = accord(region, "officer", "instruments", "activate", name, code=Exit.NOT_ALLOWED)
    assert "FOUR_EYES" in alone.stderr
    stem = region.material.home / "certificates" / "second-officer"
    as_olga = [
        *("--profile", str(region.material.profile("officer"))),
        *("--certificate-file", f"{stem}.crt", "--key-file", f"{stem}.key"),
    ]
    result = CliRunner().invoke(cli, [*as_olga, "instruments", "activate", name])
    assert result.exit_code == Exit.OK, result.output
    assert "warrant" in accord(region, "auditor", "instruments", "list").stdout
    shown = answer(region, "auditor", "instruments", "show", name)
    assert shown["state"] == "INSTRUMENT_STATE_ACTIVE"
    ended = accord(region, "officer", "instruments", "revoke", name, "--note", "quashed")
    assert "revoked" in ended.stdout
    assert "quashed" in ended.stdout


def test_a_consent_is_ended_in_the_place_of_its_person(region: Mesh, arjun: Person) -> None:
    path = "/sharing/offers/newsletter"
    for verb, state in (("revoke", "revoked"), ("invalidate", "invalidated")):
        form = arjun.browser.open(path).form(path)
        page = arjun.browser.submit(form, categories=["contact.email"], answer="yes")
        key = re.findall(r"/sharing/consents/([^/\"]+)/withdraw", page.html)[0]
        name = f"{arjun.account}/consents/{key}"
        accord(region, "officer", "consent", verb, name, code=Exit.BAD_INPUT)  # no reason
        why = ("--note", "found in a review")
        accord(region, "auditor", "consent", verb, name, *why, code=Exit.NOT_ALLOWED)
        assert state in accord(region, "officer", "consent", verb, name, *why).stdout
        again = answer(region, "officer", "consent", verb, name, *why)
        assert again["state"] == f"CONSENT_STATE_{state.upper()}"
    wrong = ("consent", "revoke", f"{arjun.account}/consents/none", *why)
    assert "NOT_FOUND" in accord(region, "officer", *wrong, code=Exit.BAD_INPUT).stderr


def test_notices_and_where_they_go(region: Mesh) -> None:
    agree(region, "walkers", "service_provider.delivery", "delivery", "contact")
    url = "https://127.0.0.1:9/notices"
    answer(region, "officer", "recipients", "endpoint", "recipients/walkers", "--set", url)
    text = accord(region, "auditor", "recipients", "endpoint", "recipients/walkers").stdout
    assert url in text
    inside = ("recipients", "endpoint", "recipients/walkers", "--set", "https://10.0.0.1/")
    accord(region, "officer", *inside, code=Exit.BAD_INPUT)
    assert answer(region, "auditor", "revocations", "list", "--overdue") == []
    unknown = ("revocations", "retry", "revocations/nl-nothing")
    wrong = accord(region, "officer", *unknown, code=Exit.BAD_INPUT)
    assert "NOT_FOUND" in wrong.stderr
