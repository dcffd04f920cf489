"""Serves accord.sharing.v1.RulebookService."""

from datetime import date

from accord.sharing.v1 import decision_pb2, vocabulary_pb2
from accord.sharing.v1 import rulebook_service_pb2 as pb

from runtime.call import Call
from services.sharing.api.encoding import BASES, REASONS
from services.sharing.domain.records import ConsentState, Indicator
from services.sharing.domain.regions import Term
from services.sharing.domain.rulebook import Labels, Rulebook
from services.sharing.domain.vocabulary import Basis, Obligation, Reason

_NO_LABELS: Labels = {}


class RulebookServicer:
    """The words of the rules; they do not change while the process runs."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._vocabulary = _vocabulary(rulebook)

    async def get_vocabulary(
        self,
        request: pb.GetVocabularyRequest,  # noqa: ARG002  the runtime's signature
        call: Call,  # noqa: ARG002  the runtime's signature
    ) -> pb.GetVocabularyResponse:
        """Return every key of the rules with its names for people."""
        return pb.GetVocabularyResponse(vocabulary=self._vocabulary)


def _vocabulary(rulebook: Rulebook) -> vocabulary_pb2.Vocabulary:
    speaks: dict[str, list[str]] = {notice: [] for notice in rulebook.notices}
    for service in rulebook.services.values():
        for lineage in service.lineages:
            for notice in lineage:
                speaks[notice].append(service.key)

    def term(family: str, key: str, labels: Labels = _NO_LABELS) -> vocabulary_pb2.Term:
        concept = rulebook.concepts.of(family, key)
        message = _term(key, labels)
        message.iri = concept.iri
        message.broader.extend(concept.broader)
        return message

    return vocabulary_pb2.Vocabulary(
        rulebook_digest=rulebook.digest,
        services=[
            term("services", service.key, service.labels) for service in rulebook.services.values()
        ],
        kinds=[
            vocabulary_pb2.RecipientKind(
                term=term("kinds", kind.key, kind.labels),
                contract_required=kind.contract,
                due_diligence_required=kind.due_diligence,
                confidentiality_required=kind.confidentiality,
            )
            for kind in rulebook.kinds.values()
        ],
        purposes=[
            vocabulary_pb2.Purpose(
                term=term("purposes", purpose.key, purpose.labels),
                basis=BASES[purpose.basis]
                if purpose.basis
                else decision_pb2.LEGAL_BASIS_UNSPECIFIED,
            )
            for purpose in rulebook.purposes.values()
        ],
        categories=[
            vocabulary_pb2.Category(
                term=term("categories", category.key, category.labels),
                sensitive=category.sensitive,
                personal=category.personal,
            )
            for category in rulebook.categories.values()
        ],
        notices=[
            vocabulary_pb2.Notice(
                term=_term(notice.id, notice.labels),
                effective_date=notice.effective.isoformat() if notice.effective else "",
                services=speaks[notice.id],
            )
            for notice in rulebook.notices.values()
        ],
        safeguards=[term("safeguards", key, labels) for key, labels in rulebook.safeguards.items()],
        legal_bases=[term("bases", key) for key in Basis],
        consent_states=[term("consent_states", key) for key in ConsentState],
        obligations=[term("obligations", key) for key in Obligation],
        indicators=[term("indicators", key) for key in Indicator],
        kind_prefixes=[
            term("kinds", key) for key in sorted(rulebook.kind_scopes - rulebook.kinds.keys())
        ],
        category_prefixes=[
            term("categories", key)
            for key in sorted(rulebook.category_scopes - rulebook.categories.keys())
        ],
        reasons=[
            vocabulary_pb2.ReasonTerm(reason=REASONS[Reason(key)], labels=_labels(labels))
            for key, labels in rulebook.reasons.items()
        ],
        data_centers=[
            vocabulary_pb2.DataCenter(
                term=_term(region.key, region.labels), country=region.country, **_dates(region.term)
            )
            for region in rulebook.regions.values()
        ],
        controllers=[
            vocabulary_pb2.Controller(
                name=controller.name,
                processor=controller.processor,
                services=sorted(controller.services),
                people=sorted(controller.people),
                complaint=controller.complaint,
                **_dates(controller.term),
            )
            for controller in rulebook.controllers
        ],
    )


def _dates(term: Term) -> dict[str, str]:
    return {
        "since_date": "" if term.since == date.min else term.since.isoformat(),
        "until_date": term.until.isoformat() if term.until else "",
    }


def _term(key: str, labels: Labels) -> vocabulary_pb2.Term:
    return vocabulary_pb2.Term(key=key, labels=_labels(labels))


def _labels(labels: Labels) -> list[vocabulary_pb2.Label]:
    return [vocabulary_pb2.Label(language=language, text=text) for language, text in labels.items()]
