"""Emory CXR v2: about 2.4 million PNGs of 360,000 patients, labels and reports by accession.

Accession numbers are text in one table and numbers in another; short ones collide between patients, so labels join by
accession only where it belongs to one patient. Names of files as in public source code that reads the release.
"""

from __future__ import annotations

from services.core.labels import CHEXPERT
from services.ingest.sources.layout import Csv, Layout, Told, Wide, stem

_ACCESSION = r"regexp_replace(AccessionNumber_anon, '\.0$', '')"
_META = (
    "empi_anon", "AccessionNumber_anon", "SOP", "ImagePath", "ViewPosition", "Sex", "Age", "Race", "Ethnicity",
    "Frontal", "InstitutionName_anon", "StudyDate_anon",
)  # fmt: skip

LAYOUT = Layout(
    name="emory-cxr",
    title="Emory CXR v2",
    terms="Emory data use agreement",
    films=(".png", ".dcm"),
    marks=("**/EmoryCXR_v2_metadata_*.csv*",),
    tables={
        "metadata": Csv("**/EmoryCXR_v2_metadata_*.csv", _META, unique=("SOP",)),
        "findings": Csv(
            "**/EmoryCXR_v2_FindingLabel_*.csv", ("AccessionNumber_anon", *CHEXPERT), unique=("AccessionNumber_anon",),
            required=False,
        ),
        "told": Csv("**/EmoryCXR_v2_Report_*.csv", ("AccessionNumber_anon", "deid_report"), required=False),
        "makers": Csv(
            "**/EmoryCXR_v2_Manufacturer*.csv", ("SOP", "Manufacturer", "ManufacturerModelName"), unique=("SOP",),
            required=False,
        ),
    },
    views={
        "films": f"SELECT * REPLACE ({_ACCESSION} AS AccessionNumber_anon) FROM metadata",
        "labelled": f"SELECT * REPLACE ({_ACCESSION} AS AccessionNumber_anon) FROM findings",
        "owned": "SELECT AccessionNumber_anon, count(DISTINCT empi_anon) AS owners FROM films GROUP BY ALL",
        "narrated": f"""
            SELECT min(empi_anon) || '-' || accession AS study, string_agg(DISTINCT deid_report, chr(10)) AS report
            FROM (SELECT *, {_ACCESSION} AS accession FROM told) AS told
            JOIN films ON films.AccessionNumber_anon = accession
            GROUP BY accession HAVING count(DISTINCT empi_anon) = 1
        """,
    },
    joined="""
        films JOIN owned USING (AccessionNumber_anon)
        LEFT JOIN labelled ON labelled.AccessionNumber_anon = films.AccessionNumber_anon AND owners = 1
        LEFT JOIN makers ON makers.SOP = films.SOP
    """,
    select={
        "key": "films.SOP",
        "patient_id": "empi_anon",
        "study_id": "empi_anon || '-' || films.AccessionNumber_anon",
        "accession_id": "films.AccessionNumber_anon",
        "study_date": "StudyDate_anon[1:10]",
        "view": "CASE WHEN lower(Frontal) IN ('false', '0', '0.0') THEN 'LATERAL' ELSE ViewPosition END",
        "sex": "Sex",
        "age": "Age",
        "race": r"regexp_replace(trim(Race), '\s+', ' ', 'g')",
        "ethnicity": "Ethnicity",
        "institution": "InstitutionName_anon",
        "manufacturer": "Manufacturer",
        "device": "ManufacturerModelName",
    },
    key=stem,
    labels=(Wide("labelled", "chexpert", {name: name for name in CHEXPERT}, level="study"),),
    reports=Told("narrated", "study", {"report": "report"}),
    date_kind="shifted",
    constants={"licence": "Emory data use agreement"},
)  # fmt: skip
