"""DICOM that leaves Hilum: the Basic Application Level Confidentiality Profile of DICOM PS3.15 (annex E, table E.1-1).

Which element is removed, emptied or replaced is dicom-anonymizer's table, made from the standard's edition 2026c. What
is added here: people, studies and UIDs get the archive's own keyed pseudonyms instead of random ones; dates are moved
as the archive moves them (*Retain Longitudinal Temporal Information with Modified Dates*); every nested item is treated
as the top level is; and what the profile says nothing of, but no radiograph needs, goes too: curves, overlays, private
elements, prose, and everything that is not in the standard's dictionary.
"""

from __future__ import annotations

import hashlib
import hmac
from copy import deepcopy
from datetime import datetime, timedelta
from functools import cache, partial

from dicomanonymizer.simpledicomanonymizer import initialize_actions
from pydicom.datadict import dictionary_has_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import UID

from services.core.ids import day_shift, pseudonym
from services.ingest import stated

EDITION = "dicomfields_2026c"
_ROOT = "1.2.840.10008."  # UIDs of the standard itself: classes, syntaxes, templates
_REPEATING = (0x5000, 0x6000)  # curves and overlays
_MOVED = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "AcquisitionDateTime")
_TEXT = ("CS", "LO", "LT", "SH", "ST", "UC", "UT", "AE", "PN")
_PROSE = ("LT", "ST", "UT", "UC", "UR", "PN")  # of these, what the table does not name goes too
_LOOSE = ("Description", "Comments", "Comment", "Label")
_CODES = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
)


def basic_profile(source: Dataset, secret: bytes, dataset: str = "") -> Dataset:
    """A de-identified copy of `source`, pixels as they are.

    dataset: the archive's dataset that the film belongs to, so that ids become the pseudonyms that it has there.
    Pixels are not looked at. Elements whose values cannot be parsed are removed.
    """
    person = stated.text(_value(source, "PatientID"), 128)
    patient = pseudonym(secret, "patient", dataset, person) if person else ""
    keyed = partial(_treated, secret=secret, dataset=dataset, days=day_shift(secret, patient) if patient else None)
    out = keyed(source)
    out.PatientID, out.PatientName = patient, patient
    out.PatientIdentityRemoved = "YES"
    out.LongitudinalTemporalInformationModified = "MODIFIED" if patient else "REMOVED"
    out.DeidentificationMethod = "Hilum: PS3.15 Basic Profile, keyed pseudonyms"
    out.DeidentificationMethodCodeSequence = Sequence(_code(*pair) for pair in (_CODES if patient else _CODES[:1]))
    out.file_meta = _meta(source, out)
    out.preamble = b"\0" * 128
    return out


def keyed_uid(secret: bytes, dataset: str, uid: str) -> str:
    """The UID that stands for `uid`: the same for the same installation and dataset, and tied to it by the secret."""
    if uid.startswith(_ROOT) or not uid:
        return uid
    digest = hmac.new(secret, f"uid\0{dataset}\0{uid}".encode(), hashlib.sha256).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def _treated(source: Dataset, secret: bytes, dataset: str, days: int | None) -> Dataset:
    out = Dataset()
    for tag in source.keys():  # noqa: SIM118 - iterating would parse, and a damaged element would end it
        if not _known(BaseTag(tag)):
            continue
        try:
            element = source[tag]
            kept = _element(element, secret, dataset, days)
        except Exception:  # pydicom converts on access, and a damaged value may raise anything
            continue
        if kept is not None:
            out.add(kept)
    return out


def _element(element: DataElement, secret: bytes, dataset: str, days: int | None) -> DataElement | None:
    """What stands in the element's place, if anything."""
    action, replaced = _actions().get((element.tag.group, element.tag.element), ""), partial(_replaced, element)
    if element.keyword in _MOVED:
        return replaced(_moved(element, days))
    if action == "delete":
        return None
    if element.VR == "SQ":
        return replaced(Sequence(_treated(i, secret, dataset, days) for i in ([] if action else element.value)))
    if element.VR == "UI":
        values = element.value if element.VM > 1 else [element.value]
        return replaced([keyed_uid(secret, dataset, str(value or "")) for value in values])
    if element.VR in ("DA", "DT", "TM"):
        return replaced("")
    if not action:
        return None if element.VR in _PROSE or element.keyword.endswith(_LOOSE) else deepcopy(element)
    filled = element.VR in _TEXT and action in ("replace", "delete_or_replace", "empty_or_replace")
    return replaced("REMOVED" if filled else b"" if element.VR in ("OB", "OW", "UN") else None)


def _replaced(element: DataElement, value: object) -> DataElement:
    return DataElement(element.tag, element.VR, value)


def _known(tag: BaseTag) -> bool:
    repeating = any(tag.group & 0xFF00 == group for group in _REPEATING)
    return not (tag.is_private or repeating or tag.element == 0) and dictionary_has_tag(tag)


@cache
def _actions() -> dict[tuple[int, int], str]:
    """(group, element) → what the profile does with it."""
    rules = initialize_actions(EDITION)
    return {tag: action.__name__ for tag, action in rules.items() if len(tag) == 2}


def _moved(element: DataElement, days: int | None) -> str:
    """The day, moved; blank where nobody's shift is known. The time of day goes."""
    text = str(element.value or "").strip()[:8]
    if days is None or (day := stated.date(text)) is None:
        return ""
    try:
        return (datetime.fromisoformat(day) + timedelta(days=days)).strftime("%Y%m%d").rjust(8, "0")
    except OverflowError:
        return ""


def _value(source: Dataset, keyword: str) -> object:
    try:
        return source.get(keyword)
    except Exception:
        return None


def _meta(source: Dataset, out: Dataset) -> FileMetaDataset:
    """Only what a reader needs: group 2 has free text, application titles and private parts, too."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(str(source.file_meta.TransferSyntaxUID))
    meta.MediaStorageSOPClassUID = out.get("SOPClassUID", "")
    meta.MediaStorageSOPInstanceUID = out.get("SOPInstanceUID", "")
    return meta


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item
