"""BRAX: 40,967 films of São Paulo as DICOM or PNG, labels by NegBio on Portuguese reports; ages in bins of five years.

Columns of the master spreadsheet from memory of release 1.1.0. Reis et al. 2022.
"""

from __future__ import annotations

from services.core.labels import CHEXPERT
from services.ingest.sources.layout import Csv, Layout, Wide, stem

LAYOUT = Layout(
    name="brax",
    title="BRAX",
    terms="PhysioNet Credentialed Health Data License 1.5.0",
    films=(".dcm", ".png"),
    marks=("master_spreadsheet*.csv*",),
    tables={
        "films": Csv(
            "master_spreadsheet*.csv",
            ("DicomPath", "PngPath", "PatientID", "PatientSex", "PatientAge", "AccessionNumber", "StudyDate",
             "ViewPosition", "Manufacturer", *CHEXPERT),
        ),
    },
    joined="(SELECT DISTINCT *, coalesce(nullif(DicomPath, ''), PngPath) AS path FROM films) AS films",
    select={
        "key": r"regexp_extract(path, '([^/\\]+)\.\w+$', 1)",
        "patient_id": "PatientID",
        "study_id": r"coalesce(nullif(regexp_extract(path, 'Study_([\d.]+)', 1), ''), AccessionNumber)",
        "accession_id": "AccessionNumber",
        "study_date": "StudyDate",
        "sex": "PatientSex",
        "age": r"regexp_extract(PatientAge, '^\d+')",
        "age_binned": "TRUE",
        "view": "ViewPosition",
        "manufacturer": "Manufacturer",
    },
    key=stem,
    labels=(Wide("films", "negbio", {name: name for name in CHEXPERT}, level="study"),),
    date_kind="shifted",
    constants={"licence": "PhysioNet Credentialed Health Data License 1.5.0"},
)  # fmt: skip
