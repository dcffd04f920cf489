"""The form of a contract's terms, to and from plain values."""

import re
from datetime import date

from services.portal.api.forms import Form
from services.portal.api.wrong import Wrong
from services.portal.domain.sharing import (
    Document,
    DueDiligence,
    SafeguardDetail,
    Subprocessor,
    Terms,
)

_PLACE = re.compile(r"[A-Z]{2}|EEA|\*")
_MODULES = frozenset("1234")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def read_terms(form: Form) -> tuple[Terms | None, Wrong]:
    """Read terms from a posted form; without terms, what is wrong with which field.

    Whether the keys exist and the dates make sense together is sharing's to judge.
    """
    read = _Reader(form)
    terms = Terms(
        purposes=read.chosen("purposes"),
        categories=read.chosen("categories"),
        origins=read.places("origins"),
        destinations=read.places("destinations"),
        safeguards=form.many("safeguards"),
        due_diligence=read.diligence(),
        effective=read.day("effective", "effective"),
        expires=read.day("expires", "expires"),
        subprocessors=form.lines("subprocessors"),
        confidentiality=form.ticked("confidentiality"),
        delete_on_termination=form.ticked("delete_on_termination"),
        document=read.document(),
        subprocessor_chain=read.chain(),
        safeguard_details=read.details(),
        obligations=form.lines("obligations"),
    )
    return (None if read.wrong else terms), [(name, f"wrong.{name}") for name in read.wrong]


class _Reader:
    """Reads field after field and remembers which could not be read, in the form's order."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self.wrong: dict[str, None] = {}

    def chosen(self, name: str) -> tuple[str, ...]:
        values = self._form.many(name)
        if not values:
            self.wrong[name] = None
        return values

    def day(self, name: str, blames: str) -> date:
        try:
            found = self._form.day(name)
        except ValueError:
            found = None
        if found is None:
            self.wrong[blames] = None
        return found or date.min

    def places(self, name: str) -> tuple[str, ...]:
        found = re.split(r"[\s,;]+", self._form.text(name).upper())
        if not all(_PLACE.fullmatch(place) for place in found):
            self.wrong[name] = None
        return tuple(dict.fromkeys(found))

    def diligence(self) -> DueDiligence | None:
        outcome = self._form.text("diligence")
        if outcome not in {"passed", "failed"}:
            return None
        return DueDiligence(
            passed=outcome == "passed",
            on=self.day("diligence_on", "due_diligence"),
            expires=self.day("diligence_expires", "due_diligence"),
        )

    def chain(self) -> tuple[Subprocessor, ...]:
        """Read one link a line: name, country, activity and, perhaps, for whom it works."""
        links = []
        for line in self._form.lines("chain"):
            parts = [part.strip() for part in line.split("|")]
            if len(parts) not in (3, 4):
                self.wrong["chain"] = None
                continue
            name, country, activity, parent = (*parts, "")[:4]
            links.append(Subprocessor(name, country.upper(), activity, parent))
        return tuple(links)

    def details(self) -> tuple[SafeguardDetail, ...]:
        """Read what stands behind each safeguard that is ticked; nothing said is no detail."""
        details = []
        for key in self._form.many("safeguards"):
            module = self._form.text(f"{key}_module")
            detail = SafeguardDetail(
                safeguard=key,
                scc_module=int(module) if module in _MODULES else 0,
                reference=self._form.text(f"{key}_reference"),
                impact_assessment=self._form.text(f"{key}_assessment"),
                expires=self._last_day(f"{key}_expires"),
            )
            if detail != SafeguardDetail(key, 0, "", "", None):
                details.append(detail)
        return tuple(details)

    def _last_day(self, name: str) -> date | None:
        try:
            return self._form.day(name)
        except ValueError:
            self.wrong["safeguards"] = None
            return None

    def document(self) -> Document | None:
        digest, location = self._form.text("document_sha256"), self._form.text("document_location")
        if not digest and not location:
            return None
        if not _SHA256.fullmatch(digest.lower()) or not location:
            self.wrong["document"] = None
        return Document(digest.lower(), location)


class TermsField:
    """What stands in each field of the form: terms on record, else what was posted."""

    def __init__(self, form: Form, terms: Terms | None) -> None:
        self._form = form
        self._values = terms_as_fields(terms) if terms else None

    def text(self, name: str) -> str:
        """Return the text of a field."""
        if self._values is None:
            return self._form.text(name)
        return " ".join(self._values.get(name, ()))

    def has(self, name: str, value: str) -> bool:
        """Tell whether a box is ticked."""
        values = self._form.many(name) if self._values is None else self._values.get(name, ())
        return value in values


def terms_as_fields(terms: Terms) -> dict[str, tuple[str, ...]]:
    """Return terms as the form's fields hold them."""
    diligence, document = terms.due_diligence, terms.document
    return {
        "purposes": tuple(terms.purposes),
        "categories": tuple(terms.categories),
        "origins": tuple(terms.origins),
        "destinations": tuple(terms.destinations),
        "safeguards": tuple(terms.safeguards),
        "diligence": (("passed" if diligence.passed else "failed") if diligence else "none",),
        "diligence_on": (diligence.on.isoformat(),) if diligence else (),
        "diligence_expires": (diligence.expires.isoformat(),) if diligence else (),
        "effective": (terms.effective.isoformat(),),
        "expires": (terms.expires.isoformat(),),
        "subprocessors": ("\n".join(terms.subprocessors),),
        "confidentiality": ("yes",) if terms.confidentiality else (),
        "delete_on_termination": ("yes",) if terms.delete_on_termination else (),
        "document_sha256": (document.sha256,) if document else (),
        "document_location": (document.location,) if document else (),
        "obligations": ("\n".join(terms.obligations),),
        "chain": ("\n".join(map(_link, terms.subprocessor_chain)),),
        **{
            f"{detail.safeguard}_{name}": (value,)
            for detail in terms.safeguard_details
            for name, value in (
                ("module", str(detail.scc_module or "")),
                ("reference", detail.reference),
                ("assessment", detail.impact_assessment),
                ("expires", detail.expires.isoformat() if detail.expires else ""),
            )
        },
    }


def _link(link: Subprocessor) -> str:
    parts = [link.name, link.jurisdiction, link.activity]
    return " | ".join([*parts, link.parent] if link.parent else parts)
