"""MIMIC-CXR 2.0 and 2.1, the DICOM release: ``cxr-record-list`` says which film is whose. See `mimic`.

The tables of MIMIC-CXR-JPG, when they lie beside it, add views, dates, labels and the split.
"""

from __future__ import annotations

from services.ingest.sources.layout import Csv, Layout, stem
from services.ingest.sources.layouts import mimic

_FILMS = """
    SELECT records.dicom_id, records.subject_id, records.study_id, metadata.* EXCLUDE (dicom_id, subject_id, study_id),
           StudyDate[1:4] || '-' || StudyDate[5:6] || '-' || StudyDate[7:8] AS study_day
    FROM records LEFT JOIN metadata USING (dicom_id)
"""

LAYOUT = Layout(
    name="mimic-cxr",
    title="MIMIC-CXR (DICOM)",
    terms=mimic.TERMS,
    films=(".dcm",),
    marks=("cxr-record-list.csv*", "files/p1*"),
    tables={
        **mimic.TABLES,
        "records": Csv("cxr-record-list.csv", ("subject_id", "study_id", "dicom_id"), unique=("dicom_id",)),
    },
    views={"films_of": _FILMS},
    joined=f"films_of AS films {mimic.JOINS}",
    select=mimic.SELECT,
    key=stem,
    labels=mimic.LABELS,
    reports=mimic.reports,
    date_kind="shifted",
    constants={"licence": mimic.TERMS},
)
