"""What a reader asks for, as the wire says it."""

from accord.audit.v1.read_service_pb2 import EntryFilter

from services.audit.api.filters import wanted


def test_a_name_may_be_given_by_its_last_part() -> None:
    short = wanted(EntryFilter(recipient="dhl", contract="c-1", app="mi-store"))
    assert short == wanted(
        EntryFilter(recipient="recipients/dhl", contract="contracts/c-1", app="app/mi-store")
    )
    assert wanted(EntryFilter()).recipient is None
