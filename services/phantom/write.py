"""Write an archive of phantom films: DICOM files, labels, reports, and the exact truth.

OUT/P07000000/S1/<SOPInstanceUID>.dcm
OUT/labels.csv    one row per film: file, keys, demographics, findings as 1, 0, -1 or blank
OUT/reports.csv   one row per study: study_id, findings, impression
OUT/truth.csv     one row per film: every severity
"""

import csv
import datetime
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from services.phantom.dicom import dataset, film_uid, patient_name, relative_path, study_date, study_uid
from services.phantom.labels import COLUMNS, label_row
from services.phantom.population import Study, population
from services.phantom.reports import report_rng, write_report
from services.phantom.truth import SLOTS, PhantomFilm

DATASET = "phantom"
KEYS = ("file", "dicom_id", "dataset", "patient_id", "study_id", "view", "sex", "age", "study_date")

Dated = tuple[PhantomFilm, datetime.date]


def write_archive(
    out: Path, n: int, seed: int, size: int = 512, workers: int = 2, progress: Callable[[int, int], None] | None = None
) -> None:
    """Write ``n`` films of ``size`` pixels under ``out``; the same arguments write the same bytes.

    ``progress(done, n)`` is called after every film. Raises ``ValueError`` for an ``n``, ``seed`` or ``size`` out of
    range and ``OSError`` when ``out`` cannot be written.
    """
    studies = list(population(n, seed))
    films = [(film, study_date(study)) for study in studies for film in study.films]
    out.mkdir(parents=True, exist_ok=True)
    for folder in {relative_path(film).parent for film, _ in films}:
        (out / folder).mkdir(parents=True, exist_ok=True)
    save = partial(_save, out, size)
    if workers <= 1:
        _watch(map(save, films), n, progress)
    else:
        with get_context("spawn").Pool(workers) as pool:
            _watch(pool.imap_unordered(save, films, chunksize=4), n, progress)
    _table(out / "labels.csv", (*KEYS, *COLUMNS), ({**_keys(*item), **label_row(item[0])} for item in films))
    _table(
        out / "truth.csv",
        ("file", *SLOTS),
        ({"file": relative_path(film).as_posix(), **asdict(film.findings)} for film, _ in films),
    )
    _table(out / "reports.csv", ("study_id", "findings", "impression"), map(_report, studies))


def _save(out: Path, size: int, item: Dated) -> None:
    film, date = item
    dataset(film, date, size).save_as(out / relative_path(film), enforce_file_format=True)


def _watch(done: Iterable[None], n: int, progress: Callable[[int, int], None] | None) -> None:
    for i, _ in enumerate(done):
        if progress:
            progress(i + 1, n)


def _keys(film: PhantomFilm, date: datetime.date) -> dict[str, object]:
    return {
        "file": relative_path(film).as_posix(), "dicom_id": film_uid(film), "dataset": DATASET,
        "patient_id": patient_name(film.patient), "study_id": study_uid(film.patient, film.study),
        "view": film.view, "sex": film.sex, "age": film.age, "study_date": date.isoformat(),
    }  # fmt: skip


def _report(study: Study) -> dict[str, str]:
    """The report of a study is written from its frontal film, always the first."""
    film = study.films[0]
    report = write_report(film, report_rng(film))
    return {
        "study_id": study_uid(study.patient, study.index),
        "findings": report.findings.words,
        "impression": report.impression.words,
    }


def _table(path: Path, columns: Iterable[str], rows: Iterable[dict]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
