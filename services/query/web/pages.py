"""The pages: search, one film, cohorts, teaching files, maps, jobs, about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from services.core.access import ALL, Access
from services.core.errors import HilumError
from services.core.facts import Facts, jobs, sets
from services.core.labels import LabelState, merge
from services.core.types import ImageRecord
from services.query.api import QueryApi
from services.query.quality import quality
from services.query.web.render import Pages
from services.transport.errors import TABLE

EXAMPLES = (
    ('view = "PA" AND age >= 60', "upright films of older adults"),
    ("labels.edema = present", "somebody stated edema"),
    ("labels.pneumothorax = absent AND labels.fracture = unknown", "ruled out, and never mentioned"),
    ("sex = F OR NOT sex:*", "women, and films of unknown sex"),
    ("study_date >= 2020-01-01", "since a date"),
)
_LATEST = 30
_STATES = (LabelState.PRESENT, LabelState.UNCERTAIN, LabelState.ABSENT)


def web_router(facts: Facts, query: QueryApi, access: Access = ALL) -> APIRouter:
    """A router with every page and what pages need. access: what its readers may see."""
    pages = Pages()
    router = APIRouter(include_in_schema=False, route_class=_pages_with_errors(pages))

    @router.get("/")
    def search() -> Response:
        return pages.page("search.html", here="search", models=query.models(), examples=EXAMPLES)

    @router.get("/images/{image_id}")
    def film(image_id: str) -> Response:
        shown = query.images.get(image_id, access)
        record = shown.record
        statements = _statements(record)
        return pages.page(
            "film.html",
            here="search",
            film=shown,
            record=record,
            stated=[row for row in statements if row[1] is not LabelState.ABSENT],
            absent=[row for row in statements if row[1] is LabelState.ABSENT],
            relatives=query.images.of_same_patient(record),
            report=query.images.report(record),
        )

    @router.get("/runs")
    def analyses() -> Response:
        return pages.page("runs.html", here="runs", models=query.models())

    @router.get("/cohorts")
    def cohorts() -> Response:
        return pages.page("cohorts.html", here="cohorts")

    @router.get("/cohorts/{name}")
    def cohort(name: str) -> Response:
        return pages.page("cohort.html", here="cohorts", cohort=sets.name(name))

    @router.get("/studies")
    def studies() -> Response:
        return pages.page("studies.html", here="studies", models=query.models())

    @router.get("/studies/{study_id}")
    def study(study_id: str) -> Response:
        return pages.page("study.html", here="studies")

    @router.get("/teaching")
    def teaching() -> Response:
        return pages.page("teaching.html", here="teaching")

    @router.get("/teaching/results")
    def results() -> Response:
        return pages.page("teaching_results.html", here="teaching")

    @router.get("/teaching/{file_id}")
    def teaching_file(file_id: str) -> Response:
        return pages.page("teaching_file.html", here="teaching")

    @router.get("/teaching/{file_id}/quiz")
    def quiz(file_id: str) -> Response:
        return pages.page("teaching_quiz.html", here="teaching")

    @router.get("/read/{token}")
    def read(token: str) -> Response:
        return pages.page("read.html")

    @router.get("/jobs")
    def work() -> Response:
        return pages.page("jobs.html", here="jobs", jobs=jobs.recent(facts, size=_LATEST))

    @router.get("/about")
    def about() -> Response:
        return pages.page("about.html", here="about", models=query.models(), quality=quality(facts).models)

    @router.get("/static/{name}")
    def static(name: str, request: Request) -> Response:
        return pages.file(name, request)

    @router.get("/favicon.ico")
    def icon(request: Request) -> Response:
        return pages.file("icon.svg", request)

    return router


def _statements(record: ImageRecord) -> list[tuple[str, LabelState, str]]:
    """(finding, state, who says so), what is present first."""
    merged = merge(list(record.labels))
    sources: dict[str, list[str]] = {}
    for label in record.labels:
        sources.setdefault(label.name, []).append(label.source)
    ordered = sorted(merged.items(), key=lambda item: (_STATES.index(item[1]), item[0]))
    return [(name, state, ", ".join(dict.fromkeys(sources[name]))) for name, state in ordered]


def _pages_with_errors(pages: Pages) -> type[APIRoute]:
    """Routes whose errors are pages for people."""

    class PageRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:
            answer = super().get_route_handler()

            async def handle(request: Request) -> Response:
                try:
                    return await answer(request)
                except HilumError as error:
                    status = TABLE[error.code][1]
                    return pages.page(
                        "error.html", status, here="", missing=status == 404, message=error.client_message
                    )

            return handle

    return PageRoute
