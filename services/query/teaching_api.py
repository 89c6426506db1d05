"""hilum.v1.TeachingService: teaching files and quizzes on them.

Until there are users, everybody who may ask is the one owner.
"""

from __future__ import annotations

from hilum.v1 import common_pb2
from hilum.v1 import teaching_pb2 as wire
from services.core.blobs import Blobs
from services.core.facts import Facts
from services.core.facts.teaching import DRAFT, PUBLISHED, REVIEW
from services.query.api import QueryApi
from services.query.images import picture_of
from services.query.searches_api import OWNER
from services.query.teaching import convert
from services.query.teaching.assemble import Assembler
from services.query.teaching.files import Files
from services.query.teaching.mirc_import import read_mirc
from services.query.teaching.quiz import Quizzes
from services.query.teaching.wanted import wanted
from services.transport.edge import Call, Route
from services.transport.encode_client import EncodeClient


class TeachingApi:
    """Make, read, edit, publish, import; try as an unknown."""

    service = wire.DESCRIPTOR.services_by_name["TeachingService"]
    routes = (
        Route("POST", "/v1/teachingFiles", "CreateTeachingFile"),
        Route("POST", "/v1/teachingFiles:assemble", "AssembleTeachingFiles"),
        Route("POST", "/v1/teachingFiles:import", "ImportTeachingFile"),
        Route("GET", "/v1/teachingFiles", "ListTeachingFiles"),
        Route("GET", "/v1/teachingFiles/{file_id}", "GetTeachingFile"),
        Route("PATCH", "/v1/teachingFiles/{file_id}", "UpdateTeachingFile"),
        Route("DELETE", "/v1/teachingFiles/{file_id}", "DeleteTeachingFile"),
        Route("POST", "/v1/teachingFiles/{file_id}:review", "ReviewTeachingFile"),
        Route("POST", "/v1/teachingFiles/{file_id}:publish", "PublishTeachingFile"),
        Route("POST", "/v1/teachingFiles/{file_id}:withdraw", "WithdrawTeachingFile"),
        Route("POST", "/v1/teachingFiles/{file_id}:share", "SetTeachingAccess"),
        Route("GET", "/v1/teachingFiles/{file_id}/versions", "ListTeachingVersions"),
        Route("POST", "/v1/teachingFiles/{file_id}:restore", "RestoreTeachingVersion"),
        Route("GET", "/v1/teachingFiles/{file_id}/pictures/{key}", "GetTeachingPicture"),
        Route("GET", "/v1/teachingFiles/{file_id}/quiz", "GetQuiz"),
        Route("POST", "/v1/teachingFiles/{file_id}/quiz:answer", "AnswerQuiz"),
        Route("POST", "/v1/quizTries/{try_id}:judge", "JudgeQuiz"),
        Route("GET", "/v1/quizTries", "GetQuizResults"),
    )

    def __init__(self, facts: Facts, query: QueryApi, encode: EncodeClient, blobs: Blobs) -> None:
        self.files = Files(facts, blobs)
        self._facts, self._images, self._encode = facts, query.images, encode
        self.quizzes = Quizzes(facts, self.files)
        self._assembler = Assembler(facts, query.searching, self.files)

    def create_teaching_file(self, request: wire.CreateTeachingFileRequest, call: Call) -> wire.TeachingFile:
        document = convert.document(request.document)
        return convert.file(self.files.create(OWNER, call.access, document, request.note, request.request_id))

    def assemble_teaching_files(
        self, request: wire.AssembleTeachingFilesRequest, call: Call
    ) -> wire.AssembleTeachingFilesResponse:
        made = self._assembler(OWNER, call.access, wanted(self._facts, OWNER, call.access, request), call.cancelled)
        return wire.AssembleTeachingFilesResponse(
            files=map(convert.file, made.files), notes=made.notes, seconds=made.seconds
        )

    def import_teaching_file(
        self, request: wire.ImportTeachingFileRequest, call: Call
    ) -> wire.ImportTeachingFileResponse:
        found = read_mirc(request.archive, self._encode.pictures)
        made = self.files.create(
            OWNER, call.access, found.document, "imported from a MIRCdocument", request.request_id, found.pictures
        )
        return wire.ImportTeachingFileResponse(file=convert.file(made), notes=found.notes)

    def list_teaching_files(self, request: wire.ListTeachingFilesRequest, call: Call) -> wire.ListTeachingFilesResponse:
        page = self.files.listed(
            OWNER, call.access, request.words, request.state, request.page_size, request.page_token
        )
        return wire.ListTeachingFilesResponse(files=map(convert.summary, page.files), next_page_token=page.next_token)

    def get_teaching_file(self, request: wire.TeachingFileRequest, call: Call) -> wire.TeachingFile:
        return convert.file(self.files.get(OWNER, call.access, request.file_id, request.version))

    def update_teaching_file(self, request: wire.UpdateTeachingFileRequest, call: Call) -> wire.TeachingFile:
        document = convert.document(request.document)
        return convert.file(
            self.files.update(OWNER, call.access, request.file_id, request.made_from, document, request.note)
        )

    def delete_teaching_file(self, request: wire.TeachingFileRequest, call: Call) -> wire.DeleteTeachingFileResponse:
        versions, tries = self.files.delete(OWNER, request.file_id)
        return wire.DeleteTeachingFileResponse(versions=versions, tries=tries)

    def review_teaching_file(self, request: wire.TeachingStateRequest, call: Call) -> wire.TeachingFile:
        return self._moved(request, call, REVIEW)

    def publish_teaching_file(self, request: wire.TeachingStateRequest, call: Call) -> wire.TeachingFile:
        return self._moved(request, call, PUBLISHED)

    def withdraw_teaching_file(self, request: wire.TeachingStateRequest, call: Call) -> wire.TeachingFile:
        return self._moved(request, call, DRAFT)

    def set_teaching_access(self, request: wire.SetTeachingAccessRequest, call: Call) -> wire.TeachingFile:
        names = {"read": request.access.read, "update": request.access.update, "export": request.access.export}
        return convert.file(self.files.grant(OWNER, call.access, request.file_id, names))

    def list_teaching_versions(
        self, request: wire.TeachingFileRequest, call: Call
    ) -> wire.ListTeachingVersionsResponse:
        kept = self.files.versions(OWNER, request.file_id)
        return wire.ListTeachingVersionsResponse(versions=map(convert.version, kept))

    def restore_teaching_version(self, request: wire.RestoreTeachingVersionRequest, call: Call) -> wire.TeachingFile:
        return convert.file(self.files.restore(OWNER, call.access, request.file_id, request.version, request.made_from))

    def get_teaching_picture(self, request: wire.TeachingPictureRequest, call: Call) -> common_pb2.Blob:
        found = self.files.picture(OWNER, call.access, request.file_id, request.key, request.version)
        picture = (
            self._images.picture(found.image_id, call.access) if found.image_id else picture_of(self.files.blob(found))
        )
        return common_pb2.Blob(data=picture.data, content_type=picture.content_type)

    def get_quiz(self, request: wire.QuizRequest, call: Call) -> wire.Quiz:
        return convert.quiz(self.quizzes.show(OWNER, call.access, request.file_id, request.choices, request.reader))

    def answer_quiz(self, request: wire.AnswerQuizRequest, call: Call) -> wire.AnswerQuizResponse:
        one, revealed = self.quizzes.answer(
            OWNER, call.access, request.file_id, request.version, request.text, request.choice, request.seconds,
            request.reader, request.request_id,
        )  # fmt: skip
        return wire.AnswerQuizResponse(quiz_try=convert.tried(one), answer=convert.file(revealed))

    def judge_quiz(self, request: wire.JudgeQuizRequest, call: Call) -> wire.QuizTry:
        return convert.tried(self.quizzes.judge(OWNER, call.access, request.try_id, request.correct))

    def get_quiz_results(self, request: wire.QuizResultsRequest, call: Call) -> wire.QuizResultsResponse:
        return convert.results(self.quizzes.results(OWNER, call.access, request.file_id, request.reader))

    def _moved(self, request: wire.TeachingStateRequest, call: Call, state: str) -> wire.TeachingFile:
        return convert.file(self.files.move(OWNER, call.access, request.file_id, state, request.version, request.note))
