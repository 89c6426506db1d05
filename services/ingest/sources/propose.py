"""A first column map for a folder of films and tables, guessed from names of columns and from what stands in them.

Only names and shapes are looked at and written down; no value of a table leaves this module.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from services.core.errors import invalid
from services.core.labels import label_state
from services.ingest.sources.files import DICOM, PICTURES, list_films
from services.ingest.sources.tables import SECTIONS, finding_columns, mapped_columns

_ROWS = 200
_MOST_TABLES = 50
_PATHS = ("path", "key")
_LISTED = (
    "# beside `listed`, `universe: [edema, fracture]` names the findings that were looked for: a film that does not\n"
    "# list them is then without them; else that is unknown, and analyses have no films without a finding.\n"
)


def propose(source: Path) -> str:
    """YAML for `mapped.read_map`, with comments where a guess needs its user's eye. Raises INVALID_ARGUMENT."""
    films = list_films(source)
    best, header, rows = max(
        _tables(source), key=lambda found: _fits(found[1], found[2], films), default=(None, [], [])
    )
    known = mapped_columns(header)
    if best is None or not any(name in known for name in _PATHS):
        raise invalid("no table below the source has a column that names films: file, path, image_id or dicom_id")
    findings = {column: name for column, name in finding_columns(header).items() if _states(rows, column)}
    sections = {name.strip().lower(): name for name in header if name.strip().lower() in SECTIONS}
    map_: dict[str, object] = {
        "films": sorted({Path(film.name).suffix.lower() for film in films} & {*PICTURES, *DICOM}) or [".dcm"],
        "table": best.relative_to(source).as_posix(),
        "key": next(known[name] for name in _PATHS if name in known),
        "columns": {fact: column for fact, column in known.items() if fact not in (*_PATHS, "labels", "label_source")},
    }
    labels: list[dict[str, object]] = []
    if findings:
        labels.append({"source": "table", "columns": {name: column for column, name in findings.items()}})
    if "labels" in known:
        labels.append({"source": "table", "listed": known["labels"], "separator": _separator(rows, known["labels"])})
    if labels:
        map_["labels"] = labels
    if sections and "study_id" in known:
        map_["reports"] = {"study": known["study_id"], "sections": sections}
    left = [column for column in header if column and column not in _mentioned(map_)]
    return (
        "# A guess from the names of columns: read it, mend it, then `hilum ingest SOURCE --map THIS_FILE`.\n"
        "# keep_ids: true only when the dataset is already de-identified: its ids and dates are then kept.\n"
        f"{yaml.safe_dump(map_, sort_keys=False, allow_unicode=True)}keep_ids: false\n"
        + (_LISTED if "labels" in known else "")
        + (f"# not used: {', '.join(left)}\n" if left else "")
    )


def _tables(source: Path) -> Iterator[tuple[Path, list[str], list[dict[str, str]]]]:
    """Tables below the source with their header and first rows."""
    paths = [path for glob in ("*.csv", "*.csv.gz", "*/*.csv", "*/*.csv.gz") for path in sorted(source.glob(glob))]
    for path in paths[:_MOST_TABLES]:
        try:
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as raw:
                reader = csv.DictReader(io.TextIOWrapper(raw, "utf-8-sig", newline=""))  # type: ignore[arg-type]
                rows = [row for row, _ in zip(reader, range(_ROWS), strict=False)]
                yield path, list(reader.fieldnames or ()), rows
        except (OSError, UnicodeDecodeError, csv.Error, EOFError):
            continue


def _fits(header: Sequence[str], rows: Sequence[Mapping[str, str]], films: Sequence[object]) -> tuple[int, int]:
    """How many of the first rows name a film that is there, then how much the header says."""
    known = mapped_columns(header)
    names = {part for film in films for part in _spellings(film.name)}  # type: ignore[attr-defined]
    column = next((known[name] for name in _PATHS if name in known), None)
    here = sum(bool(names & set(_spellings(str(row.get(column) or "")))) for row in rows) if column else 0
    return here, len(known) + len(finding_columns(header))


def _spellings(name: str) -> tuple[str, str]:
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return last, last.rsplit(".", 1)[0]


def _states(rows: Sequence[Mapping[str, str]], column: str) -> bool:
    return all(label_state(row.get(column)) is not None for row in rows)


def _separator(rows: Sequence[Mapping[str, str]], column: str) -> str:
    text = " ".join(str(row.get(column) or "") for row in rows)
    return max("|;,", key=text.count)


def _mentioned(value: object) -> set[str]:
    if isinstance(value, dict):
        return set().union(*map(_mentioned, value.values())) if value else set()
    if isinstance(value, list):
        return set().union(*map(_mentioned, value)) if value else set()
    return {str(value)}
