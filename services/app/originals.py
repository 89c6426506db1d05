"""The original films of a cohort, found again in a folder by their hashes and written without what names people.

The archive keeps no original and no path. A file is a film of the cohort when its bytes have the film's hash, or, where
it was packed anew, when its decoded pixels have. What is written goes through the same profile as ``hilum deidentify``.
"""

from __future__ import annotations

import hashlib
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from hilum.folder import Folder
from services.analytics.cohort.export import csv_file
from services.ingest.decode_pool import DecodePool
from services.ingest.given_away import treated
from services.ingest.reasons import BadFilm
from services.ingest.sources.files import Listed, list_films

FOLDER = "originals"
ENDINGS = ("dcm", "png", "jpg")
NOT_FOUND = "not found in the folder"
_ABOUT = """# Original films

Found again by their hashes and written by DICOM's Basic Application Level Confidentiality Profile (PS3.15): no private
elements, UIDs replaced by keyed ones, days moved by a number of days that is the patient's own, PatientID and
PatientName as `films.parquet` has them. PNG and JPEG come without what stood beside their pixels. Names are image ids;
`originals.csv` says which film is which file, how it was found, and why one is not here.

**Pixels are as they were.** Films known or suspected to have writing in them are left out; look for names in the others
before you hand them on. Days were moved from what the files said: for datasets stored with days of their own, they
differ from `study_date` of the tables.
"""
Seen = Callable[..., None]


@dataclass
class Wanted:
    """A film of the cohort. left_out: why it is not to be written.  file, how: where it is, and by which hash it was
    found."""

    image_id: str
    dataset: str
    patient_id: str
    bytes_sha256: str
    pixel_sha256: str
    left_out: str = ""
    file: str = ""
    how: str = ""


@dataclass
class Originals:
    """What is wanted of a source. secret: the installation's."""

    wanted: list[Wanted]
    source: Path
    secret: bytes
    pool: DecodePool
    seen: Seen = lambda *_, **__: None
    _refused: dict[str, str] = field(default_factory=dict)

    def into(self, folder: Folder) -> None:
        """Write them below ``originals/``, those that are there already left alone, with index and note."""
        due = [one for one in self.wanted if not one.left_out]
        rest = self._by_bytes(folder, due)
        if any(not one.file for one in due):
            self._by_pixels(folder, [one for one in due if not one.file], rest)
        for one in due:
            if not one.file:
                one.left_out = self._refused.get(one.image_id, NOT_FOUND)
        _put(folder, f"{FOLDER}.csv", _index(self.wanted))
        _put(folder, f"{FOLDER}.md", _ABOUT.encode())

    @property
    def missing(self) -> dict[str, int]:
        """Why originals are not there → films."""
        found: dict[str, int] = defaultdict(int)
        for one in self.wanted:
            if one.left_out:
                found[one.left_out] += 1
        return dict(sorted(found.items()))

    def _by_bytes(self, folder: Folder, due: list[Wanted]) -> list[Listed]:
        """The files that are no film by their bytes."""
        sought: dict[str, list[Wanted]] = defaultdict(list)
        for one in due:
            sought[one.bytes_sha256].append(one)
        files, rest = list_films(self.source), list[Listed]()
        for number, file in enumerate(files, 1):
            try:
                data = file.read()
            except BadFilm:
                continue
            found = sought.pop(hashlib.sha256(data).hexdigest(), [])
            for one in found:
                self._write(folder, one, data, "bytes")
            if not found:
                rest.append(file)
            self.seen(number, len(files), "by bytes")
        return rest

    def _by_pixels(self, folder: Folder, due: list[Wanted], files: list[Listed]) -> None:
        sought: dict[str, list[Wanted]] = defaultdict(list)
        for one in due:
            sought[one.pixel_sha256].append(one)
        with ThreadPoolExecutor(self.pool.workers) as threads:
            for number, (file, digest) in enumerate(zip(files, threads.map(self._pixels, files), strict=True), 1):
                for one in sought.pop(digest, []) if digest else ():
                    self._write(folder, one, file.read(), "pixels")
                self.seen(number, len(files), "by pixels")
                if not sought:
                    return

    def _pixels(self, file: Listed) -> str:
        try:
            return self.pool.decode(file.read()).pixel_sha256
        except BadFilm:
            return ""

    def _write(self, folder: Folder, one: Wanted, data: bytes, how: str) -> None:
        there = next((n for n in (f"{FOLDER}/{one.image_id}.{end}" for end in ENDINGS) if folder.holds(n)), "")
        try:
            if there:
                folder.keep(there)
            else:
                _, ending, clean = treated(data, self.secret, one.dataset, one.patient_id)
                there = f"{FOLDER}/{one.image_id}.{ending}"
                folder.write(there, hashlib.sha256(clean).hexdigest(), [clean])
            one.file, one.how = there, how
        except BadFilm as error:
            self._refused[one.image_id] = error.reason.value


def wanted(rows: Iterable[dict[str, str | None]], why: Callable[[str | None, str | None], str]) -> Iterator[Wanted]:
    """rows: of films.parquet.  why: licence, writing → why a film is left out."""
    for row in rows:
        known = {name: row[name] or "" for name in ("dataset", "patient_id", "bytes_sha256", "pixel_sha256")}
        yield Wanted(str(row["image_id"]), **known, left_out=why(row["licence"], row["burned_in"]))


def _index(films: list[Wanted]) -> bytes:
    out = io.BytesIO()
    rows = ((one.image_id, one.file, one.how, one.left_out) for one in films)
    csv_file.write(out, ("image_id", "file", "found_by", "left_out"), rows)
    return out.getvalue()


def _put(folder: Folder, name: str, data: bytes) -> None:
    folder.write(name, hashlib.sha256(data).hexdigest(), [data])
