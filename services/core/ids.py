"""Identities: one image id everywhere, and keyed pseudonyms for people and studies."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import uuid
from pathlib import Path

from services.core.errors import ErrorCode, HilumError, invalid

HILUM_NS = uuid.UUID("6d1f3a52-6c0b-5a55-9b60-8d2f5be6b7c1")
SECRET_BYTES = 32
MOST_DAYS = 365


def image_id(dataset: str, key: str) -> str:
    """The id of a film in every collection, in SQL and in every export.

    `key` is the dataset's own unique image key (dicom_id, file name, SOPInstanceUID, else relative path), so the same
    film ingested twice gets the same id, and ids join across models for free.
    """
    digest = hashlib.sha1(HILUM_NS.bytes + _bytes(f"{dataset}/{key}"), usedforsecurity=False).digest()
    return str(uuid.UUID(bytes=digest[:16], version=5))


def parse_image_id(text: str) -> str:
    """Return `text` as a canonical image id. Raises INVALID_ARGUMENT when it is no UUID."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise invalid("an image id is a UUID, as the answer of a search shows it") from None


def pseudonym(secret: bytes, kind: str, dataset: str, value: str) -> str:
    """A keyed, stable pseudonym such as ``p-k3v7…`` (80 bits). Without the secret it cannot be tied to `value`."""
    digest = hmac.new(secret, _bytes(f"{kind}\0{dataset}\0{value}"), hashlib.sha256).digest()
    return f"{kind[0]}-{base64.b32encode(digest[:10]).decode().lower()}"


def _bytes(text: str) -> bytes:
    """UTF-8; a name of a file that is none keeps the bytes that it has on the disk."""
    return text.encode("utf-8", "surrogateescape")


def day_shift(secret: bytes, patient: str) -> int:
    """By how many days a patient's dates are moved: −365 to 365, never 0, the same for all that is known of one
    `patient` (a pseudonym), so that intervals between studies hold."""
    digest = hmac.new(secret, f"days\0{patient}".encode(), hashlib.sha256).digest()
    days = int.from_bytes(digest[:8], "big") % (2 * MOST_DAYS)  # a bias of 10⁻¹⁶
    return days - MOST_DAYS if days < MOST_DAYS else days - MOST_DAYS + 1


def load_secret(data_dir: Path) -> bytes:
    """The installation's pseudonym key, made on first use: 32 bytes in ``DATA/secret``, readable by its owner alone.

    Raises FAILED_PRECONDITION when the file is damaged: another key would give every patient a second pseudonym.
    """
    path = data_dir / "secret"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        _make_secret(path)
    secret = path.read_bytes()
    if len(secret) != SECRET_BYTES:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION, "the file `secret` in the data folder is damaged; restore it from a backup"
        )
    return secret


def _make_secret(path: Path) -> None:
    """Written whole beside its place and linked into it: two processes that start at once agree on one key."""
    part = path.with_name(f".secret.{uuid.uuid4().hex}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
    finally:
        part.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name must survive a power cut, too
    finally:
        os.close(folder)
