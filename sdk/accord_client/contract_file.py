"""Contracts as a YAML file: written one way, read strictly.

What ``dump`` writes, ``parse`` reads to the same contracts, and ``dump`` writes them again to the
same bytes. Names and states stay behind: a file says what was agreed, and whoever reads it in
makes drafts that a second pair of eyes puts in force.

Every refusal names file and line. Keys are known or an error, each is given once; aliases are
refused, so that a short file stays short.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import yaml
from accord.sharing.v1 import contract_pb2 as pb

_NAMESPACE = uuid.UUID("6f1c2f0a-3d0e-5d52-9f0b-6b8d1a1f6c11")  # of requests made from files
_OUTCOMES = {
    "passed": pb.DUE_DILIGENCE_OUTCOME_PASSED,
    "failed": pb.DUE_DILIGENCE_OUTCOME_FAILED,
}
_MODULES = {
    1: pb.SCC_MODULE_CONTROLLER_TO_CONTROLLER,
    2: pb.SCC_MODULE_CONTROLLER_TO_PROCESSOR,
    3: pb.SCC_MODULE_PROCESSOR_TO_PROCESSOR,
    4: pb.SCC_MODULE_PROCESSOR_TO_CONTROLLER,
}
_SHA256_DIGITS = 64


class ContractFileError(ValueError):
    """The file does not say what it has to; ``line`` counts from 1."""

    def __init__(self, file: str, line: int, what: str) -> None:
        super().__init__(f"{file}:{line}: {what}")
        self.line = line


@dataclass(frozen=True)
class Written:
    """One contract of a file, and the line on which it begins."""

    recipient: str
    terms: pb.ContractTerms
    line: int = 0

    @property
    def request_id(self) -> str:
        """The id of the request that records it: the same content, the same request."""
        content = self.terms.SerializeToString(deterministic=True)
        return str(uuid.uuid5(_NAMESPACE, f"{self.recipient} {content.hex()}"))


def dump(contracts: Iterable[Written]) -> str:
    """Writes contracts as YAML, in the order of recipients and dates; equal ones once."""
    plain = {contract.request_id: _plain(contract) for contract in contracts}
    ordered = sorted(
        plain.items(), key=lambda item: (item[1]["recipient"], item[1]["effective"], item[0])
    )
    return yaml.safe_dump(
        {"contracts": [contract for _, contract in ordered]},
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=100,
    )


def parse(text: str, file: str) -> list[Written]:
    """Reads contracts; ContractFileError for everything that is not as it must be."""
    try:
        for event in yaml.parse(text, yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise ContractFileError(file, _line(event), "aliases are not allowed")
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise ContractFileError(file, line, getattr(error, "problem", None) or "no YAML") from error
    except RecursionError as error:
        raise ContractFileError(file, 1, "is nested too deeply") from error
    if root is None:
        raise ContractFileError(file, 1, "holds nothing")
    top = _Map(root, file)
    found: dict[str, Written] = {}
    for entry in top.maps("contracts"):
        contract = _contract(entry)
        same = found.setdefault(contract.request_id, contract)
        if same is not contract:
            raise ContractFileError(file, contract.line, f"is the same as line {same.line}")
    top.end()
    return list(found.values())


def _contract(entry: _Map) -> Written:
    recipient = entry.text("recipient")
    terms = pb.ContractTerms(
        purposes=sorted(entry.texts("purposes")),
        categories=sorted(entry.texts("categories")),
        origins=sorted(entry.texts("origins")),
        destinations=sorted(entry.texts("destinations")),
        safeguards=sorted(entry.texts("safeguards")),
        subprocessors=sorted(entry.texts("subprocessors")),
        obligations=entry.texts("obligations"),
        effective_date=entry.day("effective"),
        expire_date=entry.day("expires"),
        confidentiality=entry.flag("confidentiality"),
        delete_on_termination=entry.flag("delete_on_termination"),
    )
    for link in entry.maps("subprocessor_chain"):
        terms.subprocessor_chain.add(
            name=link.text("name"),
            jurisdiction=link.text("jurisdiction"),
            activity=link.text("activity"),
            parent=link.text("parent", needed=False),
        )
        link.end()
    for detail in entry.maps("safeguard_details"):
        terms.safeguard_details.add(
            safeguard=detail.text("safeguard"),
            scc_module=detail.module("scc_module"),
            reference=detail.text("reference", needed=False),
            impact_assessment=detail.text("impact_assessment", needed=False),
            expire_date=detail.day("expires", needed=False),
        )
        detail.end()
    terms.subprocessor_chain.sort(key=lambda link: link.name)
    terms.safeguard_details.sort(key=lambda detail: detail.safeguard)
    if examined := entry.map("due_diligence"):
        terms.due_diligence.outcome = examined.one_of("outcome", _OUTCOMES)
        terms.due_diligence.on_date = examined.day("on")
        terms.due_diligence.expire_date = examined.day("expires")
        examined.end()
    if document := entry.map("document"):
        terms.document.sha256 = document.sha256("sha256")
        terms.document.location = document.text("location")
        document.end()
    entry.end()
    return Written(recipient, terms, entry.line)


def _plain(contract: Written) -> dict[str, Any]:
    """The contract as YAML shows it; what is empty or false is left out."""
    terms, examined = contract.terms, contract.terms.due_diligence
    outcomes = {number: key for key, number in _OUTCOMES.items()}
    modules = {number: key for key, number in _MODULES.items()}
    value: dict[str, Any] = {
        "recipient": contract.recipient,
        "purposes": list(terms.purposes),
        "categories": list(terms.categories),
        "origins": list(terms.origins),
        "destinations": list(terms.destinations),
        "effective": date.fromisoformat(terms.effective_date),
        "expires": date.fromisoformat(terms.expire_date),
        "safeguards": list(terms.safeguards),
        "safeguard_details": [
            _kept(
                safeguard=detail.safeguard,
                scc_module=modules.get(detail.scc_module),
                reference=detail.reference,
                impact_assessment=detail.impact_assessment,
                expires=detail.expire_date and date.fromisoformat(detail.expire_date),
            )
            for detail in terms.safeguard_details
        ],
        "due_diligence": _kept(
            outcome=outcomes[examined.outcome],
            on=date.fromisoformat(examined.on_date),
            expires=date.fromisoformat(examined.expire_date),
        )
        if terms.HasField("due_diligence")
        else None,
        "subprocessors": list(terms.subprocessors),
        "subprocessor_chain": [
            _kept(
                name=link.name,
                jurisdiction=link.jurisdiction,
                activity=link.activity,
                parent=link.parent,
            )
            for link in terms.subprocessor_chain
        ],
        "confidentiality": terms.confidentiality,
        "delete_on_termination": terms.delete_on_termination,
        "obligations": list(terms.obligations),
        "document": _kept(sha256=terms.document.sha256.hex(), location=terms.document.location),
    }
    return _kept(**value)


def _kept(**values: Any) -> dict[str, Any]:  # noqa: ANN401 -- what YAML can show
    return {key: value for key, value in values.items() if value}


def _line(node: yaml.Node | yaml.Event) -> int:
    mark = node.start_mark
    return mark.line + 1 if mark else 1


class _Map:
    """A mapping of the file: each key is asked for, and what nobody asked for is an error."""

    def __init__(self, node: yaml.Node, file: str) -> None:
        self._file = file
        self.line = _line(node)
        if not isinstance(node, yaml.MappingNode):
            raise self._error(node, "must be a mapping")
        self._nodes: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._error(key, "a key must be a word")
            if key.value in self._nodes:
                raise self._error(key, f"{key.value}: is given twice")
            self._nodes[key.value] = value
        self._asked: set[str] = set()

    def text(self, key: str, *, needed: bool = True) -> str:
        node = self._take(key, needed=needed)
        return "" if node is None else self._scalar(key, node)

    def texts(self, key: str) -> list[str]:
        return [self._scalar(key, each) for each in self._items(key)]

    def maps(self, key: str) -> list[_Map]:
        return [_Map(each, self._file) for each in self._items(key)]

    def map(self, key: str) -> _Map | None:
        node = self._take(key, needed=False)
        return None if node is None else _Map(node, self._file)

    def flag(self, key: str) -> bool:
        node = self._take(key, needed=False)
        if node is None:
            return False
        if not isinstance(node, yaml.ScalarNode) or node.value not in {"true", "false"}:
            raise self._error(node, f"{key}: must be true or false")
        return bool(node.value == "true")

    def day(self, key: str, *, needed: bool = True) -> str:
        node = self._take(key, needed=needed)
        if node is None:
            return ""
        value = self._scalar(key, node)
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            raise self._error(node, f"{key}: must be a date, YYYY-MM-DD") from None

    def one_of(self, key: str, known: dict[str, Any]) -> Any:  # noqa: ANN401 -- an enum's value
        node = self._take(key, needed=True)
        assert node is not None  # noqa: S101 -- it is needed
        value = self._scalar(key, node)
        if value not in known:
            raise self._error(node, f"{key}: must be one of {', '.join(known)}")
        return known[value]

    def module(self, key: str) -> pb.SccModule.ValueType:
        node = self._take(key, needed=False)
        if node is None:
            return pb.SCC_MODULE_UNSPECIFIED
        value = self._scalar(key, node)
        if value not in {str(number) for number in _MODULES}:
            raise self._error(node, f"{key}: must be 1, 2, 3 or 4")
        return _MODULES[int(value)]

    def sha256(self, key: str) -> bytes:
        node = self._take(key, needed=True)
        assert node is not None  # noqa: S101 -- it is needed
        value = self._scalar(key, node)
        if len(value) != _SHA256_DIGITS or set(value) - set("0123456789abcdef"):
            raise self._error(node, f"{key}: must be {_SHA256_DIGITS} hexadecimal digits")
        return bytes.fromhex(value)

    def end(self) -> None:
        """Refuses keys that nobody knows."""
        for key, node in self._nodes.items():
            if key not in self._asked:
                raise self._error(node, f"{key}: unknown key")

    def _take(self, key: str, *, needed: bool) -> yaml.Node | None:
        self._asked.add(key)
        node = self._nodes.get(key)
        if node is None and needed:
            raise ContractFileError(self._file, self.line, f"{key}: is missing")
        return node

    def _items(self, key: str) -> list[yaml.Node]:
        node = self._take(key, needed=False)
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            raise self._error(node, f"{key}: must be a list")
        return list(node.value)

    def _scalar(self, key: str, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value:
            raise self._error(node, f"{key}: must be a text")
        return str(node.value)

    def _error(self, node: yaml.Node, what: str) -> ContractFileError:
        return ContractFileError(self._file, _line(node), what)
