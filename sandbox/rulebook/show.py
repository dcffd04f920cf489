"""Renders a notice as a table: who may have what, for what, on which basis, under which clause."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Column, Table

from services.sharing.domain.rulebook import Notice, Row, Rulebook

COLUMNS = ("clause", "recipients", "purposes", "categories", "basis", "conditions")


def facts(rulebook: Rulebook, notice: Notice) -> Mapping[str, str]:
    """Tell what is to be said of a notice besides its rows."""
    speaks = [
        key for key, service in rulebook.services.items() if _speaks(service.lineages, notice)
    ]
    return {
        "notice": notice.id,
        "name": notice.labels["en"],
        "in force": f"from {notice.effective}" if notice.effective else "always: it is undated",
        "speaks for": ", ".join(speaks) or "no service",
        "counts as": ", ".join(f"{kind} → {other}" for kind, other in notice.counts_as.items()),
    }


def rows(notice: Notice) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each row, in the order of COLUMNS."""
    for row in (*notice.rows, *notice.inbound):
        comes_in = row in notice.inbound
        yield (
            row.clause,
            f"comes in from {_listed(row.recipients, '')}"
            if comes_in
            else _listed(row.recipients, ""),
            _listed(row.purposes, "any that the person asks for"),
            _categories(row),
            row.basis.value if row.basis else "the purpose's own",
            ", ".join(_conditions(row)),
        )


def as_table(console: Console, rulebook: Rulebook, notice: Notice) -> None:
    """Print a notice for a terminal."""
    for name, value in facts(rulebook, notice).items():
        if value:
            console.print(f"[bold]{name:>10}[/]  {value}")
    table = Table(*(Column(name, overflow="fold") for name in COLUMNS), show_lines=True)
    for cells in rows(notice):
        table.add_row(*(cell.replace(", ", "\n") for cell in cells))
    console.print(table)
    topics = Table("rule", "clause")
    for topic, clause in sorted(notice.topics.items()):
        topics.add_row(topic.replace("_", " "), clause)
    console.print(topics)


def as_markdown(rulebook: Rulebook, notice: Notice) -> str:
    """Return a notice as Markdown."""
    lines = [f"# {notice.labels['en']}", ""]
    lines += [f"- {name}: {value}" for name, value in facts(rulebook, notice).items() if value]
    lines += ["", *_grid(COLUMNS, rows(notice)), ""]
    lines += _grid(("rule", "clause"), sorted(notice.topics.items()))
    return "\n".join(lines)


def _grid(
    head: Sequence[str], body: Iterator[Sequence[str]] | Sequence[Sequence[str]]
) -> list[str]:
    escaped = [[cell.replace("|", "\\|") for cell in cells] for cells in (head, *body)]
    lines = [f"| {' | '.join(cells)} |" for cells in escaped]
    return [lines[0], f"|{'---|' * len(head)}", *lines[1:]]


def _speaks(lineages: Sequence[Sequence[str]], notice: Notice) -> bool:
    return any(notice.id in lineage for lineage in lineages)


def _listed(keys: Sequence[str], otherwise: str) -> str:
    return ", ".join(keys) or otherwise


def _categories(row: Row) -> str:
    if row.categories is None:
        return "what the purpose needs"
    if row.categories:
        return ", ".join(row.categories)
    return "any" if row.sensitive else "any not sensitive"


def _conditions(row: Row) -> Iterator[str]:
    if row.signed_in:
        yield "only when signed in"
    if not row.objectable:
        yield "cannot be objected to"
    yield from (duty.value for duty in row.obligations)
