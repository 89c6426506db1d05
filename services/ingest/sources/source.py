"""One source of films: what files there are, what its tables state of them, and how it names them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from services.core.errors import invalid
from services.encoders.slices import LAYOUT as CT
from services.ingest.reasons import BadFilm
from services.ingest.sources import layouts, series
from services.ingest.sources.dicom import stated_in_header
from services.ingest.sources.files import LAYOUTS as FOLDERS
from services.ingest.sources.files import Listed, list_endings, list_films
from services.ingest.sources.joined import JoinedRows
from services.ingest.sources.layout import Layout, StudyReports
from services.ingest.sources.layouts import nlst_ct
from services.ingest.sources.mapped import read_map
from services.ingest.sources.tables import FilmTable, Row, read_films, read_reports

Named = Callable[[str], str]  # a film's own key → image_id


class Source(Protocol):
    """keep_ids: its ids and dates are already those of a de-identified dataset.  rows: of its tables.  passed: files
    that `films` passed over and that may hold films, by ending."""

    keep_ids: bool
    rows: int
    findings: set[str]
    passed: Counter[str]

    def films(self) -> Sequence[Listed]:
        """Every file that may be a film, in a fixed order."""
        ...

    def find(self, names: Sequence[str], uids: Sequence[str | None] = ()) -> list[Row | None]:
        """What the tables state of these files, by path below the source, or by SOPInstanceUID."""
        ...

    def of(self, image_ids: Sequence[str]) -> list[Row | None]:
        """The same for films that are stored already."""
        ...

    def key(self, name: str, uid: str | None, row: Row | None) -> str:
        """The dataset's own key of a film, from which its id is made."""
        ...

    def reports(self) -> StudyReports: ...

    def close(self) -> None: ...


def open_source(
    source: Path, layout: str, labels: str, reports: str, image_id: Named, tables: str = "", columns: str = ""
) -> Source:
    """A folder with a table of labels, or a dataset in its published layout. Raises INVALID_ARGUMENT.

    columns: a column map for a dataset without a published layout.  layout ``auto`` recognises published layouts by
    their files, unless a table of labels was named.
    """
    root = Path(tables) if tables else source
    if columns:
        return Published(read_map(Path(columns)), source, root, image_id)
    if layout == CT and tables:
        if labels:
            raise invalid("for CT slices name labels or tables, not both")
        return Screened(source, Path(tables), image_id)
    if layout in FOLDERS and layout != "auto":
        return (Slices if layout == CT else Folder)(source, layout, labels, reports, image_id)
    if layout == "auto":
        found = None if labels or not root.is_dir() else layouts.recognised(root)
        return Published(found, source, root, image_id) if found else Folder(source, layout, labels, reports, image_id)
    return Published(layouts.named(layout), source, root, image_id)


class Folder:
    """Films in any order of folders, with or without a table."""

    keep_ids = False

    def __init__(self, source: Path, layout: str, labels: str, reports: str, image_id: Named) -> None:
        self._source, self._layout, self._reports = source, layout, reports
        self._table = read_films(Path(labels), source) if labels else FilmTable()
        self._table.identify(image_id)
        self.rows, self.findings = self._table.rows, self._table.findings
        self.passed = Counter[str]()

    def films(self) -> Sequence[Listed]:
        self.passed.clear()
        return list_films(self._source, self._layout, self.passed)

    def find(self, names: Sequence[str], uids: Sequence[str | None] = ()) -> list[Row | None]:
        return [self._table.find(*pair) for pair in zip(names, uids or [None] * len(names), strict=True)]

    def of(self, image_ids: Sequence[str]) -> list[Row | None]:
        return [self._table.of(image_id) for image_id in image_ids]

    def key(self, name: str, uid: str | None, row: Row | None) -> str:
        """SOPInstanceUID, else the table's key, else the path below the source."""
        return uid or (row.key if row and row.key else name)

    def reports(self) -> StudyReports:
        return read_reports(Path(self._reports)) if self._reports else iter(())

    def close(self) -> None:
        self._table.close()


class Slices(Folder):
    """Series of CT slices, each one image with the key SeriesInstanceUID."""

    def films(self) -> Sequence[Listed]:
        return series.middles(super().films())


class Screened(Slices):
    """CT series of a trial whose tables go by person and year of screening: a slice's header says both."""

    keep_ids = True

    def __init__(self, source: Path, tables: Path, image_id: Named) -> None:
        super().__init__(source, CT, "", "", image_id)
        self._rows = JoinedRows(nlst_ct.LAYOUT, tables, image_id)
        self.rows, self.findings = self._rows.rows, self._rows.findings()

    def find(self, names: Sequence[str], uids: Sequence[str | None] = ()) -> list[Row | None]:
        return self._rows.find([self._scan(name) for name in names])

    def of(self, image_ids: Sequence[str]) -> list[Row | None]:
        """Ids are of series, which no table names: only `find` knows."""
        return [None] * len(image_ids)

    def key(self, name: str, uid: str | None, row: Row | None) -> str:
        """SeriesInstanceUID: a scan has several series, and each is an image."""
        return uid or name

    def close(self) -> None:
        super().close()
        self._rows.close()

    def _scan(self, name: str) -> str:
        root = self._source if self._source.is_dir() else self._source.parent
        try:
            told = stated_in_header(series.header(Listed(root, name)).elements)
        except BadFilm:
            return ""
        return nlst_ct.key(told.patient_id or "", told.study_date or "0000") or ""


class Published:
    """A dataset as its publisher lays it out."""

    def __init__(self, layout: Layout, source: Path, tables: Path, image_id: Named) -> None:
        self._layout, self._source, self._tables = layout, source, tables
        self.keep_ids = layout.keep_ids
        self._rows = JoinedRows(layout, tables, image_id)
        self.rows, self.findings = self._rows.rows, self._rows.findings()
        self.passed = Counter[str]()

    def films(self) -> Sequence[Listed]:
        self.passed.clear()
        return list_endings(self._source, self._layout.films, self.passed)

    def find(self, names: Sequence[str], uids: Sequence[str | None] = ()) -> list[Row | None]:
        return self._rows.find(names, uids)

    def of(self, image_ids: Sequence[str]) -> list[Row | None]:
        return self._rows.of(image_ids)

    def key(self, name: str, uid: str | None, row: Row | None) -> str:
        """The publisher's, so that releases in several formats give a film one id."""
        return row.key if row and row.key else self._layout.key(name)

    def reports(self) -> StudyReports:
        told = self._layout.reports
        return told(self._tables) if callable(told) else self._rows.reports()

    def close(self) -> None:
        self._rows.close()
