"""The second pair of eyes: what one officer asks for, another carries out."""

from runtime.fault import Fault


def require_another(actor: str, author: str, resource: str) -> None:
    """Refuse with FOUR_EYES unless actor and author are surely two people.

    Surely: two accounts, or two staff certificates. Nothing says whose account goes with which
    certificate, so one of each may be one person.
    """
    same_kind = actor.startswith("accounts/") == author.startswith("accounts/")
    if same_kind and actor != author:
        return
    raise Fault(
        "FOUR_EYES",
        "somebody other than who wrote it carries it out, signed in the same way",
        metadata={"resource": resource},
    )
