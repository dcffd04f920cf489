"""Recipients and contracts, kept by officers on the command line's own way: their certificates."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

from accord.sharing.v1 import contract_pb2, decision_pb2
from accord.sharing.v1.recipient_pb2 import Recipient
from accord_client.clients import Sharing
from accord_client.profile import Profile, load_profile

from runtime.authority import Authority
from sandbox.mesh import Mesh


def profile(region: Mesh, client: str) -> Profile:
    """The profile of an app or a role."""
    return load_profile(region.material.profile(client), {}, {})


def second_officer(region: Mesh) -> Profile:
    """The profile of another officer than the one that the region comes with."""
    stem = region.material.home / "certificates" / "second-officer"
    root = Authority.read("nl.accord.internal", region.material.home / "ca" / "root")
    root.issue("staff/officer/olga").write(stem)
    files = {
        "certificate_file": str(stem.with_suffix(".crt")),
        "key_file": str(stem.with_suffix(".key")),
    }
    return load_profile(region.material.profile("officer"), files, {})


def agree(region: Mesh, key: str, kind: str, purpose: str, category: str) -> str:
    """Register a recipient in Germany and put a contract with it in force; return its name."""

    async def act() -> str:
        today = datetime.now(UTC).date()
        async with Sharing.connect(profile(region, "officer")) as first:
            recipient = await first.create_recipient(
                key, Recipient(display_name=key, kind=kind, jurisdiction="DE")
            )
            terms = contract_pb2.ContractTerms(
                purposes=[purpose],
                categories=[category],
                origins=["NL"],
                destinations=["DE"],
                effective_date=str(today - timedelta(days=1)),
                expire_date=str(today + timedelta(days=100)),
                due_diligence=contract_pb2.DueDiligence(
                    outcome=contract_pb2.DUE_DILIGENCE_OUTCOME_PASSED,
                    on_date=str(today - timedelta(days=10)),
                    expire_date=str(today + timedelta(days=100)),
                ),
                document=contract_pb2.SignedDocument(
                    sha256=hashlib.sha256(key.encode()).digest(), location=f"archive/{key}.pdf"
                ),
            )
            contract = await first.create_contract(recipient.name, terms)
            contract = await first.submit_contract(contract.name, contract.version)
        async with Sharing.connect(second_officer(region)) as second:
            await second.activate_contract(contract.name, contract.version)
        return recipient.name

    return asyncio.run(act())


def check(region: Mesh, question: decision_pb2.Question) -> decision_pb2.Decision:
    """Ask as the store."""

    async def ask() -> decision_pb2.Decision:
        async with Sharing.connect(profile(region, "mi-store")) as client:
            return await client.check(question)

    return asyncio.run(ask())
