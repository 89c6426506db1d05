"""MIMIC-CXR-JPG 2.0 and 2.1: 377,110 JPEGs, histogram-equalised by their publisher. See `mimic`.

Their vectors differ from those of the DICOM release: the two belong in different datasets.
"""

from __future__ import annotations

from dataclasses import replace

from services.ingest.sources.layout import Layout, stem
from services.ingest.sources.layouts import mimic

_FILMS = """
    SELECT *, StudyDate[1:4] || '-' || StudyDate[5:6] || '-' || StudyDate[7:8] AS study_day FROM metadata
"""

LAYOUT = Layout(
    name="mimic-cxr-jpg",
    title="MIMIC-CXR-JPG",
    terms=mimic.TERMS,
    films=(".jpg",),
    marks=("mimic-cxr-2.*-metadata.csv*", "files/p1*"),
    tables={**mimic.TABLES, "metadata": replace(mimic.TABLES["metadata"], required=True)},
    views={"films_of": _FILMS},
    joined=f"films_of AS films {mimic.JOINS}",
    select=mimic.SELECT,
    key=stem,
    labels=mimic.LABELS,
    reports=mimic.reports,
    date_kind="shifted",
    constants={"licence": mimic.TERMS, "modality": "DX"},
)
