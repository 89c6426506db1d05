"""CheXpert Plus: CheXpert's films with their reports, demographics, and labels of report or impression.

Films come as PNG or DICOM under the same names; keys leave the ending out. The order of a patient's reports is no
order in time (as an audit of the release reports), so it is not taken for one. Chambon et al. 2024; names of columns
as in release 240401, of the label files from memory.
"""

from __future__ import annotations

import re

from services.core.labels import CHEXPERT
from services.ingest.sources.layout import Csv, Layout, Told, Wide

_SECTIONS = ("findings", "impression", "technique", "comparison", "history", "clinical_history", "summary")
_COLUMNS = (
    "path_to_image", "path_to_dcm", "frontal_lateral", "ap_pa", "deid_patient_id", "report", "age", "sex", "race",
    "ethnicity", "split", *(f"section_{name}" for name in _SECTIONS),
)  # fmt: skip
_STUDY = r"replace(regexp_extract(path_to_image, 'patient\d+/study\d+'), '/', '-')"


def key(name: str) -> str:
    """``train/patient00001/study1/view1_frontal`` wherever it lies and however it ends."""
    found = re.search(r"(?:^|/)((?:train|valid|test)/patient[^.]*)\.\w+$", name)
    return found[1] if found else name


LAYOUT = Layout(
    name="chexpert-plus",
    title="CheXpert Plus",
    terms="Stanford University Dataset Research Use Agreement",
    films=(".png", ".jpg", ".dcm"),
    marks=("df_chexpert_plus_*.csv*",),
    tables={
        "films": Csv("df_chexpert_plus_*.csv", _COLUMNS, unique=("path_to_image",)),
        "labeled": Csv(
            "**/report_fixed.json", ("path_to_image", *CHEXPERT), unique=("path_to_image",), required=False, json=True
        ),
        "impressions": Csv(
            "**/impression_fixed.json", ("path_to_image", *CHEXPERT), unique=("path_to_image",), required=False,
            json=True,
        ),
    },
    joined="""
        films LEFT JOIN labeled ON labeled.path_to_image = films.path_to_image
        LEFT JOIN impressions ON impressions.path_to_image = films.path_to_image
    """,
    select={
        "key": r"regexp_extract(films.path_to_image, '((?:train|valid|test)/patient[^.]*)\.', 1)",
        "patient_id": "deid_patient_id",
        "study_id": _STUDY.replace("path_to_image", "films.path_to_image"),
        "view": "CASE WHEN frontal_lateral = 'Lateral' THEN 'LATERAL' ELSE ap_pa END",
        "sex": "sex",
        "age": "CASE WHEN TRY_CAST(age AS DOUBLE) > 0 THEN age END",
        "race": "race",
        "ethnicity": "ethnicity",
        "split": "split",
    },
    key=key,
    labels=(
        Wide("labeled", "chexbert-report", {name: name for name in CHEXPERT}, level="study"),
        Wide("impressions", "chexbert-impression", {name: name for name in CHEXPERT}, level="study"),
    ),
    reports=Told(
        "films", _STUDY,
        {"report": "report", **{name: f"section_{name}" for name in _SECTIONS}},
    ),
    date_kind="ordinal",
    constants={"licence": "Stanford University Dataset Research Use Agreement"},
)  # fmt: skip
