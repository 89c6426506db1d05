"""Identities: one image id everywhere, and keyed pseudonyms for people and studies."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import uuid
from pathlib import Path

from services.core.errors import invalid

HILUM_NS = uuid.UUID("6d1f3a52-6c0b-5a55-9b60-8d2f5be6b7c1")


def image_id(dataset: str, key: str) -> str:
    """The id of a film in every collection, in SQL and in every export.

    `key` is the dataset's own unique image key (dicom_id, file name, SOPInstanceUID, else relative path), so the same
    film ingested twice gets the same id, and ids join across models for free.
    """
    return str(uuid.uuid5(HILUM_NS, f"{dataset}/{key}"))


def parse_image_id(text: str) -> str:
    """Return `text` as a canonical image id. Raises INVALID_ARGUMENT when it is no UUID."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise invalid("image_id must be a UUID, as search results and `images:query` return it") from None


def pseudonym(secret: bytes, kind: str, dataset: str, value: str) -> str:
    """A keyed, stable pseudonym such as ``p-k3v7…`` (80 bits). Without the secret it cannot be tied to `value`."""
    digest = hmac.new(secret, f"{kind}\0{dataset}\0{value}".encode(), hashlib.sha256).digest()
    return f"{kind[0]}-{base64.b32encode(digest[:10]).decode().lower()}"


def load_secret(data_dir: Path) -> bytes:
    """The installation's pseudonym key, made on first use: 32 bytes in ``DATA/secret``, readable by its owner alone."""
    path = data_dir / "secret"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        data_dir.mkdir(parents=True, exist_ok=True)
    # Written whole beside its place and linked into it: two processes that start at once agree on one key.
    part = data_dir / f".secret.{os.getpid()}"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(os.urandom(32))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink()
    return path.read_bytes()
