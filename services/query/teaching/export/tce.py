"""IHE Teaching File and Clinical Trial Export (TCE): DICOM instances, and a Key Object Selection as their manifest.

IHE Radiology Technical Framework, profile TCE (transactions RAD-50 to RAD-53): the pictures as Secondary Captures, the
Additional Teaching File Information as a Basic Text SR, both named by a Key Object Selection (TID 2010) whose title
tells the purpose (CID 7010). One manifest for each patient, as such a document may speak of one alone.

The profile's first text coded titles and concepts in a scheme of its own (IHERADTF: TCE001 …); DICOM took titles,
categories and levels over (DCM 128710 …, CIDs 7010, 7014, 7016 to 7018), author to organ system not. RSNA's receivers
(CTP: DicomObject.checkManifest) look for the first alone: ask for `codes` iheradtf to send to them.

Every instance is made new from pixels and the words of the case: no element of a source is copied. UIDs follow from the
content and the installation's secret.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import BasicTextSRStorage, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from services.core.errors import ErrorCode, HilumError
from services.query.teaching.export.case import Case, Film
from services.query.teaching.export.words import clean, line, plain
from services.query.teaching.export.zipped import zipped

IMPLEMENTATION = "2.25.253089433164174217441613276462393281877"  # a random UUID, ours
MAKER = "Hilum"


class Code(NamedTuple):
    """As DICOM writes codes."""

    value: str
    scheme: str
    meaning: str

    @property
    def concept(self) -> hd.sr.CodedConcept:
        return hd.sr.CodedConcept(*self)


def _pair(now: str, first: str, meaning: str) -> dict[str, Code]:
    return {"dcm": Code(now, "DCM", meaning), "iheradtf": Code(first, "IHERADTF", meaning)}


TITLES = {
    "teaching": _pair("128710", "TCE001", "For Teaching File Export"),
    "trial": _pair("128711", "TCE002", "For Clinical Trial Export"),
    "research": _pair("128713", "TCE007", "For Research Collection Export"),
    "publication": _pair("128714", "TCE008", "For Publication Export"),
}
_ADDITIONAL = _pair("128712", "TCE006", "Additional Teaching File Information")
_CATEGORY = _pair("128723", "TCE109", "Teaching File Category")
_LEVEL = _pair("128724", "TCE110", "Level of Difficulty")
_MODALITY = Code("121139", "DCM", "Modality")
_LEVELS = {
    "primary": _pair("128725", "TCE201", "Primary level"),
    "intermediate": _pair("128726", "TCE202", "Intermediate level"),
    "advanced": _pair("128727", "TCE203", "Advanced level"),
}
_CATEGORIES = {
    "musculo": _pair("128728", "TCE301", "Musculoskeletal imaging subject matter"),
    "pulmo": _pair("128729", "TCE302", "Pulmonary imaging subject matter"),
    "chest": _pair("128729", "TCE302", "Pulmonary imaging subject matter"),
    "thora": _pair("128729", "TCE302", "Pulmonary imaging subject matter"),
    "cardio": _pair("128730", "TCE303", "Cardiovascular imaging subject matter"),
    "gastro": _pair("128731", "TCE304", "Gastrointestinal imaging subject matter"),
    "genito": _pair("128732", "TCE305", "Genitourinary imaging subject matter"),
    "neuro": _pair("128733", "TCE306", "Neuroimaging subject matter"),
    "vascular": _pair("128734", "TCE307", "Vascular and interventional imaging subject matter"),
    "nuclear": _pair("128735", "TCE308", "Nuclear medicine imaging subject matter"),
    "ultraso": _pair("128736", "TCE309", "Ultrasound imaging subject matter"),
    "pediatric": _pair("128737", "TCE310", "Pediatric imaging subject matter"),
    "breast": _pair("128738", "TCE311", "Breast imaging subject matter"),
}


def tce(case: Case) -> bytes:
    """A zip of DICOM files and of the credits as text. Raises FAILED_PRECONDITION for a case without a film."""
    if not case.films:
        raise HilumError(ErrorCode.FAILED_PRECONDITION, "the file has no film, and a manifest needs one")
    return zipped(_files(case))


def _files(case: Case) -> Iterable[tuple[str, bytes]]:
    for number, films in enumerate(case.persons, 1):
        pictures = [_picture(case, film, number) for film in films]
        more = _additional(case, films, pictures[0], number)
        for film, picture in zip(films, pictures, strict=True):
            yield f"{film.name}.dcm", _bytes(picture)
        yield f"additional-{number}.dcm", _bytes(more)
        yield f"manifest-{number}.dcm", _bytes(_manifest(case, films, pictures, more, number))
    yield "credits.txt", ("\n".join(map(line, case.credits)) + "\n").encode()


def _picture(case: Case, film: Film, person: int) -> FileDataset:
    """The kept picture as a Secondary Capture."""
    height, width = film.pixels.shape
    one = _instance(
        case,
        SecondaryCaptureImageStorage,
        case.number("picture", film.seed, film.key, hashlib.sha256(film.pixels.tobytes()).hexdigest()),
    )
    _of(one, case, film, person)
    one.Modality = film.modality if re.fullmatch("[A-Z]{2}", film.modality) else "OT"
    one.SeriesInstanceUID, one.SeriesNumber = _uid(case.number("pictures", film.person)), 1
    one.ConversionType = "WSD"
    one.InstanceNumber = film.number
    one.PatientOrientation, one.Laterality = None, ""
    one.ImageType = ["DERIVED", "SECONDARY"]
    one.DerivationDescription = "Reduced for teaching; not for diagnosis"
    one.LossyImageCompression = "01"
    one.BurnedInAnnotation = "YES" if film.written else "NO"
    one.ImageComments = _short(
        " ".join(said for said in (f"{film.title}.", line(plain(film.caption)), film.credit) if said), 10_240
    )
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.Rows, one.Columns = height, width
    one.BitsAllocated = one.BitsStored = 8
    one.HighBit, one.PixelRepresentation = 7, 0
    one.PixelData = np.ascontiguousarray(film.pixels).tobytes() + b"\0" * (height * width % 2)
    one["PixelData"].VR = "OB"
    return one


def _additional(case: Case, films: Sequence[Film], like: Dataset, person: int) -> FileDataset:
    """The words of the case as a Basic Text SR."""
    of, codes = case.document, case.asked.codes
    one = _instance(case, BasicTextSRStorage, case.number("additional", person, *_state(case, films)))
    _of(one, case, films[0], person)
    one.StudyInstanceUID = like.StudyInstanceUID
    one.Modality = "SR"
    one.SeriesInstanceUID, one.SeriesNumber, one.InstanceNumber = _uid(case.number("words", films[0].person)), 2, 1
    one.ReferencedPerformedProcedureStepSequence = []
    one.CompletionFlag, one.VerificationFlag = "COMPLETE", "UNVERIFIED"
    one.ContentDate, one.ContentTime = _day(case), "000000"
    one.PerformedProcedureCodeSequence = []
    one.ValueType, one.ContinuityOfContent = "CONTAINER", "SEPARATE"
    one.ConceptNameCodeSequence = [_ADDITIONAL[codes].concept]
    one.CodingSchemeIdentificationSequence = [_scheme()]
    authors = [", ".join(said for said in (who.name, who.affiliation) if said) for who in of.authors]
    said: list[tuple[Code, Iterable[str]]] = [
        (Code("TCE101", "IHERADTF", "Author"), authors or ["Anonymous"]),
        (Code("TCE103", "IHERADTF", "Contact"), [who.contact for who in of.authors]),
        (Code("TCE104", "IHERADTF", "Abstract"), [of.title]),
        (Code("TCE105", "IHERADTF", "Keywords"), of.keywords),
        (Code("121060", "DCM", "History"), [of.history]),
        (Code("121071", "DCM", "Finding"), [of.findings]),
        (Code("TCE106", "IHERADTF", "Discussion"), [of.discussion, *(s.text for s in of.sections), *case.credits]),
        (Code("111023", "DCM", "Differential Diagnosis/Impression"), of.differential),
        (Code("TCE107", "IHERADTF", "Diagnosis"), [of.diagnosis]),
        (Code("112005", "DCM", "Radiographic anatomy"), [of.anatomy]),
        (Code("111042", "DCM", "Pathology"), [of.pathology]),
        (Code("TCE108", "IHERADTF", "Organ system"), [of.organ_system]),
    ]
    items = [_text(name, text) for name, texts in said for text in texts if text]
    items += _coded(_CATEGORY[codes], of.category, _CATEGORIES, codes) + _coded(_LEVEL[codes], of.level, _LEVELS, codes)
    modality = of.modality or films[0].modality
    if re.fullmatch("[A-Z]{2,4}", modality):
        items.append(_code(_MODALITY, Code(modality, "DCM", modality)))
    elif modality:
        items.append(_text(_MODALITY, modality))
    one.ContentSequence = items
    return one


def _manifest(
    case: Case, films: Sequence[Film], pictures: Sequence[Dataset], more: Dataset, person: int
) -> hd.ko.KeyObjectSelectionDocument:
    """The Key Object Selection."""
    by = hd.sr.ObserverContext(
        hd.sr.CodedConcept("121006", "DCM", "Person"),
        hd.sr.PersonObserverIdentifyingAttributes(_person(case.authors or "Anonymous")),
    )
    content = hd.ko.KeyObjectSelection(
        document_title=TITLES[case.asked.purpose][case.asked.codes].concept,
        referenced_objects=[*pictures, more],
        observer_person_context=by,
        description=_described(case),
    )
    manifest = hd.ko.KeyObjectSelectionDocument(
        evidence=[*pictures, more], content=content,
        series_instance_uid=_uid(case.number("manifest", films[0].person)), series_number=3,
        sop_instance_uid=_uid(case.number("manifest", case.asked.purpose, person, *_state(case, films))),
        instance_number=1, manufacturer=MAKER,
    )  # fmt: skip
    _known(manifest)
    for equipment in manifest.ContributingEquipmentSequence:
        del equipment.ContributionDateTime  # the same content is the same bytes, whenever it was made
    manifest.ContentDate = manifest.InstanceCreationDate = _day(case)
    manifest.ContentTime = manifest.InstanceCreationTime = "000000"
    if case.asked.codes == "iheradtf":
        manifest.CodingSchemeIdentificationSequence = [_scheme()]
    manifest.file_meta.ImplementationClassUID, manifest.file_meta.ImplementationVersionName = IMPLEMENTATION, MAKER
    return manifest


def _instance(case: Case, kind: str, number: int) -> FileDataset:
    """An instance of this class with what all of ours have."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = kind, _uid(number)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID, meta.ImplementationVersionName = IMPLEMENTATION, MAKER
    one = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    one.SpecificCharacterSet = "ISO_IR 192"
    one.SOPClassUID, one.SOPInstanceUID = kind, _uid(number)
    one.InstanceCreationDate, one.InstanceCreationTime = _day(case), "000000"
    one.Manufacturer = MAKER
    _known(one)
    return one


def _of(one: Dataset, case: Case, film: Film, person: int) -> None:
    """Whose it is: a patient and a study that exist in this case alone."""
    one.PatientName = f"Teaching^File {person}"
    one.PatientID = f"T{case.number('patient', film.person) % 10**15:015d}"
    one.PatientBirthDate = ""
    one.PatientSex = film.sex if film.sex in ("F", "M", "O") else ""
    if film.age is not None:
        one.PatientAge = f"{int(film.age * 12):03d}M" if film.age < 2 else f"{min(int(film.age), 90):03d}Y"
    one.StudyInstanceUID = _uid(case.number("study", film.person))
    one.StudyDate = one.StudyTime = one.ReferringPhysicianName = one.AccessionNumber = ""
    one.StudyID = str(person)


def _known(one: Dataset) -> None:
    one.PatientIdentityRemoved = "YES"
    one.DeidentificationMethod = "Made new from pixels: no element of a source was copied"
    one.LongitudinalTemporalInformationModified = "REMOVED"


def _described(case: Case) -> str:
    """Title and credits. RSNA's receivers take ``mirc:name=`` in it for a command: only ours remains."""
    said = "\n".join([case.document.title, *case.credits]).replace("mirc:", "mirc :")
    if case.asked.codes != "iheradtf":
        return said
    title, _, rest = said.partition("\n")
    return f"mirc:title={title}\nmirc:freetext={rest}"


def _text(name: Code, text: str) -> hd.sr.TextContentItem:
    return hd.sr.TextContentItem(name.concept, plain(text) or clean(text), hd.sr.RelationshipTypeValues.CONTAINS)


def _code(name: Code, value: Code) -> hd.sr.CodeContentItem:
    return hd.sr.CodeContentItem(name.concept, value.concept, hd.sr.RelationshipTypeValues.CONTAINS)


def _coded(name: Code, text: str, known: dict[str, dict[str, Code]], codes: str) -> list[hd.sr.ContentItem]:
    """The code that the words begin with or contain, else the words themselves."""
    for begins, code in known.items():
        if begins in text.casefold():
            return [_code(name, code[codes])]
    return [_text(name, text)] if text else []


def _scheme() -> Dataset:
    scheme = Dataset()
    scheme.CodingSchemeDesignator = "IHERADTF"
    scheme.CodingSchemeName = "IHE Radiology Technical Framework"
    scheme.CodingSchemeResponsibleOrganization = "Integrating the Healthcare Enterprise"
    return scheme


def _state(case: Case, films: Sequence[Film]) -> list[object]:
    """What a document's UID follows from, besides the case: what it says and whom it names."""
    return [case.version, case.asked.codes, case.asked.right, *(film.seed for film in films)]


def _person(name: str) -> str:
    """A name as DICOM holds one, all of it as the family's: its signs of structure are none of ours."""
    return re.sub(r"[\\^=]", " ", line(name))[:63] + "^"


def _short(text: str, most: int) -> str:
    return text.replace("\\", "/")[:most]


def _day(case: Case) -> str:
    return date.fromisoformat(case.published).strftime("%Y%m%d")


def _uid(number: int) -> str:
    return f"2.25.{number}"


def _bytes(one: Dataset) -> bytes:
    out = io.BytesIO()
    one.save_as(out, enforce_file_format=True)
    return out.getvalue()
