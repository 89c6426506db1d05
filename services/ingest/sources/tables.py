"""Tables that speak of films: a CSV of facts and labels, a CSV of reports. Columns are found by name.

Labels come in either of two shapes: one column ``labels`` with names joined by ``|`` (what is listed is present, the
rest unknown), or one column per finding with 1, 0, -1 or blank. A blank is unknown and never becomes absent.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from services.core.errors import HilumError, invalid
from services.core.labels import CHEXPERT, NIH, Label, LabelState, label_key, label_state
from services.ingest import stated
from services.ingest.scratch import Scratch
from services.ingest.stated import Stated

_COLUMNS = {
    "path": ("file", "filename", "path", "imagepath", "filepath", "imageindex", "pathtoimage", "image"),
    "key": ("imageid", "dicomid", "sopinstanceuid", "sopuid", "sop", "seriesinstanceuid"),
    "patient_id": ("patientid", "subjectid", "patient", "empianon", "deidpatientid"),
    "study_id": ("studyid", "studyinstanceuid", "study", "studyuid"),
    "view": ("view", "viewposition", "projection"),
    "sex": ("sex", "gender", "patientsex", "patientgender"),
    "age": ("age", "patientage", "ageyears"),
    "study_date": ("studydate", "studydateanon"),
    "study_order": ("studyorder", "studynumber", "offset", "offsetdays", "dayoffset", "daysoffset", "visit"),
    "modality": ("modality",),
    "licence": ("licence", "license"),
    "attribution": ("attribution",),
    "labels": ("labels", "findinglabels"),
    "label_source": ("labelsource",),
}
_READ: dict[str, Callable[[str], object]] = {
    "patient_id": lambda cell: stated.text(cell, 128),
    "study_id": lambda cell: stated.text(cell, 128),
    "view": stated.view,
    "sex": stated.sex,
    "age": stated.age,
    "study_date": stated.date,
    "study_order": stated.order,
    "modality": stated.modality,
    "licence": lambda cell: stated.text(cell, 128),
    "attribution": lambda cell: stated.text(cell, 2_000),
}
SECTIONS = (
    "findings", "impression", "indication", "technique", "comparison", "history", "examination", "report",
)  # fmt: skip
_FINDINGS = {label_key(name) for name in (*CHEXPERT, *NIH)}
_PAGE = 1_000
_BETWEEN = "\x1f"  # cells of a row that is kept
_MAX_LABEL_NAMES = 500  # a column with more holds something else than findings: free text, perhaps


@dataclass(frozen=True, slots=True)
class Row:
    """What a table states of one film, and the film's own key where the table has one."""

    stated: Stated
    key: str | None


@dataclass(slots=True)
class FilmTable:
    """Rows by every name that a film may be found under. They are kept as text in a scratch file and `read` when they
    are asked for: archives have millions of rows."""

    read: Callable[[str], Row] = lambda _: Row(Stated(), None)
    rows: int = 0
    findings: set[str] = field(default_factory=set)  # every finding that some row speaks of
    _kept: Scratch | None = None
    _kinds: set[str] = field(default_factory=set)  # of names: key, path, name, id
    _added: list[tuple[int, str, list[tuple[str, str]]]] = field(default_factory=list)  # not in the file yet
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _sorted: bool = False

    def find(self, name: str, sop_uid: str | None = None) -> Row | None:
        """The row of the file `name` (a path below the source): by key, by path, or by file name where it is unique."""
        if not self.rows:
            return None
        path = Path(name)
        found = next((rows for key in (sop_uid, path.stem, path.name) if key and (rows := self._at("key", key))), None)
        found = found or self._at("path", name)
        if not found and len(named := self._at("name", path.name)) == 1:
            found = named
        return self.read(found[0]) if found else None

    def of(self, image_id: str) -> Row | None:
        """The row whose own key makes `image_id`, once `identify` has been told how."""
        found = self._at("id", image_id)
        return self.read(found[0]) if found else None

    def identify(self, name: Callable[[str], str]) -> None:
        """Tell how a key becomes an image id. Before anything is looked for."""
        if "key" in self._kinds:
            kept = self._flushed()
            kept.function("image_id", lambda key: name(key.decode()).encode())
            kept.ask("INSERT INTO names SELECT 'id', image_id(name), row FROM names WHERE kind = 'key'")
            self._kinds.add("id")

    def add(self, row: str, key: str | None, path: str, bases: Sequence[str]) -> None:
        self.rows += 1
        names = [("key", key)] if key else []
        if path:
            names += [("path", f"{base}{path}") for base in bases]
            names.append(("name", path.rsplit("/", 1)[-1]))
        self._kinds.update(kind for kind, _ in names)
        self._added.append((self.rows, row, names))
        if len(self._added) == _PAGE:
            self._flushed()

    def close(self) -> None:
        if self._kept:
            self._kept.close()

    def _at(self, kind: str, name: str) -> list[str]:
        """The rows with this name, the last first; two of them at most."""
        if kind not in self._kinds:
            return []
        with self._lock:
            kept = self._flushed()
            if not self._sorted:
                kept.ask("CREATE INDEX by_name ON names (kind, name, row)")
                self._sorted = True
        found = kept.ask(
            "SELECT cells FROM names JOIN rows USING (row) WHERE kind = ? AND name = ? ORDER BY row DESC LIMIT 2",
            (kind, _bytes(name)),
        )
        return [cells for (cells,) in found]

    def _flushed(self) -> Scratch:
        if self._kept is None:
            self._kept = Scratch(
                "CREATE TABLE rows (row INTEGER PRIMARY KEY, cells TEXT)",
                "CREATE TABLE names (kind TEXT, name BLOB, row INTEGER)",
            )
        if self._added:
            self._kept.fill("INSERT INTO rows VALUES (?, ?)", [(number, row) for number, row, _ in self._added])
            names = [(kind, _bytes(name), number) for number, _, said in self._added for kind, name in said]
            self._kept.fill("INSERT INTO names VALUES (?, ?, ?)", names)
            self._added.clear()
        return self._kept


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")  # names of files need not be UTF-8


def read_films(path: Path, source: Path) -> FilmTable:
    """Read a table of films; paths in it count from its own folder or from the source. Raises INVALID_ARGUMENT."""
    table = FilmTable()
    with _opened(path) as reader:
        columns = mapped_columns(reader.fieldnames or ())
        findings = finding_columns(reader.fieldnames or ())
        if "path" not in columns and "key" not in columns:
            raise invalid("the table of labels needs a column that names the film: file, path, image_id or dicom_id")
        bases = _bases(path, source)
        used = [*(column for ours, column in columns.items() if ours != "path"), *findings]
        table.read = lambda row: _row(dict(zip(used, row.split(_BETWEEN), strict=False)), columns, findings)
        for cells in reader:
            row = _row(cells, columns, findings)
            table.findings.update(label.name for label in row.stated.labels or ())
            if len(table.findings) > _MAX_LABEL_NAMES:
                raise invalid("the column of labels holds more than 500 different names; it needs names of findings")
            name = str(cells.get(columns.get("path", ""), "") or "").strip().replace("\\", "/").removeprefix("./")
            packed = _BETWEEN.join((cells.get(column) or "").replace(_BETWEEN, " ") for column in used)
            table.add(packed, row.key, name, bases)
    if not table.rows:
        raise invalid("the table of labels has a header but no rows")
    return table


def read_reports(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """(study id, section → text) per row; blank sections are left out. Raises INVALID_ARGUMENT."""
    with _opened(path) as reader:
        study = mapped_columns(reader.fieldnames or ()).get("study_id")
        sections = {name: name.strip().lower() for name in reader.fieldnames or () if name.strip().lower() in SECTIONS}
        if study is None or not sections:
            raise invalid(f"the table of reports needs study_id and at least one of {', '.join(SECTIONS)}")
        for cells in reader:
            texts = {key: text for name, key in sections.items() if (text := (cells[name] or "").strip())}
            if (study_id := stated.text(cells[study], 128)) and texts:
                yield study_id, texts


def _row(cells: dict[str, str | None], columns: dict[str, str], findings: dict[str, str]) -> Row:
    values = {name: read(cells.get(columns[name]) or "") for name, read in _READ.items() if name in columns}
    source = stated.text(cells.get(columns.get("label_source", "")), 64) or "table"
    labels = _listed(cells.get(columns["labels"]) or "", source) if "labels" in columns else []
    for column, name in findings.items():
        state = label_state(cells.get(column))
        if state is not None and state is not LabelState.UNKNOWN:
            labels.append(_label(name, state, source))
    speaks = "labels" in columns or bool(findings)
    key = stated.text(cells.get(columns.get("key", "")), 128)
    return Row(Stated(**values, labels=tuple(dict.fromkeys(labels)) if speaks else None), key)  # type: ignore[arg-type]


def _listed(cell: str, source: str) -> list[Label]:
    names = [label_key(name) for name in cell.split("|") if name.strip()]
    if any(len(name) > 64 for name in names):
        raise invalid("the column of labels holds text longer than a name; it needs findings joined by '|'")
    return [_label(name, LabelState.PRESENT, source) for name in names if name]


@lru_cache(10_000)
def _label(name: str, state: LabelState, source: str) -> Label:
    return Label(name, state, source)  # shared: an archive has millions of labels and few different ones


def mapped_columns(header: Sequence[str]) -> dict[str, str]:
    """Our name → the table's column; the first of our spellings that the table has."""
    known = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in reversed(header)}
    found = {ours: next((known[s] for s in spellings if s in known), None) for ours, spellings in _COLUMNS.items()}
    return {ours: column for ours, column in found.items() if column is not None}


def finding_columns(header: Sequence[str]) -> dict[str, str]:
    """Column → finding: CheXpert's and NIH's names, those with a side, and whatever is called ``label:<name>``."""
    found: dict[str, str] = {}
    for column in header:
        plain = re.sub(r"^labels?[:.]", "", column.strip(), flags=re.IGNORECASE)
        key = label_key(plain)
        finding = re.sub(r"_(right|left)$", "", key)
        sided = key if finding == key else f"{label_key(finding)}{key[len(finding) :]}"
        if plain != column.strip() or label_key(finding) in _FINDINGS:
            found[column] = sided[:64]
    return found


def _bases(table: Path, source: Path) -> list[str]:
    """What to put before a path of the table so that it counts from the source: nothing, and the table's folder."""
    folder, root = table.resolve().parent, (source if source.is_dir() else source.parent).resolve()
    if folder.is_relative_to(root) and folder != root:
        return ["", f"{folder.relative_to(root).as_posix()}/"]
    return [""]


class _opened:  # noqa: N801 - used as a function
    """A CSV as dictionaries, plain or gzipped; whatever is wrong with it is said with its line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> csv.DictReader[str]:
        try:
            raw = gzip.open(self._path) if self._path.suffix == ".gz" else self._path.open("rb")
        except OSError:
            raise invalid("the table cannot be opened; check its path and permissions") from None
        self._file = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")  # type: ignore[arg-type]
        self._reader = csv.DictReader(self._file, restkey="")
        return self._reader

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        line = getattr(getattr(self, "_reader", None), "line_num", 0)
        self._file.close()
        if isinstance(error, HilumError) or error is None:
            return
        if isinstance(error, (csv.Error, UnicodeDecodeError, OSError, EOFError)):
            raise invalid(f"the table cannot be read after line {line}; it needs UTF-8 CSV") from None
