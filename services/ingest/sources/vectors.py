"""Files of vectors that somebody else has computed: found below a source, read some rows at a time, and told apart by
the names that films have in a dataset's layout."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.core.errors import invalid
from services.core.security import confine
from services.ingest.reasons import BadFilm, Reason
from services.ingest.sources import layouts
from services.ingest.sources.arrays import Rows, count_npy, count_npz, read_npy, read_npz
from services.ingest.sources.columns import count_parquet, read_parquet
from services.ingest.sources.files import DICOM, LAYOUTS, PICTURES
from services.ingest.sources.refs import ref_of
from services.ingest.sources.source import Source, open_source
from services.ingest.sources.tables import Row
from services.ingest.sources.tfrecord import count_tfrecord, read_tfrecord

_READ = {".npy": read_npy, ".npz": read_npz, ".parquet": read_parquet, ".tfrecord": read_tfrecord,
         ".tfrecords": read_tfrecord}  # fmt: skip
_COUNT = {".npy": count_npy, ".npz": count_npz, ".parquet": count_parquet, ".tfrecord": count_tfrecord,
          ".tfrecords": count_tfrecord}  # fmt: skip
_FILMS = (*PICTURES, *DICOM)


@dataclass(frozen=True, slots=True)
class VectorFile:
    """One file below a source. `name` is its path there, with forward slashes."""

    root: Path
    name: str

    def read(self, array: str = "", names: str = "") -> Iterator[Rows]:
        """Raises BadFilm, also after some rows."""
        if confine(self.root, self.name) is None:
            raise BadFilm(Reason.OUTSIDE_SOURCE)
        return _READ[Path(self.name).suffix.lower()](self.root / self.name, array, names)

    def count(self, names: str = "") -> int:
        """How many films it speaks of, as far as its header tells; at least 1."""
        if confine(self.root, self.name) is None:
            return 1
        return max(1, _COUNT[Path(self.name).suffix.lower()](self.root / self.name, names))

    def ref(self, secret: bytes, row: int | None = None) -> str:
        """Of one of its rows, or of the whole file."""
        return ref_of(secret, self.name if row is None else f"{self.name}#{row}")

    def film(self) -> str:
        """What the film is called whose vector the file is."""
        return self.name[: -len(Path(self.name).suffix)]


def list_vectors(source: Path) -> list[VectorFile]:
    """Every file of vectors under `source`, or `source` itself, sorted by name. Raises INVALID_ARGUMENT."""
    if source.is_file():
        found = [VectorFile(source.parent, source.name)] if source.suffix.lower() in _READ else []
    else:
        found = [VectorFile(source, name) for name in sorted(_walk(source))]
    if not found:
        raise invalid(f"the source holds no file of vectors; they end in {', '.join(_READ)}")
    return found


def resolve(source: Path, secret: bytes, refs: Collection[str]) -> dict[str, str]:
    """ref → file and row, for whoever has both the source and the installation's secret."""
    found: dict[str, str] = {}
    for file in list_vectors(source) if refs else ():
        if (ref := file.ref(secret)) in refs:
            found[ref] = file.name
        for row in range(count := file.count()):
            if (ref := file.ref(secret, row)) in refs:
                found[ref] = file.name if count == 1 else f"{file.name} row {row}"
    return found


@dataclass(frozen=True, slots=True)
class Naming:
    """How the names beside vectors become keys of films. A name may be a film's path, its file name or its id, and the
    film may have another ending than the vector.

    source: what the tables state, where there are any.
    """

    key: Callable[[str], str]
    endings: tuple[str, ...]
    source: Source | None = None

    @property
    def keep_ids(self) -> bool:
        return self.source is not None and self.source.keep_ids

    def keys(self, name: str) -> list[str]:
        """Keys that the film may have, likeliest first."""
        keys = [self.key(spelt) for spelt in self._spellings(name)]
        bare = _bare(name)
        return list(dict.fromkeys([*keys, bare.rsplit("/", 1)[-1], bare]))

    def rows(self, names: Sequence[str]) -> list[Row | None]:
        """What the tables state of each film; None where nobody speaks of it."""
        if self.source is None:
            return [None] * len(names)
        asked = [(number, spelt, _bare(name).rsplit("/", 1)[-1]) for number, name in enumerate(names)
                 for spelt in self._spellings(name)]  # fmt: skip
        found: list[Row | None] = [None] * len(names)
        told = self.source.find([spelt for _, spelt, _ in asked], [bare for *_, bare in asked])
        for (number, *_), row in zip(asked, told, strict=True):
            found[number] = found[number] or row
        return found

    def _spellings(self, name: str) -> list[str]:
        plain = name.replace("\\", "/").removeprefix("./")
        bare = _bare(name)
        own = [plain] if plain != bare else []
        return list(dict.fromkeys([*own, *(f"{bare}{ending}" for ending in self.endings)]))

    def close(self) -> None:
        if self.source:
            self.source.close()


def naming(source: Path, layout: str, labels: str, tables: str, columns: str, image_id: Callable[[str], str]) -> Naming:
    """The layout's own way. Its tables are read only where somebody says where they are: keys need none.

    Raises INVALID_ARGUMENT.
    """
    opened = None
    if labels or tables or columns:
        opened = open_source(source, layout, labels, "", image_id, tables, columns)
    if layout not in LAYOUTS and not columns:
        published = layouts.named(layout)
        return Naming(published.key, published.films, opened)
    if opened is not None:
        return Naming(lambda name: opened.key(name, None, None), _FILMS, opened)
    return Naming(lambda name: name, _FILMS)


def _bare(name: str) -> str:
    """Without the ending of a film. Ids have dots, too, so nothing else is cut off."""
    plain = name.replace("\\", "/").removeprefix("./")
    ending = next((e for e in (*_FILMS, *_READ) if plain.lower().endswith(e)), "")
    return plain[: len(plain) - len(ending)]


def _walk(source: Path) -> Iterator[str]:
    for folder, below, files in os.walk(source, followlinks=False):
        below[:] = [name for name in below if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in _READ:
                yield Path(folder, name).relative_to(source).as_posix()
