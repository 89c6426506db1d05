"""Complete little DICOM films, made for a test."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

DX = "1.2.840.10008.5.1.4.1.1.1.1"


def chest_dataset(pixels: NDArray[np.integer], **tags: object) -> FileDataset:
    """A DX chest film around (H, W) 8- or 16-bit `pixels`; `tags` win over what is set here, None leaves a tag out."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DX
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    bits = 8 if pixels.dtype.itemsize == 1 else 12
    values = {
        "SOPClassUID": DX, "SOPInstanceUID": meta.MediaStorageSOPInstanceUID, "StudyInstanceUID": generate_uid(),
        "Modality": "DX", "BodyPartExamined": "CHEST", "ViewPosition": "PA", "PatientID": "P1", "PatientSex": "F",
        "PatientAge": "063Y", "StudyDate": "21800506", "BurnedInAnnotation": "NO", "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2", "Rows": pixels.shape[0], "Columns": pixels.shape[1],
        "BitsAllocated": 8 * pixels.dtype.itemsize, "BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": 0,
        "WindowCenter": 2048 if bits == 12 else 128, "WindowWidth": 4096 if bits == 12 else 256,
    }  # fmt: skip
    for name, value in {**values, **tags}.items():
        if value is not None:
            setattr(d, name, value)
    d.PixelData = np.ascontiguousarray(pixels).tobytes()
    d["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
    return d


def saved(d: FileDataset) -> bytes:
    """The dataset as a file's bytes."""
    out = BytesIO()
    d.save_as(out, enforce_file_format=True)
    return out.getvalue()


def stored_bytes(pixels: NDArray[np.integer], **tags: object) -> bytes:
    """`chest_dataset` as a file's bytes."""
    return saved(chest_dataset(pixels, **tags))


def ramp(side: int = 64, seed: int = 0) -> NDArray[np.uint16]:
    """(side, side) uint16, 12 bits, different for every seed."""
    return np.random.default_rng(seed).integers(0, 4096, (side, side), dtype=np.uint16)


def write_dicom(folder: Path, count: int, seed: int = 0, **tags: object) -> list[Path]:
    """`count` different films in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"film-{i:04d}.dcm" for i in range(count)]
    for i, path in enumerate(paths):
        path.write_bytes(stored_bytes(ramp(seed=seed * 10_000 + i), **tags))
    return paths
