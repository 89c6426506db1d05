"""A DICOMweb server as a source of films: listed by QIDO-RS, fetched one by one by WADO-RS.

A film's key is its SOPInstanceUID, which the listing already tells: a film that is stored need not be fetched again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path

from services.core.dicomweb import DicomWebServer
from services.core.limits import MAX_UPLOAD_BYTES
from services.ingest.gate import CR, DX_PRESENTATION, DX_PROCESSING, SECONDARY_CAPTURE, is_presentation_state
from services.ingest.reasons import BadFilm, Reason
from services.ingest.sources.files import Listed
from services.ingest.sources.layout import StudyReports
from services.ingest.sources.orthanc import Changes
from services.ingest.sources.qido import Found, Listing, Where, usable
from services.ingest.sources.tables import FilmTable, Row, read_films, read_reports
from services.ingest.sources.web import Answer, Patience, TooLongError, UnansweredError, Web

LAYOUT = "dicomweb"
PATIENCE = Patience()
_ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'  # as it is stored: nothing is transcoded
_AROUND = 2**16  # of a multipart answer, beside the film
_USUAL_BYTES = 16 * 2**20
_FILMS = (CR, DX_PRESENTATION, DX_PROCESSING, SECONDARY_CAPTURE, "")


@dataclass(frozen=True, slots=True)
class Instance(Listed):
    """A film of the server; `name` is its SOPInstanceUID."""

    found: Found
    web: Web = field(repr=False, compare=False)
    address: str = field(repr=False)

    @property
    def key(self) -> str | None:
        return self.name

    def size(self) -> int:
        return self.found.bytes or _USUAL_BYTES

    def read(self, first: int = 0) -> bytes:
        """The film as a file. Raises BadFilm, and HilumError when the server is gone."""
        found = self.found
        if not found.uid:
            raise BadFilm(Reason.WITHHELD)
        if is_presentation_state(found.sop_class):
            raise BadFilm(Reason.PRESENTATION_STATE)
        if found.sop_class not in _FILMS:
            raise BadFilm(Reason.WRONG_SOP_CLASS)
        if not usable(found.uid):
            raise BadFilm(Reason.BROKEN_HEADER)
        place = f"{self.address}/studies/{found.study}/series/{found.series}/instances/{found.uid}"
        try:
            answer = self.web.get(
                place, MAX_UPLOAD_BYTES + _AROUND, {"accept": _ACCEPT}, good=lambda a: _film(a) is not None
            )
        except TooLongError:
            raise BadFilm(Reason.FILE_TOO_LARGE) from None
        except UnansweredError as error:
            raise BadFilm(Reason.GONE if error.absent else Reason.NOT_FETCHED) from None
        film = _film(answer)
        assert film is not None
        if len(film) > MAX_UPLOAD_BYTES:
            raise BadFilm(Reason.FILE_TOO_LARGE)
        return film[:first] if first else film


class DicomWeb:
    """Films of `server` that match `where`.  since: how far its feed of changes was read the last time, so that only
    what came after it is listed; blank lists everything.  labels and reports: tables on this machine."""

    keep_ids = False

    def __init__(
        self, server: DicomWebServer, where: str, labels: str, reports: str, image_id: Callable[[str], str],
        stopped: Callable[[], bool] = lambda: False, since: str = "",
    ) -> None:  # fmt: skip
        self._server, self._where, self._reports, self._since = server, Where.of(where), reports, since
        self._table = read_films(Path(labels), Path("/")) if labels else FilmTable()
        self._table.identify(image_id)
        self.rows, self.findings = self._table.rows, self._table.findings
        self.passed = Counter[str]()
        self.cursor = ""  # how far the feed of changes was when `films` listed
        self._web = Web(server, stopped, PATIENCE)

    def films(self, everything: bool = False) -> list[Listed]:
        """What there is, or what came since the last time; `everything` in any case."""
        listed: list[Found] | None = None
        if self._server.changes:
            changes = Changes(self._web, self._server.changes)
            self.cursor = changes.last()
            listed = changes.find(self._where, self._since) if self._since and not everything else None
        if listed is None:
            listed = Listing(self._web, self._server.url).find(self._where)
        films = {f.uid or f"{f.study}/{f.series}": f for f in listed}
        return [Instance(Path("/"), name, found, self._web, self._server.url) for name, found in films.items()]

    def find(self, names: Sequence[str], uids: Sequence[str | None] = ()) -> list[Row | None]:
        return [self._table.find(name, name) for name in names]

    def of(self, image_ids: Sequence[str]) -> list[Row | None]:
        return [self._table.of(image_id) for image_id in image_ids]

    def key(self, name: str, uid: str | None, row: Row | None) -> str:
        """The SOPInstanceUID of the film itself; until it is read, that of the listing."""
        return uid or name

    def reports(self) -> StudyReports:
        return read_reports(Path(self._reports)) if self._reports else iter(())

    def close(self) -> None:
        self._web.close()
        self._table.close()


def _film(answer: Answer) -> bytes | None:
    """The first part of a multipart answer, or the whole of a plain one; None for an answer that breaks off."""
    head = Message()
    head["content-type"] = answer.headers.get("content-type", "")
    if head.get_content_type() == "application/dicom":
        return answer.body or None
    boundary = head.get_boundary()
    if head.get_content_maintype() != "multipart" or not boundary:
        return None
    mark = b"--" + boundary.encode("latin-1")
    begin = answer.body.find(mark)
    film = answer.body.find(b"\r\n\r\n", begin) + 4
    end = answer.body.find(b"\r\n" + mark, film)
    return answer.body[film:end] if begin >= 0 and film >= 4 and end >= film else None
