"""Several engine processes over one data directory, so that collections answer side by side.

Edge holds the interpreter lock in every call: one process answers on one core, however many models a question asks.
Each process here owns some of the collections; `VectorStore` asks every one of them what it holds. The first lies in
the directory itself, further ones in `lanes/N` below it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from .supervisor import EngineProcess

# An idle process costs 32 MB and 0.2 s of CPU at its start; questions of more models at once are rare.
LANES = 4


class EngineFleet:
    """Starts, keeps alive and stops them together.

    with EngineFleet(Path("data/vectors")) as fleet:
        store = VectorStore(fleet.url)
    """

    def __init__(
        self, directory: Path, lanes: int = LANES, index_after: int | None = None, log_file: Path | None = None
    ) -> None:
        """`lanes`: how many, at least as many as the directory has been used with. The rest as `EngineProcess`."""
        used = [1 + int(folder.name) for folder in (directory / "lanes").glob("*") if folder.name.isdecimal()]
        folders = [directory, *(directory / "lanes" / str(number) for number in range(1, max(lanes, 1, *used)))]
        turn = directory / "indexing.lock"  # graphs are built one at a time: each takes a core, memory and space
        self.engines = [EngineProcess(folder, 0, index_after, log_file, turn) for folder in folders]

    @property
    def url(self) -> str:
        """Their addresses, with commas between them, as `VectorStore` takes them."""
        return ",".join(engine.url for engine in self.engines)

    def start(self) -> str:
        """Start all and wait until they serve; returns `url`. Raises EngineFailedError, and then none runs."""
        try:
            with ThreadPoolExecutor(len(self.engines)) as pool:
                list(pool.map(EngineProcess.start, self.engines))
        except BaseException:
            self.stop()
            raise
        return self.url

    def stop(self) -> None:
        """Stop all cleanly."""
        with ThreadPoolExecutor(len(self.engines)) as pool:
            list(pool.map(EngineProcess.stop, self.engines))

    def __enter__(self) -> EngineFleet:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.stop()
