"""Which films a job has taken, so that the second file of a film is known as one."""

from __future__ import annotations

from collections.abc import Iterable

from services.ingest.scratch import Scratch

Claim = tuple[str, str]  # the file's ref and the film's pixels; blank when only the facts can tell


class Taken:
    """image_id → who has it, as a dict would keep it, but on disk: a job can have millions of films."""

    def __init__(self, already: Iterable[tuple[str, Claim]] = ()) -> None:
        self._kept = Scratch("CREATE TABLE taken (image TEXT PRIMARY KEY, ref TEXT, pixels TEXT) WITHOUT ROWID")
        self.update(already)

    def setdefault(self, image: str, claim: Claim, /) -> Claim:
        """Who has the film: `claim`, if it is the first."""
        # One statement, so that of two threads one is first.
        [(ref, pixels)] = self._kept.ask(
            "INSERT INTO taken VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET ref = ref RETURNING ref, pixels",
            (image, *claim),
        )
        return ref, pixels

    def update(self, more: Iterable[tuple[str, Claim]]) -> None:
        self._kept.fill("INSERT OR REPLACE INTO taken VALUES (?, ?, ?)", ((image, *claim) for image, claim in more))

    def items(self) -> list[tuple[str, Claim]]:
        """All of them, to be handed to another process."""
        return [(image, (ref, pixels)) for image, ref, pixels in self._kept.ask("SELECT * FROM taken")]

    def close(self) -> None:
        self._kept.close()
