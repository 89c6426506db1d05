"""Teaching files as files for other programs, for both clients."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hilum.connection import AsyncConnection, Connection
from hilum.v1 import common_pb2, teaching_exports_pb2


@dataclass(frozen=True, slots=True)
class Exported:
    """A file to keep. notes: what its reader has to know: which films were left out, and why."""

    filename: str
    content_type: str
    data: bytes
    notes: tuple[str, ...]

    @classmethod
    def of(cls, blob: common_pb2.Blob) -> Exported:
        return cls(PurePosixPath(blob.filename).name, blob.content_type, blob.data, tuple(blob.notes))

    def save(self, folder: str | Path = ".") -> Path:
        """Write it into a folder, and warn of what was left out. Another file of this name is written over."""
        path = Path(folder) / self.filename
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.data)
        for note in self.notes:
            warnings.warn(note, stacklevel=2)
        return path


class TeachingExports(Connection):
    """``client.export_teaching_file(file_id, "pdf").save()``."""

    def export_teaching_file(
        self, file_id: str, format: str, *, version: int = 0, quiz: bool = False, right: str = "",
        written: bool = False, purpose: str = "", codes: str = "",
    ) -> Exported:  # fmt: skip
        """A teaching file, de-identified, with the licence and attribution of every film.

        format: ``mirc`` (MIRCdocument), ``tce`` (IHE TCE with a Key Object Selection), ``html`` (one page that needs no
        network), ``pptx``, ``pdf`` or ``anki``.  quiz: as an unknown.  right: in words, by which films may leave whose
        licence does not allow it; without, they are left out and `notes` say so.  written: films with writing in the
        picture were looked at, and name nobody.  purpose, codes: of ``tce``; see the guide. Raises HilumError.
        """
        request = _asked(file_id, format, version, quiz, right, written, purpose, codes)
        return Exported.of(self._call(self._to.teaching_exports.ExportTeachingFile, request))


class AsyncTeachingExports(AsyncConnection):
    """The same as coroutines."""

    async def export_teaching_file(
        self, file_id: str, format: str, *, version: int = 0, quiz: bool = False, right: str = "",
        written: bool = False, purpose: str = "", codes: str = "",
    ) -> Exported:  # fmt: skip
        """As `Client.export_teaching_file`."""
        request = _asked(file_id, format, version, quiz, right, written, purpose, codes)
        return Exported.of(await self._call(self._to.teaching_exports.ExportTeachingFile, request))


def _asked(
    file_id: str, format: str, version: int, quiz: bool, right: str, written: bool, purpose: str, codes: str
) -> teaching_exports_pb2.ExportTeachingFileRequest:
    return teaching_exports_pb2.ExportTeachingFileRequest(
        file_id=file_id, format=format, version=version, quiz=quiz, right=right, written=written, purpose=purpose,
        codes=codes,
    )  # fmt: skip
