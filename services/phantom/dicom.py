"""Wrap a phantom film as a DX DICOM object; identifiers are made from the population's seed alone."""

import datetime
import uuid
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from services.phantom.film import MAX_VALUE, render
from services.phantom.population import Study
from services.phantom.truth import PhantomFilm, View

DX_FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.1"
IMPLEMENTATION = "2.25.104193870283645781293640112958771420035"  # of this writer
MONOCHROME1_SHARE = 0.1
FIELD_MM = 380.0
_NAMESPACE = uuid.UUID("6b1f3a52-0d51-5c1e-9a84-5d9f3a1c7e20")
_VIEW_CODES = {
    "PA": ("R-10214", "postero-anterior"), "AP": ("R-10206", "antero-posterior"), "LATERAL": ("R-10236", "lateral"),
}  # fmt: skip


def patient_name(patient: int) -> str:
    """The pseudonym of a phantom patient."""
    return f"P{patient:08d}"


def uid(*parts: object) -> str:
    """A UID under 2.25 that depends on ``parts`` alone."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, '/'.join(map(str, parts))).int}"


def study_uid(patient: int, study: int) -> str:
    """StudyInstanceUID, which the tables call ``study_id``."""
    return uid("study", patient, study)


def film_uid(film: PhantomFilm) -> str:
    """SOPInstanceUID of a film."""
    return uid("film", film.patient, film.study, film.view)


def relative_path(film: PhantomFilm) -> Path:
    """Where a film lies in an archive: ``patient/study/UID.dcm``."""
    return Path(patient_name(film.patient)) / f"S{film.study + 1}" / f"{film_uid(film)}.dcm"


def study_date(study: Study) -> datetime.date:
    """A date shifted far into the future, as de-identified archives do."""
    first = datetime.date(2110, 1, 1) + datetime.timedelta(days=study.patient * 7919 % 14_000)
    return first + datetime.timedelta(days=study.day)


def dataset(film: PhantomFilm, date: datetime.date, size: int) -> FileDataset:
    """A complete DX object, 12 bits; every tenth film is MONOCHROME1, as archives have it."""
    inverse = np.random.default_rng([film.patient, film.study, 41]).random() < MONOCHROME1_SHARE
    pixels = render(film, size)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DX_FOR_PRESENTATION
    meta.MediaStorageSOPInstanceUID = film_uid(film)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION
    d = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    _identify(d, film, date)
    _describe(d, film.view, inverse)
    d.Rows, d.Columns = pixels.shape
    d.ImagerPixelSpacing = d.PixelSpacing = [round(FIELD_MM / size, 4)] * 2
    d.PixelData = (MAX_VALUE - pixels if inverse else pixels).astype("<u2").tobytes()
    return d


def _identify(d: Dataset, film: PhantomFilm, date: datetime.date) -> None:
    """Patient, study, series and instance."""
    d.SpecificCharacterSet = "ISO_IR 192"
    d.SOPClassUID, d.SOPInstanceUID = DX_FOR_PRESENTATION, film_uid(film)
    d.StudyInstanceUID = study_uid(film.patient, film.study)
    d.SeriesInstanceUID = uid("series", film.patient, film.study, film.view)
    d.PatientID = patient_name(film.patient)
    d.PatientName = f"Phantom^{film.patient:08d}"
    d.PatientSex, d.PatientAge, d.PatientBirthDate = film.sex, f"{film.age:03d}Y", ""
    d.StudyDate, d.StudyTime = date.strftime("%Y%m%d"), f"{8 + film.patient % 12:02d}{film.patient * 7 % 60:02d}00"
    d.AccessionNumber, d.StudyID, d.ReferringPhysicianName = "", str(film.study + 1), ""
    d.SeriesNumber = 2 if film.view == "LATERAL" else 1
    d.InstanceNumber = 1
    d.PatientIdentityRemoved, d.DeidentificationMethod = "YES", "synthetic"
    d.BurnedInAnnotation = "NO"


def _describe(d: Dataset, view: View, inverse: bool) -> None:
    """Acquisition, and how the values are to be read."""
    d.Modality, d.BodyPartExamined, d.ViewPosition = "DX", "CHEST", "LL" if view == "LATERAL" else view
    d.Manufacturer, d.ManufacturerModelName = "Hilum", "Analytic phantom"
    d.ImageType = ["DERIVED", "PRIMARY"]
    d.PresentationIntentType = "FOR PRESENTATION"
    d.ImageLaterality, d.PatientOrientation = "U", ["P" if view == "LATERAL" else "L", "F"]
    code = Dataset()
    code.CodeValue, code.CodeMeaning = _VIEW_CODES[view]
    code.CodingSchemeDesignator = "SNM3"
    d.ViewCodeSequence = [code]
    d.SamplesPerPixel, d.PixelRepresentation = 1, 0
    d.BitsAllocated, d.BitsStored, d.HighBit = 16, 12, 11
    d.PhotometricInterpretation = "MONOCHROME1" if inverse else "MONOCHROME2"
    d.PresentationLUTShape = "INVERSE" if inverse else "IDENTITY"
    d.PixelIntensityRelationship, d.PixelIntensityRelationshipSign = "LOG", 1 if inverse else -1
    d.RescaleIntercept, d.RescaleSlope, d.RescaleType = "0", "1", "US"
    d.WindowCenter, d.WindowWidth = 2048, 4096
    d.LossyImageCompression = "00"
