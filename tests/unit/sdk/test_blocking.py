"""Threads are offered what the event loop is."""

from __future__ import annotations

import inspect

from accord_client import blocking, guard

ON_THE_LOOP_ALONE = {"recall"}  # what `check` begins with in a thread


def surface(kind: type) -> dict[str, list[str]]:
    public = {name for name in dir(kind) if not name.startswith("_")} - ON_THE_LOOP_ALONE
    methods = {name for name in public if callable(getattr(kind, name))}
    asked = {name: list(inspect.signature(getattr(kind, name)).parameters) for name in methods}
    return {name: asked.get(name, []) for name in public}


def test_threads_have_the_surface_of_the_event_loop() -> None:
    assert surface(blocking.Accord) == surface(guard.Accord)
