"""NLST, the National Lung Screening Trial: what radiologists noted on each low-dose CT, by person and screening year.

The tables as the Imaging Data Commons gives them (``nlst_780_*_idc_20210527.csv``). PatientID is ``pid``. StudyDate is
made up and codes the year of screening: 19990102 is year 0, 20000102 year 1, 20010102 year 2 (Cancer Imaging Archive,
"NLST CT Images -- General Details").

A reader listed every abnormality of a scan, so what a read scan's list does not have is absent, implicitly; scans that
the table of screens does not have are unknown. Lung cancer is present in the year that its diagnosis is counted to,
absent where none was ever confirmed, and unknown in the other years of those who have one. Codes: the
trial's data dictionaries (those of abnormalities from 61 on and of race from memory).
"""

from __future__ import annotations

from services.ingest.sources.layout import Csv, Layout, Listed, Said

ABNORMALITIES = {
    51: "Nodule", 52: "Micronodule", 53: "Benign Nodule", 54: "Atelectasis", 55: "Pleural Thickening or Effusion",
    56: "Adenopathy", 57: "Chest Wall Abnormality", 58: "Consolidation", 59: "Emphysema",
    60: "Cardiovascular Abnormality", 61: "Reticular Opacities or Fibrosis", 62: "Six or More Nodules",
    63: "Other Abnormality above Diaphragm", 64: "Other Abnormality below Diaphragm", 65: "Other Minor Abnormality",
}  # fmt: skip
_RACES = {
    1: "White", 2: "Black or African-American", 3: "Asian", 4: "American Indian or Alaskan Native",
    5: "Native Hawaiian or Other Pacific Islander", 6: "More than one race",
}  # fmt: skip
_FIRST_YEAR = 1999
_PERSON = ("pid", "gender", "age", "race", "cancyr", "scr_days0", "scr_days1", "scr_days2")


def key(patient_id: str, study_date: str) -> str | None:
    """Of a scan: ``100012/0``, from its header's PatientID and StudyDate (ISO); None for what is none of the trial."""
    year = int(study_date[:4]) - _FIRST_YEAR
    return f"{int(patient_id)}/{year}" if patient_id.isdecimal() and 0 <= year <= 2 else None


def _whole(column: str) -> str:
    return f"TRY_CAST(TRY_CAST({column} AS DOUBLE) AS INTEGER)"


def _named(column: str, names: dict[int, str]) -> str:
    cases = " ".join(f"WHEN {code} THEN '{name}'" for code, name in names.items())
    return f"CASE {_whole(column)} {cases} END"


LAYOUT = Layout(
    name="nlst",
    title="NLST (CT)",
    terms="CC BY 4.0 (images); the tables as the National Cancer Institute gives them",
    films=(".dcm",),
    marks=("**/nlst_*_prsn_*.csv*",),
    tables={
        "prsn": Csv("**/nlst_*_prsn_*.csv", _PERSON, unique=("pid",)),
        "screen": Csv("**/nlst_*_screen_*.csv", ("pid", "study_yr"), required=False),
        "ctab": Csv("**/nlst_*_ctab_*.csv", ("pid", "study_yr", "sct_ab_desc"), required=False),
    },
    views={
        "scans": f"""
            SELECT {_whole('pid')} AS person, yr, {_whole('age')} AS entered, gender, race,
                   {_whole('cancyr')} AS cancer,
                   TRY_CAST(CASE yr WHEN 0 THEN scr_days0 WHEN 1 THEN scr_days1 ELSE scr_days2 END AS DOUBLE) AS days
            FROM prsn CROSS JOIN (SELECT unnest([0, 1, 2]) AS yr) WHERE {_whole('pid')} IS NOT NULL
        """,
        "looked": f"SELECT DISTINCT {_whole('pid')} AS person, {_whole('study_yr')} AS yr FROM screen",
        "noted": f"""
            SELECT {_whole('pid')} AS person, {_whole('study_yr')} AS yr,
                   string_agg(DISTINCT {_named('sct_ab_desc', ABNORMALITIES)}, '|') AS names
            FROM ctab GROUP BY ALL
        """,
    },
    joined="scans LEFT JOIN looked USING (person, yr) LEFT JOIN noted USING (person, yr)",
    select={
        "key": "person || '/' || yr",
        "patient_id": "person",
        "sex": _named("gender", {1: "M", 2: "F"}),
        "age": "CAST(floor(entered + coalesce(days / 365.25, yr)) AS INTEGER)",
        "race": _named("race", _RACES),
        "study_order": "yr",
    },
    key=lambda scan: scan,
    labels=(
        Listed("CASE WHEN names IS NOT NULL THEN names WHEN looked.person IS NOT NULL THEN 'No Finding' END",
               "radiologist", tuple(ABNORMALITIES.values()), level="study"),
        Said("""[struct_pack(name := 'Lung Cancer', score := NULL,
                             state := CASE WHEN cancer = yr THEN '1' WHEN cancer IS NULL THEN '0' END)]""",
             "trial", level="study"),
    ),
    date_kind="ordinal",
    constants={"attribution": "National Lung Screening Trial Research Team; The Cancer Imaging Archive"},
)  # fmt: skip
