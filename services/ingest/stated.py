"""What a header or a table states about a film: an allow-list, normalised on reading. Nothing else is ever read."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, fields

from services.core.labels import Box, Label

OLDEST = 90.0  # ages above 89 identify people: HIPAA's safe harbour
IMPLAUSIBLE = 120.0

_SEX = {"M": "M", "MALE": "M", "F": "F", "FEMALE": "F", "O": "O", "OTHER": "O"}
_SPLITS = {"train": "train", "validate": "val", "test": "test"}
_YEARS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
_LATERAL = {"LATERAL", "LL", "RL", "LAT", "L", "LLAT", "RLAT", "LEFT_LATERAL", "RIGHT_LATERAL"}
_FRONTAL = {"PA": "PA", "POSTERO_ANTERIOR": "PA", "POSTEROANTERIOR": "PA",
            "AP": "AP", "ANTERO_POSTERIOR": "AP", "ANTEROPOSTERIOR": "AP", "AP_HORIZONTAL": "AP", "AP_SUPINE": "AP",
            "AP_ERECT": "AP"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stated:
    """Facts of one film as its source states them; None is *not stated*. Ids are still the source's own.

    The names are those of `ImageRecord`.
    """

    patient_id: str | None = None
    study_id: str | None = None
    view: str | None = None
    sex: str | None = None
    age: float | None = None
    study_date: str | None = None
    modality: str | None = None
    licence: str | None = None
    attribution: str | None = None
    series_id: str | None = None
    accession_id: str | None = None
    split: str | None = None
    view_source: str | None = None
    orientation: str | None = None
    body_part: str | None = None
    manufacturer: str | None = None
    device: str | None = None
    institution: str | None = None
    race: str | None = None
    ethnicity: str | None = None
    age_binned: bool | None = None
    date_kind: str | None = None
    study_order: int | None = None
    bits_stored: int | None = None
    photometric: str | None = None
    pixel_spacing: float | None = None
    burned_in: str | None = None
    labels: tuple[Label, ...] | None = None
    boxes: tuple[Box, ...] | None = None

    def over(self, other: Stated) -> Stated:
        """This source's word where it speaks, `other`'s where it is silent."""
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return Stated(*(mine if mine is not None else theirs for mine, theirs in pairs))


def view(text: object) -> str | None:
    """PA, AP or LATERAL (also from LL, RL, "left lateral", "postero-anterior"); None for blank or anything else."""
    key = re.sub(r"[^A-Z]+", "_", str(text or "").upper()).strip("_")
    return "LATERAL" if key in _LATERAL else _FRONTAL.get(key)


def sex(text: object) -> str | None:
    """M, F or O; None for anything else."""
    return _SEX.get(str(text or "").strip().upper())


def age(text: object) -> float | None:
    """``063Y``, ``63``, ``63.0``, ``018M`` → years, at most 90; None when blank or beyond 120 (``999Y``)."""
    match = re.fullmatch(r"(\d{1,4}(?:\.\d+)?)\s*([YMWD]?)", str(text if text is not None else "").strip().upper())
    if match is None:
        return None
    years = float(match[1]) * _YEARS[match[2] or "Y"]
    return None if years > IMPLAUSIBLE else (OLDEST if years > 89 else round(years, 2))


def order(text: object) -> int | None:
    """``2``, ``-8.0`` (days before an admission, say) → where a study stands among its patient's; None when blank."""
    match = re.fullmatch(r"([-+]?\d{1,6})(?:\.0*)?", str(text if text is not None else "").strip())
    return int(match[1]) if match else None


def date(text: object) -> str | None:
    """``21800506``, ``2180.05.06`` or ``2180-05-06`` → ``2180-05-06``; None when it is no date."""
    match = re.fullmatch(r"(\d{4})[-./]?(\d{2})[-./]?(\d{2})", str(text or "").strip())
    if match is None:
        return None
    try:
        return datetime.date(*map(int, match.groups())).isoformat()
    except ValueError:
        return None


def split(text: object) -> str | None:
    """train, validate or test, also from ``valid``, ``val`` and ``training``; None for anything else."""
    word = str(text or "").strip().lower()
    return next((known for known, short in _SPLITS.items() if word.startswith(short)), None)


def orientation(text: object) -> str | None:
    """erect or supine (also recumbent, semi-erect counts as erect); None for anything else."""
    word = str(text or "").strip().lower()
    return "erect" if "erect" in word else "supine" if word in ("supine", "recumbent") else None


def modality(text: object) -> str | None:
    """A modality code such as CR or DX: capitals only, so that no free text passes."""
    code = str(text or "").strip().upper()
    return code if re.fullmatch(r"[A-Z]{2,8}", code) else None


def code(value: object) -> str | None:
    """A coded string such as CHEST or MONOCHROME2: capitals, digits and underscores only, so that no prose passes."""
    word = str(value if value is not None else "").strip().upper()
    return word if re.fullmatch(r"[A-Z][A-Z0-9_]{1,15}", word) else None


def whole(value: object) -> int | None:
    """A whole number of 32 bits, as databases have them; None for anything else."""
    try:
        number = int(str(value))
    except ValueError:
        return None
    return number if -(2**31) <= number < 2**31 else None


def burned_in(value: object) -> str | None:
    """BurnedInAnnotation: yes or no; None when it is not stated, which is not no."""
    return {"YES": "yes", "NO": "no"}.get(str(value or "").strip().upper())


def text(value: object, longest: int) -> str | None:
    """A stripped string of at most `longest` characters; None when blank."""
    stripped = re.sub(r"[\x00-\x1f\x7f]+", " ", str(value if value is not None else "")).strip()
    return stripped[:longest] or None
