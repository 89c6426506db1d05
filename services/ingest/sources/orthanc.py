"""Orthanc's feed of changes: which instances came after a given point, without listing the server.

Orthanc book, "Tracking changes": GET /changes?since=SEQ&limit=N → {"Changes": […], "Done", "Last"}. The number begins
anew with a new database, so one that lies behind us means that everything is to be listed.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Any

from services.core.errors import ErrorCode, HilumError
from services.ingest.sources.qido import Found, Where, day
from services.ingest.sources.web import TooLongError, UnansweredError, Web

_PAGE = 1_000
_MOST_BYTES = 16 * 2**20


class Changes:
    """The feed of the Orthanc whose REST API is at `root`."""

    def __init__(self, web: Web, root: str) -> None:
        self._web, self._root = web, root
        self._above = lru_cache(10_000)(self._read)

    def last(self) -> str:
        """The latest change's number."""
        return str(_number(self._ask("changes", last=""), "Last"))

    def find(self, where: Where, since: str) -> list[Found] | None:
        """Instances that came after `since` and match; None when everything is to be listed."""
        at, found = int(since), dict[str, Found]()
        if int(self.last()) < at:
            return None
        while True:
            page = self._ask("changes", since=str(at), limit=str(_PAGE))
            changes = page.get("Changes") if isinstance(page, dict) else None
            if not isinstance(changes, list):
                raise _otherwise()
            for change in changes:
                if isinstance(change, dict) and change.get("ChangeType") == "NewInstance":
                    instance = self._instance(str(change.get("ID", "")), where)
                    if instance:
                        found[instance.uid] = instance
            further = _number(page, "Last")
            if page.get("Done") or further <= at:
                return list(found.values())
            at = further

    def _instance(self, ident: str, where: Where) -> Found | None:
        try:
            film = self._read("instances", ident)
            series = self._above("series", film["ParentSeries"])
            study = self._above("studies", series["ParentStudy"])
            uid = film["MainDicomTags"]["SOPInstanceUID"]
            tags, above = series["MainDicomTags"], study["MainDicomTags"]
            found = Found(above["StudyInstanceUID"], tags["SeriesInstanceUID"], uid)
        except _Deleted:
            return None
        except (KeyError, TypeError):
            raise _otherwise() from None
        when = day(str(above.get("StudyDate", "")))
        wanted = (
            tags.get("Modality") in where.modalities
            and (not where.part or tags.get("BodyPartExamined") == where.part)
            and (not where.days or (when is not None and _within(when, where.days)))
        )
        return found if wanted else None

    def _read(self, level: str, ident: str) -> dict[str, Any]:
        if not ident.replace("-", "").isalnum():
            raise _otherwise()
        try:
            found, _ = self._web.json(f"{self._root}/{level}/{ident}", _MOST_BYTES)
        except UnansweredError as error:
            raise (_Deleted if error.absent else _otherwise()) from None
        if not isinstance(found, dict):
            raise _otherwise()
        return found

    def _ask(self, what: str, **parameters: str) -> Any:
        try:
            return self._web.json(f"{self._root}/{what}", _MOST_BYTES, **parameters)[0]
        except (UnansweredError, TooLongError):
            raise _otherwise() from None


class _Deleted(Exception):  # noqa: N818 - of an instance
    """It came and went again."""


def _within(when: date, days: tuple[date, date]) -> bool:
    return days[0] <= when <= days[1]


def _number(page: object, name: str) -> int:
    value = page.get(name) if isinstance(page, dict) else None
    if not isinstance(value, int) or isinstance(value, bool):
        raise _otherwise()
    return value


def _otherwise() -> HilumError:
    return HilumError(
        ErrorCode.FAILED_PRECONDITION,
        "the address in HILUM_DICOMWEB_NAME_CHANGES answers otherwise than an Orthanc's REST API; mend it, or leave it "
        "out",
    )
