"""Gives a person or guest the receipt of a consent: signed, so that anyone can verify it."""

import json
import uuid
from collections.abc import Collection
from dataclasses import dataclass

from runtime.fault import Fault, not_found
from services.sharing.cases.means import Means
from services.sharing.domain.ports import Records
from services.sharing.domain.receipt import Evidence, receipt

_TYPE = "accord-receipt+jwt"


@dataclass(frozen=True, slots=True)
class File:
    """A file for the person; its name tells nothing about them."""

    name: str
    content: str


async def give_receipt(
    means: Means, holder: str, name: str, *, country: str, services: Collection[str] | None
) -> File:
    """Return the receipt of a consent of the person or guest, as it stands now.

    `country` is a guest's; a person's is on record. NOT_FOUND for a consent of others, and for none
    of the `services` of an app that asks; WRONG_STATE for a question that was never answered.
    """

    def unit(records: Records) -> Evidence:
        revisions = records.consents.revisions(holder, name)
        subject = records.subjects.get(holder)
        where = subject.jurisdiction if subject else country
        if not revisions or not where:
            raise not_found(name)
        scope = revisions[-1].consent.scope
        if services is not None and scope.service not in services:
            raise not_found(name)
        return Evidence(revisions, holder, where, records.recipients.get(scope.recipient))

    evidence = await means.store.read(unit)
    if not any(revision.consent.answered for revision in evidence.revisions):
        state = evidence.revisions[-1].consent.state.value
        raise Fault("WRONG_STATE", "this question was never answered", metadata={"state": state})
    now = means.clock.now()
    made = receipt(means.rulebook, evidence, str(uuid.uuid4()), now)
    claims = {
        "iss": f"spiffe://{means.region}.accord.internal/svc/sharing",
        "iat": int(now.timestamp()),
        "receipt": made,
    }
    signed = {"receipt": made, "jws": await means.signer.sign(claims, _TYPE)}
    consent = name.rpartition("/")[2]
    return File(
        name=f"consent-receipt-{consent}.json",
        content=json.dumps(signed, ensure_ascii=False, indent=2) + "\n",
    )
