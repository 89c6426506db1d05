"""What the two releases of MIMIC-CXR share: PhysioNet's tables, MIMIC-IV's demographics, and the reports.

Ages are of the day of the study: the anchor age moved by the years between (above 89 MIMIC states 91; it is kept as
90). Race is that of the last admission up to the study. Labels are of the study, not of the film.
Johnson et al. 2019; tables as in releases 2.0.0 and 2.1.0.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from services.core.labels import CHEXPERT
from services.ingest.sources.layout import Csv, StudyReports, Wide, stem
from services.ingest.sources.sections import split_report

_STUDY = ("subject_id", "study_id")
_META = (
    "dicom_id", *_STUDY, "ViewPosition", "StudyDate", "ViewCodeSequence_CodeMeaning",
    "PatientOrientationCodeSequence_CodeMeaning",
)  # fmt: skip
_LONGEST_REPORT = 200_000

TABLES = {
    "metadata": Csv("mimic-cxr-2.*-metadata.csv", _META, unique=("dicom_id",), required=False),
    "split": Csv("mimic-cxr-2.*-split.csv", ("dicom_id", "split"), unique=("dicom_id",), required=False),
    "chexpert": Csv("mimic-cxr-2.*-chexpert.csv", (*_STUDY, *CHEXPERT), unique=_STUDY, required=False),
    "negbio": Csv("mimic-cxr-2.*-negbio.csv", (*_STUDY, *CHEXPERT), unique=_STUDY, required=False),
    "readers": Csv("mimic-cxr-2.*-test-set-labeled.csv", ("study_id", *CHEXPERT), unique=("study_id",), required=False),
    "patients": Csv(
        "**/patients.csv", ("subject_id", "gender", "anchor_age", "anchor_year"), unique=("subject_id",), required=False
    ),
    "admissions": Csv("**/admissions.csv", ("subject_id", "admittime", "race", "insurance"), required=False),
}
JOINS = """
    LEFT JOIN split USING (dicom_id)
    LEFT JOIN chexpert ON chexpert.subject_id = films.subject_id AND chexpert.study_id = films.study_id
    LEFT JOIN negbio ON negbio.subject_id = films.subject_id AND negbio.study_id = films.study_id
    LEFT JOIN readers ON readers.study_id = films.study_id
    LEFT JOIN patients ON patients.subject_id = films.subject_id
    LEFT JOIN (
        SELECT dicom_id, arg_max(race, admittime) AS race FROM films_of JOIN admissions USING (subject_id)
        WHERE admittime[1:10] <= study_day GROUP BY dicom_id
    ) AS admitted ON admitted.dicom_id = films.dicom_id
"""
SELECT = {
    "key": "films.dicom_id",
    "patient_id": "films.subject_id",
    "study_id": "films.study_id",
    "view": "coalesce(nullif(trim(ViewPosition), ''), ViewCodeSequence_CodeMeaning)",
    "orientation": "PatientOrientationCodeSequence_CodeMeaning",
    "study_date": "study_day",
    "sex": "patients.gender",
    "age": "TRY_CAST(anchor_age AS INTEGER) + TRY_CAST(study_day[1:4] AS INTEGER) - TRY_CAST(anchor_year AS INTEGER)",
    "race": "admitted.race",
    "split": "split.split",
}
LABELS = tuple(
    Wide(table, source, {name: name for name in CHEXPERT}, level="study")
    for table, source in (("chexpert", "chexpert"), ("negbio", "negbio"), ("readers", "radiologist"))
)
TERMS = "PhysioNet Credentialed Health Data License 1.5.0"


def reports(folder: Path) -> StudyReports:
    """``s50414267.txt`` below ``files`` or in ``mimic-cxr-reports.zip``: (study id, section → text)."""
    for name, text in _texts(folder):
        if sections := split_report(text):
            yield stem(name).removeprefix("s"), sections


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    packed = folder / "mimic-cxr-reports.zip"
    if packed.is_file():
        with zipfile.ZipFile(packed) as archive:  # read in place: nothing is unpacked, so no name can lead anywhere
            for info in archive.infolist():
                name = stem(info.filename)
                if name[:1] == "s" and info.filename.endswith(".txt") and info.file_size <= _LONGEST_REPORT:
                    yield info.filename, archive.read(info).decode("utf-8", "replace")
        return
    for path in sorted(folder.glob("files/p*/p*/s*.txt")):
        if path.stat().st_size <= _LONGEST_REPORT:
            yield path.name, path.read_text("utf-8", "replace")
