"""Several regions on one machine, whose audit services cosign each other's logs.

    with Regions(["in", "nl"], Path("var")) as regions:
        print(regions["nl"].portal)

Each is a whole mesh with roots, keys and data of its own. They meet at the witness ports alone.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Self

from sandbox.mesh import Mesh, Ports


class Regions:
    """The meshes, in the order of their names as given. One alone has no witnesses."""

    def __init__(
        self,
        names: Sequence[str],
        root: Path,
        ports: Callable[[int], Ports] = Ports.fixed,
        only: Collection[str] = (),
    ) -> None:
        """Name the regions; `only` starts just these services of each."""
        self._meshes = {name: Mesh(name, root, ports(n)) for n, name in enumerate(names)}
        self._only = only

    def __getitem__(self, name: str) -> Mesh:
        """Return a region."""
        return self._meshes[name]

    def __iter__(self) -> Iterator[Mesh]:
        """Go through the regions."""
        return iter(self._meshes.values())

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start all; each log needs most of the others as witnesses."""
        for mesh in self:
            mesh.prepare()
        others = len(self._meshes) - 1
        if others:
            for mesh in self:
                mesh.meet([other for other in self if other is not mesh], others // 2 + 1)
        for mesh in self:
            mesh.start(*([self._only] if self._only else []))

    def stop(self) -> list[str]:
        """Stop all; return the processes that had to be killed."""
        return [f"{mesh.region} {name}" for mesh in self for name in mesh.stop()]

    def failed(self) -> list[tuple[Mesh, str]]:
        """Return the processes that have ended by themselves."""
        return [(mesh, name) for mesh in self for name in mesh.failed()]
