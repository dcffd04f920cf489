"""``accord staff``: how a person comes to act as officer, auditor or operator."""

from __future__ import annotations

import click
from accord.account.v1.staff_service_pb2 import InviteStaffResponse
from accord.type.v1.callers_pb2 import Role

from accord_client.cli.paper import Paper
from accord_client.cli.session import Session, emit_json, json_option, run
from accord_client.cli.words import moment
from accord_client.clients import Staff


@click.group()
def staff() -> None:
    """Let people act as officers, auditors or operators, as an operator."""


@staff.command()
@click.argument("role", type=click.Choice(["officer", "auditor", "operator"]))
@click.argument("name")
@json_option
@click.pass_obj
def add(session: Session, role: str, name: str, *, as_json: bool) -> None:
    """Invite NAME to ROLE and print the enrolment link.

    The link works once, for seven days: whoever opens it and signs in has the role.

    \b
    Example:
      accord --profile var/nl/clients/operator.toml staff add officer "Olga"
    """  # noqa: D301 -- \b keeps click from wrapping
    profile = session.profile

    async def invite() -> InviteStaffResponse:
        async with Staff.connect(profile) as client:
            return await client.invite(Role.Value(f"ROLE_{role.upper()}"), name)

    response = run(invite)
    link = f"{profile.portal_url}/staff/enrol/{response.secret}"
    expires = moment(response.invitation.expire_time, "minutes")
    if as_json:
        emit_json({"link": link, "role": role, "name": name, "expire_time": expires})
    else:
        Paper().say(f"{name} becomes {role} at\n  {link}\ngood once, until {expires}")
