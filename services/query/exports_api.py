"""hilum.v1.TeachingExportsService: teaching files as files for other programs."""

from __future__ import annotations

from hilum.v1 import common_pb2, teaching_exports_pb2
from services.core.blobs import Blobs
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts
from services.core.limits import MAX_TEXT_CHARS
from services.query.images import Images
from services.query.searches_api import OWNER
from services.query.teaching.export import formats
from services.query.teaching.export.case import CODES, PURPOSES, Asked
from services.query.teaching.export.gather import Gatherer
from services.query.teaching.export.words import line
from services.query.teaching.files import Files
from services.transport.edge import Call, Route


class ExportsApi:
    """Gather a case once, write it in the format that is asked for."""

    service = teaching_exports_pb2.DESCRIPTOR.services_by_name["TeachingExportsService"]
    routes = (Route("POST", "/v1/teachingFiles/{file_id}:export", "ExportTeachingFile"),)

    def __init__(self, facts: Facts, blobs: Blobs, secret: bytes) -> None:
        """secret: the installation's key, from which the names of what leaves are derived."""
        self._gatherer = Gatherer(facts, Files(facts, blobs), Images(facts, blobs), secret)

    def export_teaching_file(
        self, request: teaching_exports_pb2.ExportTeachingFileRequest, call: Call
    ) -> common_pb2.Blob:
        chosen = formats.known(request.format)
        asked = _asked(request)
        case = self._gatherer.case(OWNER, call.access, request.file_id, request.version, asked)
        return common_pb2.Blob(
            content_type=chosen.content_type, data=formats.made(request.format, case),
            filename=formats.file_name(request.format, case), notes=map(str, case.left_out),
        )  # fmt: skip


def _asked(request: teaching_exports_pb2.ExportTeachingFileRequest) -> Asked:
    purpose, codes = request.purpose or PURPOSES[0], request.codes or CODES[0]
    if purpose not in PURPOSES:
        raise invalid(f"purpose is one of {', '.join(PURPOSES)}")
    if codes not in CODES:
        raise invalid(f"codes is one of {', '.join(CODES)}")
    if len(request.right) > MAX_TEXT_CHARS:
        raise HilumError(ErrorCode.PAYLOAD_TOO_LARGE, f"a right is said in at most {MAX_TEXT_CHARS} characters")
    return Asked(request.quiz, line(request.right), request.written, purpose, codes)
