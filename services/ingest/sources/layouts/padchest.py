"""PadChest: 160,861 films of Valencia with Spanish reports and 174 findings, 27 % of them labelled by physicians.

Missing values are the word None; ids have up to 39 digits; reports and lists hold line breaks. Projection is what
people checked, so it goes before ViewPosition. Births are years: an age is known to a year. Labels are a list of what
is present; unlike NIH's, they come from a hierarchy that nobody closes, so what is not listed is unknown.
Bustos et al. 2020.
"""

from __future__ import annotations

from services.ingest.sources.layout import Csv, Layout, Said, Told, basename

_COLUMNS = (
    "ImageID", "StudyDate_DICOM", "StudyID", "PatientID", "PatientBirth", "PatientSex_DICOM", "ViewPosition_DICOM",
    "Projection", "Modality_DICOM", "Manufacturer_DICOM", "BitsStored_DICOM", "PhotometricInterpretation_DICOM",
    "ReportID", "Report", "MethodLabel", "Labels",
)  # fmt: skip
_NAMES = "list_filter(regexp_extract_all(Labels, '''([^'']*)''', 1), lambda name: trim(name) <> '')"
_SAID = f"""
    list_transform(list_distinct(list_transform({_NAMES}, lambda name: trim(name))),
        lambda name: struct_pack(name := CASE name WHEN 'normal' THEN 'No Finding' ELSE name END,
                            state := '1', score := CAST(NULL AS DOUBLE)))
"""

LAYOUT = Layout(
    name="padchest",
    title="PadChest",
    terms="PadChest Dataset Research Use Agreement",
    films=(".png",),
    marks=("PADCHEST_chest_x_ray_images_labels_160K*.csv*",),
    tables={
        "films": Csv("PADCHEST_chest_x_ray_images_labels_160K*.csv", _COLUMNS, unique=("ImageID",), distinct=False),
    },
    joined="films",
    select={
        "key": "ImageID",
        "patient_id": "PatientID",
        "study_id": "StudyID",
        "study_date": "StudyDate_DICOM",
        "sex": "PatientSex_DICOM",
        "age": "TRY_CAST(StudyDate_DICOM[1:4] AS INTEGER) - TRY_CAST(TRY_CAST(PatientBirth AS DOUBLE) AS INTEGER)",
        "age_binned": "TRUE",
        "view": """CASE WHEN Projection IN ('L', 'PA', 'AP', 'AP_horizontal') THEN Projection
                        WHEN Projection IN ('UNK', 'None') OR Projection IS NULL THEN ViewPosition_DICOM END""",
        "orientation": "CASE Projection WHEN 'AP_horizontal' THEN 'supine' WHEN 'PA' THEN 'erect' END",
        "modality": "Modality_DICOM",
        "manufacturer": "Manufacturer_DICOM",
        "bits_stored": "BitsStored_DICOM",
        "photometric": "PhotometricInterpretation_DICOM",
    },
    key=basename,
    labels=(
        Said(f"CASE WHEN MethodLabel = 'Physician' THEN {_SAID} END", "physician", level="study"),
        Said(f"CASE WHEN MethodLabel <> 'Physician' THEN {_SAID} END", "rnn", level="study"),
    ),
    reports=Told("films", "StudyID", {"report": "Report"}),
    date_kind="real",
    constants={"licence": "PadChest Dataset Research Use Agreement"},
)  # fmt: skip
