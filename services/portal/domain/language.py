"""Which of the portal's languages a person reads."""

from collections.abc import Sequence

ENGLISH = "en"
CHINESE = "zh-Hant"
LANGUAGES = (ENGLISH, CHINESE)

_LONGEST_HEADER = 512


def choose_language(remembered: str | None, accepted: str) -> str:
    """Choose a language: the remembered choice first, then `Accept-Language` (RFC 9110 §12.5.4).

    Every Chinese preference leads to Traditional Chinese, the only Chinese there is here.
    Malformed headers count as no wish; English answers when nothing matches.
    """
    if remembered in LANGUAGES:
        return remembered
    for tag in _by_weight(accepted[:_LONGEST_HEADER].split(",")):
        primary = tag.split("-")[0]
        if primary == "zh":
            return CHINESE
        if primary == "en":
            return ENGLISH
    return ENGLISH


def _by_weight(ranges: Sequence[str]) -> list[str]:
    weighted = []
    for position, item in enumerate(ranges):
        tag, _, parameter = item.partition(";")
        name, _, value = parameter.strip().partition("=")
        try:
            weight = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            weight = 0.0
        if weight > 0:
            weighted.append((-weight, position, tag.strip().lower()))
    return [tag for _, _, tag in sorted(weighted)]
