"""The tour: the main story of Accord, played on a running region through its public interfaces.

The portal over HTTPS like a browser, the Check method with the store's own certificate, the
`accord` command for staff and auditors. Nothing here looks behind them. Whatever does not come
out as the story says ends it with a TourError.
"""

import asyncio
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from accord.sharing.v1 import decision_pb2 as sharing
from accord.sharing.v1.reason_pb2 import Reason
from accord_client.clients import Sharing
from accord_client.profile import Profile, load_profile

from sandbox.browser import Browser, Page
from sandbox.mesh import Mesh
from sandbox.story import Story

_LOGGED_S = 20.0  # an entry is in the log within a second; a busy machine gets more
_PURPOSE = "the yearly review"  # of the auditor, for reading the log
_BIRTH_DATE = "1990-05-17"
_DELIVERY = ("contact.name", "contact.phone", "contact.address")


class TourError(Exception):
    """The story did not go as told; the message says where and what was seen instead."""


class Tour:
    """One playing of the story, with what its people remember from page to page."""

    def __init__(self, mesh: Mesh, story: Story) -> None:
        self._mesh = mesh
        self._story = story
        self._today = datetime.now(UTC).date()
        self.account = ""
        self.sign_up_trace = ""  # of the request that the auditor follows
        self._sign_ups: dict[str, str] = {}  # who signed up → trace of that request
        self._contracts: dict[str, str] = {}  # recipient → path of its page
        self.permit = sharing.Decision()

    def play(self) -> None:
        """Play it from the first page to the last proof."""
        with ExitStack() as stack:
            anna, officer, second, auditor = (
                stack.enter_context(Browser(self._mesh.portal, self._mesh.material.web_root))
                for _ in range(4)
            )
            self._sign_up(anna)
            self._link(anna)
            self._agree(officer, second)
            self._ask(anna, second)
            self._look(anna)
            self._audit(auditor)

    def _sign_up(self, anna: Browser) -> None:
        self._story.chapter("Anna, who lives in the Netherlands, signs up with Google")
        form = self._with_google(anna, anna.open("/"), "anna")
        self._expect(form.heading != "", "the sign-up form appears", form)
        self._story.tell("Google proves who she is. Accord proposes what to take over; she picks")
        self._story.tell("nickname and email, and leaves the picture with Google.")
        page = anna.submit(
            form.form("/sign-up"),
            country="NL",
            birth_date=_BIRTH_DATE,
            imports=["nickname", "email"],
            notice="yes",
        )
        self._sign_ups["Anna"] = page.trace_ids[0]
        found = re.search(r"accounts/nl-[0-9a-z]{26}", page.html)
        if found is None:
            raise TourError(f"no account on {page}")
        self.account = found[0]
        self._story.tell(f"Her account is {self.account}: born in the region nl, kept there.")

    def _link(self, anna: Browser) -> None:
        self._story.chapter("She links Facebook, and unlinks it again")
        page = anna.submit(anna.open("/account/link/facebook").form("/account/link/facebook"))
        page = anna.submit(page.form(), person="anna")
        self._expect("Facebook" in self._links(anna), "Facebook is linked", page)
        links = self._links(anna)
        self._story.tell(f"Accounts and permissions shows {' and '.join(sorted(links))}.")
        page = anna.open(links["Facebook"])
        page = anna.submit(page.form("/unlink"))
        self._expect(set(self._links(anna)) == {"Google"}, "Facebook is unlinked", page)
        self._story.tell("Facebook is unlinked. Google is now her last way in, and the page says:")
        page = anna.open(self._links(anna)["Google"])
        self._expect(
            not any(form.action.endswith("/unlink") for form in page.forms),
            "the last way to sign in offers no way to end it",
            page,
        )
        self._story.quote(page.heading)

    def _agree(self, officer: Browser, second: Browser) -> None:
        self._story.chapter("Two privacy officers record what was agreed with recipients")
        self._enrol(officer, "officer", "Pieter", "pieter")
        self._enrol(second, "officer", "Sofía", "sofia")
        for key, called, kind in (
            ("dhl", "DHL", "service_provider.delivery"),
            ("northlight", "Northlight Advertising", "service_provider.advertising"),
        ):
            page = officer.open("/officer/recipients")
            form = page.form("/officer/recipients")
            page = officer.submit(form, key=key, display_name=called, kind=kind, country="DE")
            self._expect(called in page.text, f"{called} is registered", page)
        self._story.tell("Pieter registers DHL and Northlight Advertising, both in Germany, and")
        self._story.tell("records a contract with each: due diligence, purposes, data, places.")
        self._record(officer, "dhl", ["delivery", "order_fulfilment"], ["contact", "order"])
        self._record(
            officer,
            "northlight",
            ["direct_marketing", "newsletter"],
            ["contact.email", "account.id"],
        )
        page = officer.open(self._contracts["dhl"])
        self._expect(
            not any(form.action.endswith("/activate") for form in page.forms),
            "its author cannot put a contract in force",
            page,
        )
        self._activate(second, "dhl")
        self._story.tell("Pieter cannot put his own work in force. Sofía reads DHL's contract and")
        self._story.tell("activates it; Northlight's she leaves under review.")

    def _ask(self, anna: Browser, second: Browser) -> None:
        self._story.chapter("The Mi Store backend asks before it shares")
        self._story.tell("May DHL have name, phone and address to deliver order 4711?")
        self.permit = self._check("dhl", "delivery", _DELIVERY, relation="order-4711")
        self._expect_outcome(self.permit, sharing.OUTCOME_PERMIT)
        citations = {ground.citation for ground in self.permit.grounds}
        if citations != {"mi-store@2025-05-20 §4.1.3"} or not self.permit.contract:
            raise TourError(f"a permit that cites {citations} and {self.permit.contract!r}")
        self._story.tell("May Northlight have her email for direct marketing?")
        self._expect_outcome(
            self._check("northlight", "direct_marketing", ["contact.email"]),
            sharing.OUTCOME_GAP,
            "CONSENT_MISSING",
            "CONTRACT_NOT_ACTIVE",
        )
        page = anna.open("/sharing/offers/advertising")
        form = page.form("/sharing/offers/advertising")
        recipient = "recipients/northlight"
        anna.submit(form, recipient=recipient, categories=["contact.email"], answer="yes")
        self._activate(second, "northlight")
        self._story.tell("Anna consents, for her email and Northlight alone. Sofía activates the")
        self._story.tell("contract. The same question again:")
        permit = self._check("northlight", "direct_marketing", ["contact.email"])
        self._expect_outcome(permit, sharing.OUTCOME_PERMIT)
        anna.submit(anna.open("/sharing").form("/withdraw"))
        self._story.tell("Anna withdraws, with one click. The same question, at once:")
        self._expect_outcome(
            self._check("northlight", "direct_marketing", ["contact.email"]),
            sharing.OUTCOME_DENY,
            "CONSENT_WITHDRAWN",
        )
        kept = self._decision(permit.name)
        if kept != permit:
            raise TourError(f"{permit.name} was changed by the withdrawal")
        self._story.tell("The permit from before stays on record as it was: it was lawful then.")

    def _look(self, anna: Browser) -> None:
        self._story.chapter("Anna sees who was permitted which of her data, when, and why")
        page = anna.open("/shared")
        for name in ("DHL", "Northlight Advertising"):
            self._expect(name in page.text, f"{name} is on the page", page)
        page = anna.open(f"/shared/{self.permit.name.removeprefix('decisions/')}")
        self._expect("order-4711" in page.text, "the order is named", page)
        self._story.quote(page.heading)
        self._story.tell(f"with the clause it rests on, at {page.path}")

    def _audit(self, auditor: Browser) -> None:
        self._story.chapter("An auditor follows one request, and verifies the record without us")
        self._enrol(auditor, "auditor", "美玲", "meiling")
        # Entries of a producer are in order: with this one, all before it have arrived.
        (decided,) = [
            each
            for each in self._trace(self.permit.trace_id, {"sharing"})
            if each["resource"] == self.permit.name
        ]
        name, entries = self._followed()
        self._story.tell(f"{name}'s sign-up was one request: browser, portal, account, sharing.")
        self._story.command(f"export ACCORD_PURPOSE='{_PURPOSE}'")
        self._story.command(f"accord --profile … audit list --trace {self.sign_up_trace}")
        for entry in entries:
            self._story.quote(f"{entry['producer']}  {entry['action']}  {entry['outcome']}")
        stating = auditor.open(f"/audit/traces/{self.sign_up_trace}")  # asks why first
        page = auditor.submit(stating.form("/audit/purpose"), purpose=_PURPOSE)
        self._expect(str(entries[0]["action"]) in page.text, "the portal shows the trace", page)
        index = str(decided["index"])
        with tempfile.TemporaryDirectory() as directory:
            self._verify(index, Path(directory))
            self._flip(int(index), Path(directory))

    def _verify(self, index: str, directory: Path) -> None:
        proof, key = directory / "decision.tlog-proof", self._mesh.material.log_key
        self._accord("auditor", "audit", "prove", index, "--out", str(proof))
        self._story.tell("The decision for DHL, with a proof that needs nothing but a pinned key:")
        self._story.command(f"accord audit prove {index} --out decision.tlog-proof")
        self._story.command("accord audit verify decision.tlog-proof --key log.vkey")
        said = self._accord("", "audit", "verify", str(proof), "--key", str(key))
        if not said.startswith("VERIFIED\n") or self.permit.name not in said:
            raise TourError(f"another entry than the decision's: {said}")
        self._story.quote(said.partition("┌")[0].strip())

    def _flip(self, index: int, directory: Path) -> None:
        copy, key = directory / "log.db", self._mesh.material.log_key
        source = f"{self._mesh.material.database('audit').as_uri()}?mode=ro"
        with (
            closing(sqlite3.connect(source, uri=True)) as log,
            closing(sqlite3.connect(copy)) as to,
        ):
            log.backup(to)
            (leaf,) = log.execute(
                "SELECT leaf FROM entries WHERE log_index = ?", (index,)
            ).fetchone()
        self._accord("", "audit", "fsck", str(copy), "--key", str(key))
        data = bytearray(copy.read_bytes())
        data[data.index(leaf[:64]) + 20] ^= 1
        copy.write_bytes(data)
        self._story.tell("A copy of the whole log is whole. With one bit flipped in it:")
        self._story.command("accord audit fsck log.db --key log.vkey")
        said = self._accord("", "audit", "fsck", str(copy), "--key", str(key), exit_code=1)
        if f"entries, row {index}, column leaf" not in said:
            raise TourError(f"the flipped bit was not named: {said}")
        self._story.quote(said.strip())

    def _with_google(self, browser: Browser, page: Page, person: str) -> Page:
        return browser.submit(browser.submit(page.form("/sign-in/google")).form(), person=person)

    def _links(self, browser: Browser) -> dict[str, str]:
        """The linked providers by name, each with the page on which to unlink it."""
        page = browser.open("/account")
        paths = {path for _, path in page.links if re.search(r"/account/links/[^/]+/unlink$", path)}
        named = {}
        for path in paths:
            heading = browser.open(path).heading
            named["Facebook" if "Facebook" in heading else "Google"] = path
        return named

    def _enrol(self, browser: Browser, role: str, name: str, person: str) -> None:
        """An operator invites; whoever opens the link and signs in has the role."""
        answer = json.loads(self._accord("operator", "staff", "add", role, name, "--json"))
        self._story.command(f"bin/staff add {role} {name}")
        form = self._with_google(browser, browser.open(answer["link"]), person)
        page = browser.submit(form.form("/sign-up"), country="NL", notice="yes")
        self._sign_ups[name] = page.trace_ids[0]
        page = browser.submit(page.form("/staff/enrol/" + answer["link"].rsplit("/", 1)[-1]))
        self._expect(page.status == 200, f"{name} is {role}", page)  # noqa: PLR2004  HTTP's own
        self._story.tell(f"{name} opens the link, signs in with Google, and is {role}.")

    def _record(
        self, officer: Browser, recipient: str, purposes: list[str], categories: list[str]
    ) -> None:
        form = officer.open("/officer/contracts/new").form("/officer/contracts/new")
        page = officer.submit(
            form,
            recipient=f"recipients/{recipient}",
            purposes=purposes,
            categories=categories,
            origins="NL",
            destinations="DE",
            safeguards=["scc"],
            effective=str(self._today - timedelta(days=30)),
            expires=str(self._today + timedelta(days=700)),
            diligence="passed",
            diligence_on=str(self._today - timedelta(days=40)),
            diligence_expires=str(self._today + timedelta(days=300)),
            document_sha256="5a" * 32,
            document_location=f"archive/contracts/{recipient}.pdf",
        )
        self._contracts[recipient] = page.path
        page = officer.submit(page.form("/submit"))
        self._expect(page.path == self._contracts[recipient], "the contract is handed in", page)

    def _activate(self, officer: Browser, recipient: str) -> None:
        page = officer.open(self._contracts[recipient])
        page = officer.submit(page.form("/activate"))
        self._expect(
            not any(form.action.endswith("/activate") for form in page.forms),
            f"the contract with {recipient} is in force",
            page,
        )

    def _check(
        self,
        recipient: str,
        purpose: str,
        categories: tuple[str, ...] | list[str],
        relation: str = "",
    ) -> sharing.Decision:
        question = sharing.Question(
            account=self.account,
            service="mi_store",
            recipient=f"recipients/{recipient}",
            purpose=purpose,
            categories=categories,
            relation=relation,
        )

        async def ask() -> sharing.Decision:
            async with Sharing.connect(self._store) as client:
                return await client.check(question)

        decision = asyncio.run(ask())
        self._story.decision(decision)
        return decision

    def _decision(self, name: str) -> sharing.Decision:
        async def ask() -> sharing.Decision:
            async with Sharing.connect(self._store) as client:
                return await client.decision(name)

        return asyncio.run(ask())

    def _followed(self) -> tuple[str, list[dict[str, object]]]:
        """The first sign-up that reached sharing within its own request.

        When sharing takes longer than a second to answer, account tells it later, by itself.
        """
        for name, trace_id in self._sign_ups.items():
            entries = self._trace(trace_id, {"account"})
            if "sharing" in {entry["producer"] for entry in entries}:
                self.sign_up_trace = trace_id
                return name, entries
        raise TourError(f"no sign-up reached sharing at once: {self._sign_ups}")

    def _trace(self, trace_id: str, producers: set[str]) -> list[dict[str, object]]:
        """The entries of a trace, once every one of `producers` has delivered."""
        deadline = time.monotonic() + _LOGGED_S
        while True:
            answer = self._accord("auditor", "audit", "list", "--trace", trace_id, "--json")
            entries: list[dict[str, object]] = json.loads(answer)
            if producers <= {str(entry["producer"]) for entry in entries}:
                return entries
            if time.monotonic() > deadline:
                raise TourError(f"trace {trace_id} is not in the log: {entries}")

    def _accord(self, profile: str, *words: str, exit_code: int = 0) -> str:
        """Run the `accord` command as an auditor or an operator would type it."""
        given = ["--profile", str(self._mesh.material.profile(profile))] if profile else []
        done = subprocess.run(  # noqa: S603  a command of our own, no shell
            [str(Path(sys.executable).parent / "accord"), *given, *words],
            env=os.environ | {"ACCORD_PURPOSE": _PURPOSE},
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode != exit_code:
            raise TourError(f"accord {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    @property
    def told(self) -> str:
        """What was told so far."""
        return self._story.told

    @property
    def _store(self) -> Profile:
        return load_profile(self._mesh.material.profile("mi-store"), {}, {})

    def _expect_outcome(
        self, decision: sharing.Decision, outcome: sharing.Outcome.ValueType, *reasons: str
    ) -> None:
        given = {Reason.Name(item.reason).removeprefix("REASON_") for item in decision.reasons}
        if decision.outcome != outcome or given != set(reasons):
            raise TourError(f"expected {sharing.Outcome.Name(outcome)} {reasons}: {decision}")

    def _expect(self, holds: bool, what: str, page: Page) -> None:  # noqa: FBT001  reads as a sentence
        if not holds:
            raise TourError(f"{what}? Not on {page}")
