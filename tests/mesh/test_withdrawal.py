"""Invariant 2: after a withdrawal is acknowledged there is no permit any more, at once."""

from accord.sharing.v1 import decision_pb2
from accord.sharing.v1.reason_pb2 import REASON_CONSENT_WITHDRAWN

from sandbox.mesh import Mesh
from tests.mesh.people import Person
from tests.mesh.records import agree, check


def test_invariant_2_after_a_withdrawal_is_acknowledged_there_is_no_permit_at_once(
    region: Mesh, arjun: Person
) -> None:
    kind, purpose = "service_provider.advertising", "direct_marketing"
    recipient = agree(region, "brightads", kind, purpose, "contact.email")
    question = decision_pb2.Question(
        account=arjun.account,
        service="mi_store",
        recipient=recipient,
        purpose=purpose,
        categories=["contact.email"],
    )
    browser = arjun.browser
    for _ in range(5):
        offer = browser.open("/sharing/offers/advertising").form("/sharing/offers/advertising")
        browser.submit(offer, recipient=recipient, categories=["contact.email"], answer="yes")
        permit = check(region, question)
        assert permit.outcome == decision_pb2.OUTCOME_PERMIT
        browser.submit(browser.open("/sharing").form("/withdraw"))
        denial = check(region, question)
        assert denial.outcome == decision_pb2.OUTCOME_DENY
        assert [item.reason for item in denial.reasons] == [REASON_CONSENT_WITHDRAWN]
        assert [*denial.permitted_categories, *denial.grounds, *denial.obligations] == []
