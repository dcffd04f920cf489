"""The terms of a contract, from messages and back."""

from collections.abc import Sequence

from accord.sharing.v1 import contract_pb2 as pb

from runtime.fault import invalid
from services.sharing.api import fields
from services.sharing.domain.records import (
    DueDiligence,
    SafeguardDetail,
    SccModule,
    SignedDocument,
    Subprocessor,
    Terms,
)

_MAX_REFERENCE = 128
_MAX_LOCATION = 400
_MAX_SENTENCE = 300
_MAX_DETAIL = 200
_MAX_OBLIGATIONS = 32
_MAX_DETAILS = 64
_SHA256_BYTES = 32
_PASSED = {
    pb.DUE_DILIGENCE_OUTCOME_PASSED: True,
    pb.DUE_DILIGENCE_OUTCOME_FAILED: False,
}
_MODULES = {pb.SCC_MODULE_UNSPECIFIED: None} | {
    pb.SccModule.Value(f"SCC_MODULE_{module.name}"): module for module in SccModule
}
_WIRE_MODULES = {module: number for number, module in _MODULES.items()}
_OUTCOMES = {passed: number for number, passed in _PASSED.items()}


def decode(message: pb.ContractTerms) -> Terms:
    """Read the terms of a contract."""
    subprocessors = fields.keys("terms.subprocessors", message.subprocessors)
    return Terms(
        purposes=frozenset(fields.keys("terms.purposes", message.purposes)),
        categories=frozenset(fields.keys("terms.categories", message.categories)),
        origins=frozenset(fields.keys("terms.origins", message.origins)),
        destinations=frozenset(fields.keys("terms.destinations", message.destinations)),
        effective=fields.day("terms.effective_date", message.effective_date),
        expires=fields.day("terms.expire_date", message.expire_date),
        safeguards=frozenset(fields.keys("terms.safeguards", message.safeguards)),
        due_diligence=_due_diligence(message.due_diligence)
        if message.HasField("due_diligence")
        else None,
        subprocessors=frozenset(
            fields.text("terms.subprocessors", named, _MAX_REFERENCE, 1) for named in subprocessors
        ),
        confidentiality=message.confidentiality,
        delete_on_termination=message.delete_on_termination,
        document=decode_document("terms.document", message.document)
        if message.HasField("document")
        else None,
        subprocessor_chain=_chain(message.subprocessor_chain),
        safeguard_details=_details(message.safeguard_details),
        obligations=_obligations(message.obligations),
    )


def decode_document(field: str, message: pb.SignedDocument) -> SignedDocument:
    """Read which paper was signed, and where it lies."""
    if len(message.sha256) != _SHA256_BYTES:
        raise invalid(f"{field}.sha256", f"must have {_SHA256_BYTES} bytes")
    location = fields.text(f"{field}.location", message.location, _MAX_LOCATION, 1)
    return SignedDocument(message.sha256.hex(), location)


def encode(value: Terms) -> pb.ContractTerms:
    """Encode the terms of a contract; what is a set is sorted."""
    found, document = value.due_diligence, value.document
    return pb.ContractTerms(
        purposes=sorted(value.purposes),
        categories=sorted(value.categories),
        origins=sorted(value.origins),
        destinations=sorted(value.destinations),
        safeguards=sorted(value.safeguards),
        effective_date=value.effective.isoformat(),
        expire_date=value.expires.isoformat(),
        subprocessors=sorted(value.subprocessors),
        confidentiality=value.confidentiality,
        delete_on_termination=value.delete_on_termination,
        due_diligence=pb.DueDiligence(
            outcome=_OUTCOMES[found.passed],
            on_date=found.on.isoformat(),
            expire_date=found.expires.isoformat(),
        )
        if found
        else None,
        document=encode_document(document) if document else None,
        subprocessor_chain=[
            pb.Subprocessor(
                name=link.name,
                jurisdiction=link.jurisdiction,
                activity=link.activity,
                parent=link.parent,
            )
            for link in value.subprocessor_chain
        ],
        safeguard_details=[
            pb.SafeguardDetail(
                safeguard=detail.safeguard,
                scc_module=_WIRE_MODULES[detail.scc_module],
                reference=detail.reference,
                impact_assessment=detail.impact_assessment,
                expire_date=detail.expires.isoformat() if detail.expires else "",
            )
            for detail in value.safeguard_details
        ],
        obligations=value.obligations,
    )


def encode_document(value: SignedDocument) -> pb.SignedDocument:
    """Encode which paper was signed, and where it lies."""
    return pb.SignedDocument(sha256=bytes.fromhex(value.sha256), location=value.location)


def _due_diligence(message: pb.DueDiligence) -> DueDiligence:
    at = "terms.due_diligence"
    return DueDiligence(
        passed=fields.one_of(f"{at}.outcome", message.outcome, _PASSED),
        on=fields.day(f"{at}.on_date", message.on_date),
        expires=fields.day(f"{at}.expire_date", message.expire_date),
    )


def _chain(messages: Sequence[pb.Subprocessor]) -> tuple[Subprocessor, ...]:
    at = "terms.subprocessor_chain"
    links = [
        Subprocessor(
            name=fields.text(f"{at}.name", link.name, _MAX_REFERENCE, 1),
            jurisdiction=fields.country(link.jurisdiction),
            activity=fields.text(f"{at}.activity", link.activity, _MAX_DETAIL, 1),
            parent=fields.text(f"{at}.parent", link.parent, _MAX_REFERENCE),
        )
        for link in fields.at_most(at, messages, _MAX_DETAILS)
    ]
    return tuple(sorted(links, key=lambda link: link.name))


def _details(messages: Sequence[pb.SafeguardDetail]) -> tuple[SafeguardDetail, ...]:
    at = "terms.safeguard_details"
    details = [
        SafeguardDetail(
            safeguard=detail.safeguard,
            scc_module=fields.one_of(f"{at}.scc_module", detail.scc_module, _MODULES),
            reference=fields.text(f"{at}.reference", detail.reference, _MAX_DETAIL),
            impact_assessment=fields.text(
                f"{at}.impact_assessment", detail.impact_assessment, _MAX_DETAIL
            ),
            expires=fields.day(f"{at}.expire_date", detail.expire_date)
            if detail.expire_date
            else None,
        )
        for detail in fields.at_most(at, messages, _MAX_DETAILS)
    ]
    return tuple(sorted(details, key=lambda detail: detail.safeguard))


def _obligations(sentences: Sequence[str]) -> tuple[str, ...]:
    at = "terms.obligations"
    return tuple(
        fields.text(at, sentence, _MAX_SENTENCE, 1)
        for sentence in fields.at_most(at, sentences, _MAX_OBLIGATIONS)
    )
