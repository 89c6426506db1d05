"""Emory's 2023 datathon release: 16-bit PNGs, findings with -1, insurance with several rows per study.

Accessions collide between patients, so tables join by accession *and* patient. A BMI of 32,280 shows how raw the
metadata are: what is implausible is left out. Names as in the public release.
"""

from __future__ import annotations

from services.core.labels import CHEXPERT
from services.ingest.sources.layout import Csv, Layout, Wide, stem

LAYOUT = Layout(
    name="emory-datathon",
    title="Emory CXR, 2023 datathon",
    terms="Emory data use agreement",
    films=(".png",),
    marks=("**/datathon_cxr_metadata*.csv*",),
    tables={
        "metadata": Csv(
            "**/datathon_cxr_metadata*.csv",
            ("AccessionNumber_anon", "empi_anon", "StudyDate_anon", "ImagePath", "Sex", "Race", "Age",
             "ImageView_Frontal", "ImageView_Lateral"),
            unique=("ImagePath",),
        ),
        "findings": Csv(
            "**/datathon_cxr_findings*.csv", ("acc_nbr_anon", "empi_anon", *CHEXPERT),
            unique=("acc_nbr_anon", "empi_anon"), required=False,
        ),
    },
    joined="""
        metadata AS films LEFT JOIN findings
        ON findings.acc_nbr_anon = films.AccessionNumber_anon AND findings.empi_anon = films.empi_anon
    """,
    select={
        "key": r"regexp_extract(ImagePath, '([^/\\]+)\.\w+$', 1)",
        "patient_id": "films.empi_anon",
        "study_id": "films.empi_anon || '-' || films.AccessionNumber_anon",
        "accession_id": "films.AccessionNumber_anon",
        "study_date": "StudyDate_anon[1:10]",
        "view": """CASE WHEN lower(ImageView_Lateral) IN ('1', '1.0', 'true')
                         AND lower(ImageView_Frontal) NOT IN ('1', '1.0', 'true') THEN 'LATERAL' END""",
        "sex": "Sex",
        "age": "Age",
        "race": r"regexp_replace(trim(Race), '\s+', ' ', 'g')",
    },
    key=stem,
    labels=(Wide("findings", "chexpert", {name: name for name in CHEXPERT}, level="study"),),
    date_kind="shifted",
    constants={"licence": "Emory data use agreement"},
)  # fmt: skip
