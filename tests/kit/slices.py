"""Little chest CTs as DICOM series, made for a test: a body of water with two lungs that change from feet to head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import generate_uid

from tests.kit.films import chest_dataset, saved

CT = "1.2.840.10008.5.1.4.1.1.2"
AXIAL = [1, 0, 0, 0, 1, 0]
CORONAL = [1, 0, 0, 0, 0, -1]


def units(position: float, side: int = 64) -> NDArray[np.int16]:
    """(side, side) Hounsfield units of the slice at `position` millimetres: air, water, lungs, a spine."""
    y, x = np.mgrid[:side, :side] / side - 0.5
    hu = np.full((side, side), -1000.0)
    hu[(x / 0.45) ** 2 + (y / 0.35) ** 2 < 1] = 40
    for middle in (-0.2, 0.2):
        hu[((x - middle) / 0.14) ** 2 + (y / (0.1 + position / 1000)) ** 2 < 1] = -850 + position
    hu[(x / 0.06) ** 2 + ((y - 0.27) / 0.06) ** 2 < 1] = 700
    return hu.astype(np.int16)


def slice_bytes(position: float, series: str, **tags: object) -> bytes:
    """One axial slice as a file's bytes: unsigned values with an intercept of -1024, a window of the header's own."""
    values = (units(position) + 1024).astype(np.uint16)
    return saved(chest_dataset(values, **{
        "SOPClassUID": CT, "SOPInstanceUID": generate_uid(), "SeriesInstanceUID": series, "Modality": "CT",
        "ViewPosition": None, "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "ImageOrientationPatient": AXIAL,
        "ImagePositionPatient": [-160, -160, position], "RescaleSlope": 1, "RescaleIntercept": -1024,
        "WindowCenter": [-500, 40], "WindowWidth": [1400, 400], **tags,
    }))  # fmt: skip


def write_series(folder: Path, positions: list[float], seed: int = 0, **tags: object) -> str:
    """A series with slices at `positions`, in files whose names say nothing of their order; its SeriesInstanceUID."""
    folder.mkdir(parents=True, exist_ok=True)
    uid = str(tags.pop("SeriesInstanceUID", generate_uid()))
    tags = {"StudyInstanceUID": generate_uid(), "PatientID": f"P{seed}", **tags}
    names = np.random.default_rng(seed).permutation(len(positions))
    for name, position in zip(names, positions, strict=True):
        (folder / f"{name:04d}.dcm").write_bytes(slice_bytes(position, uid, **tags))
    return uid
