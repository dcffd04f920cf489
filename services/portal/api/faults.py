"""From a refusal to a page: its status, what it means in plain words, and what to do next."""

from dataclasses import dataclass

from runtime.errors import code_of
from runtime.fault import Fault
from services.portal.api.catalog import Catalog

# The portal's own refusals; every other reason has its code in error_reason.proto.
_OWN = {"FORM_STALE": 403}
_STATUS = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 503,  # the token ran out on the way: the same page a moment later works
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "FAILED_PRECONDITION": 409,
    "RESOURCE_EXHAUSTED": 503,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 503,
}
_KNOWN_STATUS = frozenset({400, 403, 404, 405, 409, 413, 414, 415, 421, 500, 503})


def status_of(fault: Fault) -> int:
    """Return the HTTP status of a fault; 500 for what is nobody's mistake but ours."""
    return _OWN.get(fault.reason) or _STATUS.get(code_of(fault).name, 500)


@dataclass(frozen=True)
class FaultPage:
    """What an error page says: a title, an explanation, and a way on (path and its words)."""

    title: str
    text: str
    way: str
    way_words: str

    @classmethod
    def of_fault(cls, t: Catalog, fault: Fault, path: str) -> "FaultPage":
        """Return the page of a reason, or of its status where the catalog has no words for it."""
        key = f"fault.{fault.reason}"
        if not t.has(f"{key}.title"):
            return cls.of_status(t, status_of(fault), path)
        region = fault.metadata.get("region", "")
        return cls(
            t(f"{key}.title"),
            t(
                f"{key}.text",
                region=t.word("region", region) if region else "",
                reference=fault.metadata.get("reference", ""),
            ),
            *(("/sign-in", t("way.sign_in")) if fault.reason in _BEGIN_AGAIN else _way(t, path)),
        )

    @classmethod
    def of_status(cls, t: Catalog, status: int, path: str) -> "FaultPage":
        """Return the page of a status."""
        known = status if status in _KNOWN_STATUS else 500
        return cls(t(f"error.{known}.title"), t(f"error.{known}.text"), *_way(t, path))


_BEGIN_AGAIN = frozenset(
    {
        "FLOW_UNKNOWN",
        "FLOW_EXPIRED",
        "FLOW_REPLAYED",
        "FLOW_MISMATCH",
        "SIGN_IN_DECLINED",
        "PROOF_REFUSED",
        "PROVIDER_UNAVAILABLE",
        "REGISTRATION_UNKNOWN",
        "REGISTRATION_EXPIRED",
        "REGISTRATION_USED",
    }
)
_OVERVIEWS = {
    "/account": "nav.account",
    "/sharing": "nav.sharing",
    "/shared": "nav.shared",
    "/officer/recipients": "nav.recipients",
    "/officer/contracts": "nav.contracts",
    "/audit": "nav.audit",
}


def _way(t: Catalog, path: str) -> tuple[str, str]:
    """Lead from a page below an overview to that overview, and from anywhere else home."""
    for overview, words in _OVERVIEWS.items():
        if path.startswith(f"{overview}/"):
            return overview, t("way.page", page=t(words))
    return "/", t("way.home")
