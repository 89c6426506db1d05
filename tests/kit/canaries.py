"""Strings that must not come out again, planted wherever a file, a name or a table can hold one.

A canary is unlike anything else on this machine, so finding its bytes anywhere is a leak and nothing else.
"""

from __future__ import annotations

import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image, ImageDraw, PngImagePlugin
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from tests.kit.films import chest_dataset, ramp

TEXT = {
    "PatientName", "PatientID", "OtherPatientIDs", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName",
    "PatientAddress", "PatientTelephoneNumbers", "PatientComments", "PatientReligiousPreference", "Occupation",
    "AdditionalPatientHistory", "MedicalRecordLocator", "MilitaryRank", "EthnicGroup", "CountryOfResidence",
    "RegionOfResidence", "IssuerOfPatientID", "AccessionNumber", "StudyID", "ReferringPhysicianName",
    "ReferringPhysicianAddress", "PerformingPhysicianName", "OperatorsName", "PhysiciansOfRecord",
    "NameOfPhysiciansReadingStudy", "RequestingPhysician", "RequestingService", "InstitutionName",
    "InstitutionAddress", "InstitutionalDepartmentName", "StationName", "DeviceSerialNumber", "DetectorID",
    "StudyDescription", "SeriesDescription", "ProtocolName", "ImageComments", "StudyComments", "AdmissionID",
    "AdmittingDiagnosesDescription", "Allergies", "MedicalAlerts", "DerivationDescription", "ContentLabel",
    "ContentDescription", "RequestedProcedureDescription", "RequestedProcedureID", "ScheduledProcedureStepID",
    "PerformedProcedureStepDescription", "PerformedProcedureStepID", "FillerOrderNumberImagingServiceRequest",
    "PatientInsurancePlanCodeSequence", "CurrentPatientLocation", "AcquisitionDeviceProcessingDescription",
    "AcquisitionComments", "VisitComments", "ReasonForStudy", "InterpretationText", "TextComments",
}  # fmt: skip
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SynchronizationFrameOfReferenceUID")
DATES = ("PatientBirthDate", "SeriesDate", "AcquisitionDate", "ContentDate", "AdmittingDate", "LastMenstrualDate")


# Every canary has one of these shapes, so that a gigabyte is searched in one pass.
_SHAPES = re.compile(rb"zqx[0-9]{5}xqz|1\.2\.826\.0\.1\.3680043\.99731[0-9]{5}13799|17[0-9]{2}-?04-?17")


@dataclass
class Canaries:
    """Makes them and remembers them: canary → where it was planted."""

    planted: dict[str, str] = field(default_factory=dict)

    def word(self, where: str) -> str:
        """Capitals and digits, short enough for every VR."""
        return self._plant(f"ZQX{len(self.planted):05d}XQZ", where)

    def uid(self, where: str) -> str:
        return self._plant(f"1.2.826.0.1.3680043.99731{len(self.planted):05d}13799", where)

    def date(self, where: str) -> str:
        """A day that no other part of a test speaks of, in an even year: a film's own date, moved by up to 365 days,
        can fall on 17 April of an odd one but never on another canary."""
        return self._plant(f"17{len(self.planted) % 45 * 2 + 10}0417", where)

    def film(self, seed: int, **tags: object) -> FileDataset:
        """A chest film that is in order, with a canary in every place where somebody could be named."""
        d = chest_dataset(ramp(96, seed=seed), **{"ViewPosition": "PA", **tags})
        self.fill(d, top=True)
        for name, value in tags.items():
            if value is not None:
                setattr(d, name, value)
        return d

    def fill(self, d: Dataset, top: bool = False) -> None:
        for keyword in sorted(TEXT):
            if keyword.endswith("Sequence"):
                item = Dataset()
                item.CodeMeaning, item.CodeValue = self.word(f"{keyword} meaning"), self.word(f"{keyword} code")
                setattr(d, keyword, Sequence([item]))
            else:
                setattr(d, keyword, self.word(keyword))
        for keyword in UIDS:
            setattr(d, keyword, self.uid(keyword))
        for keyword in DATES:
            setattr(d, keyword, self.date(keyword))
        block = d.private_block(0x0019, self.word("private creator"), create=True)
        block.add_new(0x01, "LO", self.word("private text"))
        block.add_new(0x02, "UN", self.word("private bytes").encode())
        if top:
            for keyword in ("RequestAttributesSequence", "OriginalAttributesSequence", "ReferencedStudySequence"):
                below, deeper = Dataset(), Dataset()
                self.fill(deeper)
                self.fill(below)
                below.ReferencedSeriesSequence = Sequence([deeper])
                setattr(d, keyword, Sequence([below]))
            block.add_new(0x03, "SQ", Sequence([_named(self.word("private sequence"))]))
            self._overlay(d)

    def _overlay(self, d: Dataset) -> None:
        d.add_new(Tag(0x6000, 0x0010), "US", 96)
        d.add_new(Tag(0x6000, 0x0011), "US", 96)
        d.add_new(Tag(0x6000, 0x0022), "LO", self.word("overlay description"))
        d.add_new(Tag(0x6000, 0x1500), "LO", self.word("overlay label"))
        d.add_new(Tag(0x6000, 0x0040), "CS", "G")
        d.add_new(Tag(0x6000, 0x0050), "SS", [1, 1])
        d.add_new(Tag(0x6000, 0x0100), "US", 1)
        d.add_new(Tag(0x6000, 0x0102), "US", 0)
        d.add_new(Tag(0x6000, 0x3000), "OW", self.word("overlay data").encode().ljust(96 * 96 // 8, b"\0"))

    def _plant(self, canary: str, where: str) -> str:
        self.planted.setdefault(canary, where)
        return canary

    def found(self, haystack: bytes) -> list[str]:
        """Where those canaries were planted that `haystack` has: in any case, as UTF-8 or UTF-16, days in ISO 8601."""
        seen = haystack.lower()
        shapes = {bytes(m).replace(b"-", b"").decode().upper() for text in (seen, seen.replace(b"\0", b""))
                  for m in _SHAPES.findall(text)}  # fmt: skip
        return sorted({self.planted[shape] for shape in shapes & self.planted.keys()})


def _named(name: str) -> Dataset:
    item = Dataset()
    item.PatientName = name
    return item


def burnt(pixels: np.ndarray, words: str) -> np.ndarray:
    """12-bit `pixels` with `words` in white on them."""
    layer = Image.new("L", pixels.shape[::-1])
    ImageDraw.Draw(layer).text((4, 4), words, fill=255)
    return np.where(np.asarray(layer) > 100, 4095, pixels).astype(pixels.dtype)


def picture(canaries: Canaries, seed: int) -> bytes:
    """A PNG with canaries in its text chunks and its EXIF."""
    info, out = PngImagePlugin.PngInfo(), io.BytesIO()
    info.add_text("Author", canaries.word("PNG tEXt"))
    info.add_itxt("Description", canaries.word("PNG iTXt"))
    exif = Image.Exif()
    exif[0x010E], exif[0x013B] = canaries.word("EXIF description"), canaries.word("EXIF artist")
    Image.fromarray((ramp(96, seed=seed) >> 4).astype(np.uint8)).save(out, "PNG", pnginfo=info, exif=exif)
    return out.getvalue()


def jpeg(canaries: Canaries, seed: int) -> bytes:
    """A JPEG with canaries in its EXIF and its comment."""
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x010E] = canaries.word("JPEG EXIF")
    image = Image.fromarray((ramp(96, seed=seed) >> 4).astype(np.uint8))
    image.save(out, "JPEG", exif=exif, comment=canaries.word("JPEG comment").encode())
    return out.getvalue()


def contents(root: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below `root` by its path, raw and, where it is packed, unpacked; and every name."""
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        yield f"name of {name}", name.encode()
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            yield name, data
            yield from ((f"{name} (unpacked)", more) for more in _unpacked(data))


def _unpacked(data: bytes) -> Iterable[bytes]:
    if data.startswith(b"PAR1"):
        table = pq.read_table(io.BytesIO(data))
        yield repr(table.schema).encode() + repr(table.to_pydict()).encode()
    elif data.startswith(b"\x1f\x8b"):
        yield gzip.decompress(data)
    elif data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    elif data.startswith(b"\x78\x9c"):
        yield zlib.decompress(data)
