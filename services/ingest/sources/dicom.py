"""What a DICOM header states of its film."""

from __future__ import annotations

from pydicom.dataset import Dataset

from services.ingest import stated
from services.ingest.stated import Stated

_VIEW_CODES = {  # SNOMED RT as DX headers carry them; SNOMED CT of the same concepts
    "R-10214": "PA", "R-10206": "AP", "R-10236": "LATERAL", "R-10232": "LATERAL", "R-10228": "LATERAL",
    "272479007": "PA", "399348003": "AP", "399067008": "LATERAL", "399173006": "LATERAL", "399198007": "LATERAL",
}  # fmt: skip


def sop_uid(elements: Dataset) -> str | None:
    """SOPInstanceUID as it stands, valid or not: it is only ever hashed."""
    return stated.text(elements.get("SOPInstanceUID"), 128)


def series_uid(elements: Dataset) -> str | None:
    """SeriesInstanceUID, likewise."""
    return stated.text(elements.get("SeriesInstanceUID"), 128)


def stated_in_header(elements: Dataset) -> Stated:
    """The facts of the allow-list. An element that cannot be read is one that was not stated."""
    seen = stated.view(_value(elements, "ViewPosition")) or _coded_view(elements)
    return Stated(
        patient_id=stated.text(_value(elements, "PatientID"), 128),
        study_id=stated.text(_value(elements, "StudyInstanceUID"), 128),
        view=seen,
        sex=stated.sex(_value(elements, "PatientSex")),
        age=stated.age(_value(elements, "PatientAge")),
        study_date=stated.date(_value(elements, "StudyDate")),
        modality=stated.modality(_value(elements, "Modality")),
        series_id=stated.text(_value(elements, "SeriesInstanceUID"), 128),
        accession_id=stated.text(_value(elements, "AccessionNumber"), 128),
        view_source="stated" if seen else None,
        body_part=stated.code(_value(elements, "BodyPartExamined")),
        manufacturer=stated.text(_value(elements, "Manufacturer"), 64),
        device=stated.text(_value(elements, "ManufacturerModelName"), 64),
        institution=stated.text(_value(elements, "InstitutionName"), 64),
        bits_stored=stated.whole(_value(elements, "BitsStored")),
        photometric=stated.code(_value(elements, "PhotometricInterpretation")),
        pixel_spacing=_spacing(elements),
        burned_in=stated.burned_in(_value(elements, "BurnedInAnnotation")),
    )


def _spacing(elements: Dataset) -> float | None:
    """Millimetres between rows: at the patient where it is calibrated, else at the detector."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        try:
            spacing = float(_value(elements, keyword)[0])  # type: ignore[index]
        except (TypeError, ValueError, IndexError):
            continue
        if 0 < spacing < 100:
            return round(spacing, 6)
    return None


def _coded_view(elements: Dataset) -> str | None:
    for item in _value(elements, "ViewCodeSequence") or ():
        code = str(item.get("CodeValue") or item.get("LongCodeValue") or "").strip()
        if known := _VIEW_CODES.get(code) or stated.view(item.get("CodeMeaning")):
            return known
    return None


def _value(elements: Dataset, keyword: str) -> object:
    try:
        return elements.get(keyword)
    except Exception:  # pydicom converts on access, and a damaged value may raise anything
        return None
