"""Short texts that must be kept and may not be read: sealed with the installation's secret, opened by it alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

from cryptography.fernet import Fernet, InvalidToken

from services.core.errors import ErrorCode, HilumError

PATHS = ("source", "labels", "reports", "tables", "columns")  # what jobs call paths: names of folders can name people
_MARK = "sealed:"


def seal(secret: bytes, text: str) -> str:
    """`text` encrypted and authenticated; a blank stays blank."""
    return _MARK + _lock(secret).encrypt(text.encode()).decode() if text else ""


def unseal(secret: bytes, text: str) -> str:
    """What was sealed; a text that never was is returned as it is. Raises FAILED_PRECONDITION for another secret's."""
    if not text.startswith(_MARK):
        return text
    try:
        return _lock(secret).decrypt(text.removeprefix(_MARK).encode()).decode()
    except InvalidToken:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            "the file `secret` in the data folder is not the one this was kept with; restore it from a backup",
        ) from None


def sealed(secret: bytes, spec: Mapping[str, object]) -> dict[str, object]:
    """A job's spec with its paths sealed, as the job keeps it."""
    return {name: seal(secret, str(value)) if name in PATHS else value for name, value in spec.items()}


def unsealed(secret: bytes, spec: Mapping[str, object]) -> dict[str, object]:
    """The spec as it was given. Raises FAILED_PRECONDITION."""
    return {name: unseal(secret, str(value)) if name in PATHS else value for name, value in spec.items()}


def _lock(secret: bytes) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hmac.new(secret, b"seal", hashlib.sha256).digest()))
