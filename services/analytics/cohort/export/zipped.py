"""An export as one zip, written as it is sent: what a browser saves. The same bytes each time."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

from services.analytics.cohort.export.bundle import Bundle, Present

_PACKED = (".jpg", ".parquet")  # packed already
_DAY = (1980, 1, 1, 0, 0, 0)  # zip's first: when a file was made says nothing of it


def stream(bundle: Bundle) -> Iterator[bytes]:
    """The zip's bytes. Its folder has the cohort's name; SHA256SUMS is its last file."""
    out, sums = _Sink(), list[str]()
    folder = bundle.content.frozen.name
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in bundle.files():
            assert not isinstance(file, Present)
            with archive.open(entry(f"{folder}/{file.part.name}"), "w", force_zip64=True) as place:
                for data in file.chunks():
                    place.write(data)
                    yield out.taken()
            sums.append(f"{file.sha256}  {file.part.name}\n")
        archive.writestr(entry(f"{folder}/SHA256SUMS"), "".join(sorted(sums, key=lambda line: line[66:])))
    yield out.taken()


def entry(name: str) -> zipfile.ZipInfo:
    """A file of the zip, the same whenever and wherever it is made."""
    told = zipfile.ZipInfo(name, _DAY)
    told.create_system, told.external_attr = 3, 0o644 << 16
    told.compress_type = zipfile.ZIP_STORED if name.endswith(_PACKED) else zipfile.ZIP_DEFLATED
    return told


class _Sink(io.RawIOBase):
    """Holds what was written until it is taken away."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._held += data
        return len(data)

    def taken(self) -> bytes:
        """What was written since."""
        found = bytes(self._held)
        self._held.clear()
        return found
