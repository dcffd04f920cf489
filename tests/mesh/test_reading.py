"""Reading the log of a running region: along with it, one's own alone, and on record."""

import asyncio
import json
import signal
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path

from accord.audit.v1 import own_entry_service_pb2 as own_pb
from accord.audit.v1 import read_service_pb2 as pb
from accord.audit.v1.entry_pb2 import Entry
from accord.audit.v1.read_service_pb2 import EntryFilter, ListEntriesRequest
from accord_client.clients import Audit

from sandbox.mesh import Mesh
from sandbox.tour import Tour
from tests.mesh.log import logged
from tests.mesh.people import Person
from tests.mesh.records import profile
from tests.mesh.wire import Wire, identity, method

_PATIENCE_S = 20.0


def test_the_command_reads_along_until_it_is_told_to_stop(region: Mesh, arjun: Person) -> None:
    command = [str(Path(sys.executable).parent / "accord")]
    command += ["--profile", str(region.material.profile("auditor")), "audit", "tail", "--json"]
    command += ["--purpose", "reading along", "--since", "0", "--account", arjun.account]
    with subprocess.Popen(  # noqa: S603  a command of our own, no shell
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as reading:
        assert reading.stdout is not None
        first = [json.loads(reading.stdout.readline()) for _ in range(3)]
        assert {"account:account:register"} <= {entry["action"] for entry in first}
        assert {entry["account"] for entry in first} == {arjun.account}
        # That somebody reads along about him is the next thing that the log says of him.
        while (told := json.loads(reading.stdout.readline()))["action"] != "audit:log:tail":
            pass
        assert told["sections"][0]["account"] == arjun.account
        reading.send_signal(signal.SIGINT)
        _, error = reading.communicate(timeout=_PATIENCE_S)
    assert (reading.returncode, error) == (0, "")


def test_a_stream_is_taken_up_when_the_log_comes_back(region: Mesh, arjun: Person) -> None:
    async def read() -> tuple[list[int], list[int]]:
        wanted, indexes, sizes = EntryFilter(account=arjun.account), list[int](), list[int]()
        async with (
            asyncio.timeout(4 * _PATIENCE_S),
            Audit.connect(profile(region, "auditor"), "a test") as client,
        ):
            async for news in client.tail(wanted, 0):
                indexes += [entry.index for entry in news.entries]
                sizes.append(news.size)
                if len(sizes) == 1:
                    region.process("audit").kill()
                    region.restart("audit")  # in this thread, with which what it starts ends
                elif len(sizes) > 4:
                    break
        return indexes, sizes

    indexes, sizes = asyncio.run(read())
    assert indexes == sorted(set(indexes))
    assert sizes == sorted(sizes)


def test_a_person_and_an_app_are_shown_their_own_and_others_are_not(
    region: Mesh, tour: Tour, arjun: Person
) -> None:
    with Wire(region, "audit", identity(region, "mi-store")) as store:
        answer = store.call(method("OwnEntryService.ListOwnEntries"))
    listed = own_pb.ListOwnEntriesResponse.FromString(answer.body)
    assert any(entry.action == "sharing:decision:permit" for entry in listed.entries)
    assert tour.account not in str(listed)
    assert arjun.account not in str(listed)
    registered = ListEntriesRequest(filter=EntryFilter(account=arjun.account))
    logged(
        region, lambda found: "account:account:register" in {e.action for e in found}, registered
    )
    # Each look at him above is on his record too, so that the first thing may not be on a new page.
    page = arjun.browser.open("/record")
    while "You registered" not in page.text:
        page = arjun.browser.submit(page.form("/record"))  # older; there is none after the last
    of_others = ListEntriesRequest(filter=EntryFilter(account=tour.account))
    (others, *_) = logged(region, bool, of_others)
    assert arjun.browser.open(f"/record/{others.index}").status == HTTPStatus.NOT_FOUND


def test_of_each_reading_the_log_says_who_and_through_what(region: Mesh, arjun: Person) -> None:
    """Whoever reads does so for themselves: what is their own, or by their office."""
    with Wire(region, "audit", identity(region, "mi-store")) as store:
        store.call(method("OwnEntryService.ListOwnEntries"))
    arjun.browser.open("/record")
    home = f"spiffe://{region.region}.accord.internal"
    through = {"svc/portal": arjun.account, "app/mi-store": f"{home}/app/mi-store", "": home}

    def told(found: list[Entry]) -> bool:
        return all(
            any(each.app == app and each.actor.startswith(who) for each in found)
            for app, who in through.items()
        )

    reads = EntryFilter(action_prefix="audit:log:read")
    entries = logged(region, told, ListEntriesRequest(filter=reads))
    assert not any(entry.on_behalf_of for entry in entries)


def test_who_read_what_for_what_is_in_the_log(region: Mesh, tour: Tour) -> None:
    purpose = "the complaint of a neighbour"
    wanted = EntryFilter(account=tour.account, action_prefix="sharing:decision:")

    async def read() -> None:
        async with Audit.connect(profile(region, "auditor"), purpose) as client:
            request = pb.ProveEntriesRequest(filter=wanted)
            assert [page async for page in client.proven_entries(request)]

    asyncio.run(read())

    def told(found: list[Entry]) -> bool:
        return any(purpose in {field.value for field in entry.fields} for entry in found)

    filters = EntryFilter(account=tour.account, action_prefix="audit:proof:")
    entries = logged(region, told, ListEntriesRequest(filter=filters))
    (entry,) = (each for each in entries if told([each]))
    assert "/staff/auditor/" in entry.actor
    assert [section.account for section in entry.sections] == [tour.account]
