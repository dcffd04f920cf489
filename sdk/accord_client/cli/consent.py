"""``accord consent``: verify the receipt of a consent offline; end one in its person's place."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from accord.sharing.v1.consent_pb2 import Consent, ConsentState

from accord_client.agreements import Agreements
from accord_client.cli.paper import Paper
from accord_client.cli.session import (
    Exit,
    Failure,
    answered,
    emit_json,
    json_option,
    refuse_unverified,
)
from accord_client.cli.trusting import EXISTING
from accord_client.cli.words import word
from accord_client.failure import VerificationError
from accord_client.jws import Keys
from accord_client.receipt import MAX_BYTES, Receipt, Step, verify


@click.group()
def consent() -> None:
    """Verify what people hold about their consents; end one in its person's place."""


@consent.command("verify-receipt")
@click.argument("file", type=EXISTING)
@click.option(
    "--keys", "keys_file", type=EXISTING, required=True, help="Sharing's keys, a JSON Web Key Set."
)
@json_option
def verify_receipt(file: Path, keys_file: Path, *, as_json: bool) -> None:
    """Verify the receipt in FILE offline, with the region's keys and nothing else.

    The key set must come from elsewhere than the receipt: a region's portal shows it at
    /receipt-keys.json. Exit code 0 means verified.

    \b
    Example:
      accord consent verify-receipt receipt.json --keys receipt-keys.json
    """  # noqa: D301 -- \b keeps click from wrapping
    if max(file.stat().st_size, keys_file.stat().st_size) > MAX_BYTES:
        raise Failure(Exit.REFUSED, "NOT VERIFIED (format): the file is too large")
    try:
        receipt = verify(file.read_bytes(), Keys(keys_file.read_text(errors="replace")))
    except VerificationError as error:
        raise refuse_unverified(error) from error
    if as_json:
        emit_json(asdict(receipt) | {"signed": receipt.signed.isoformat()})
    else:
        _print(receipt)


def _show(ended: Consent) -> None:
    Paper().say((ended.name, "bold"), f"  {word(ConsentState, ended.state)}")


@consent.command()
@click.argument("name")
@click.option("--note", required=True, help="Why, for the record; no personal data.")
@answered(Agreements, _show)
async def revoke(client: Agreements, name: str, note: str) -> Consent:
    """End the consent NAME from now on, in the place of its person.

    For privacy officers, where the person cannot do it: a guardian asks, or they may no longer
    decide alone. It counts as a withdrawal. What was shared before stays on record, and whoever
    holds data on the ground of it is told.

    \b
    Example: the person wrote to privacy support
      accord consent revoke accounts/nl-…/consents/… --note "letter of 3 May"
    """  # noqa: D301 -- \b keeps click from wrapping
    return await client.revoke_consent(name, note)


@consent.command()
@click.argument("name")
@click.option("--note", required=True, help="What was found, for the record; no personal data.")
@answered(Agreements, _show)
async def invalidate(client: Agreements, name: str, note: str) -> Consent:
    """Record that the consent NAME was none, such as one without a guardian.

    For privacy officers. It says nothing from now on, so that an earlier answer to the same stands
    again; therefore not after it was withdrawn. To end it as its person would, revoke it.

    \b
    Example: the one who agreed was not the guardian
      accord consent invalidate accounts/nl-…/consents/… --note "no guardian"
    """  # noqa: D301 -- \b keeps click from wrapping
    return await client.invalidate_consent(name, note)


def _print(receipt: Receipt) -> None:
    out = Paper()
    out.say(("VERIFIED", "bold green"), f"  receipt {receipt.id}")
    out.say(
        f"Sharing of region {receipt.region} signed it on {receipt.signed:%Y-%m-%d %H:%M:%S} UTC,"
        " and nothing was changed since."
    )
    out.say()
    out.table(
        ("", ""),
        [
            ("person", receipt.account),
            ("consent", receipt.consent),
            ("controller", receipt.controller),
            ("recipient", receipt.recipient),
            ("for", "\n".join(receipt.purposes)),
            ("of", "\n".join(receipt.categories)),
            ("service", receipt.service or "any"),
        ],
    )
    out.table(
        ("when", "what", "by", "how", "notice"),
        [
            (step.time, _state(step), step.name or step.by, step.method, _notice(step))
            for step in receipt.steps
        ],
    )
    out.say(
        "Not proved: that the consent still stands. No receipt is taken back when a consent is."
    )


def _state(step: Step) -> str:
    return f"{step.state}\nuntil {step.until}" if step.until else step.state


def _notice(step: Step) -> str:
    return f"{step.notice} ({step.language})" if step.notice else ""
