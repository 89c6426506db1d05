"""All files of an export, in the order in which they are made: small ones, pictures by id, then what speaks of them.

Interrupted, the same export goes on: what the receiver has by its checksum is not sent again, and pictures up to the
last one that it has are not made again.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from services.analytics.cohort.export import (
    croissant,
    csv_file,
    handing_on,
    ids,
    methods,
    omop,
    parquet_file,
    readme,
    record,
)
from services.analytics.cohort.export.frozen import Frozen
from services.analytics.cohort.export.part import Part, Spooled, spool, text
from services.analytics.cohort.export.pictures import Pictures
from services.analytics.cohort.export.table import Content
from services.analytics.progress import Progress
from services.core.blobs import Blobs
from services.core.errors import HilumError, invalid
from services.core.facts import Facts

FORMAT = 1
CROISSANT, JPG = "croissant", "jpg"
TABLES: dict[str, Callable[[Content], Iterator[Part]]] = {
    "csv": csv_file.parts,
    "parquet": parquet_file.parts,
    "ids": ids.parts,
    "tables": record.parts,
    "omop": omop.parts,
    "methods": methods.parts,
}
FORMATS = (*TABLES, CROISSANT, JPG)
USUAL = ("csv", "parquet", "tables", CROISSANT, "methods")
_MOST_RIGHT = 500
_AT_ONCE = 4  # pictures in the making


@dataclass(frozen=True)
class Present:
    """A picture that the receiver has already; it was not made again."""

    name: str


def chosen(formats: Sequence[str]) -> tuple[str, ...]:
    """The formats in force, in a fixed order: Croissant describes tables, so it brings CSV along. Raises
    INVALID_ARGUMENT."""
    wanted = set(formats or USUAL)
    if strange := sorted(wanted - set(FORMATS)):
        raise invalid(f"no such format: {', '.join(strange)[:100]}; there are {', '.join(FORMATS)}")
    if CROISSANT in wanted and not wanted & {"csv", "parquet"}:
        wanted.add("csv")
    return tuple(name for name in FORMATS if name in wanted)


def _ahead(parts: Iterator[Part], after: str) -> Iterator[tuple[str, Spooled | Present | None]]:
    """Name and file in the same order, some of them made while others are sent; None where one cannot be made."""
    due = deque[tuple[str, Present | Future[Spooled]]]()
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for part in parts:
            there = part.name <= after
            due.append((part.name, Present(part.name) if there else threads.submit(spool, part)))
            if len(due) > 2 * _AT_ONCE:
                yield _done(*due.popleft())
        while due:
            yield _done(*due.popleft())


def _done(name: str, one: Present | Future[Spooled]) -> tuple[str, Spooled | Present | None]:
    try:
        return name, one if isinstance(one, Present) else one.result()
    except HilumError:  # its picture is damaged, or went while we came to it
        return name, None


class Bundle:
    """right: to hand films on, in words of who exports, where their licences do not say it."""

    def __init__(
        self, frozen: Frozen, facts: Facts, blobs: Blobs, formats: Sequence[str] = (), right: str = "",
        progress: Progress | None = None,
    ) -> None:  # fmt: skip
        if len(right) > _MOST_RIGHT:
            raise invalid(f"say by which right films are handed on in at most {_MOST_RIGHT} characters")
        self.formats, self._right = chosen(formats), " ".join(right.split())
        self.content = Content(frozen, facts, progress)
        self._pictures = Pictures(self.content, facts, blobs, self._right) if JPG in self.formats else None

    @property
    def total(self) -> int:
        """About how many files there will be."""
        return 20 + (len(self._pictures.ids) - self._pictures.left_out.total() if self._pictures else 0)

    @property
    def left_out(self) -> Mapping[str, int]:
        """Why pictures are left out → films."""
        return self._pictures.left_out if self._pictures else {}

    def files(self, after: str = "") -> Iterator[Spooled | Present]:
        """Each file, made when it is asked for. after: the last picture that the receiver has."""
        made: list[Spooled] = []
        for part in self._small():
            made.append(spool(part))
            yield made[-1]
        shown = 0
        for name, file in _ahead(self._pictures.parts(), after) if self._pictures else ():
            if file is None:
                self._pictures.lose(name)  # type: ignore[union-attr]
            else:
                shown += 1
                yield file
        last: list[Part] = []
        if self._pictures:
            made.append(spool(self._pictures.index()))
            yield made[-1]
        if CROISSANT in self.formats:
            described = [one for one in made if one.part.name.endswith((".csv", ".parquet", ".txt"))]
            last.append(croissant.part(self.content, described, shown > 0))
            yield spool(last[-1])
        parts = [one.part for one in made] + last
        yield spool(readme.part(self.content, parts, shown, self.left_out, self._right, self.formats))

    def _small(self) -> Iterator[Part]:
        yield Part("export.json", "what was exported, for the program that made it", text(self.identity()))
        yield from record.always(self.content)
        yield from handing_on.parts(self.content)
        for name in self.formats:
            if name in TABLES:
                yield from TABLES[name](self.content)

    def identity(self) -> str:
        """Which export this is: files of two exports are not mixed in one folder."""
        frozen = self.content.frozen
        told = {
            "format": FORMAT, "cohort": frozen.name, "run_id": frozen.run_id, "ids_sha256": frozen.ids_sha256,
            "formats": self.formats, "right": self._right,
        }  # fmt: skip
        return json.dumps(told, ensure_ascii=False, indent=1) + "\n"
