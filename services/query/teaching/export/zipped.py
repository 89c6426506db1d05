"""Archives that are the same bytes for the same content."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable


def zipped(files: Iterable[tuple[str, bytes]]) -> bytes:
    """A zip of (name, content). Pictures are stored as they are, all else is deflated."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files:
            entry = zipfile.ZipInfo(name)  # of 1 January 1980: when it was made is nobody's business
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".jpg") else zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return out.getvalue()
