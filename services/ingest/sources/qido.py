"""Listing a DICOMweb server by QIDO-RS: studies, then their series, then the instances of these. PS3.18, 10.6.

Servers bound their answers, and not all of them say so. So a page that is shorter than asked for is believed to be the
last one only when longer ones have been seen. Orthanc (1.10, with LimitFindResults) counts its bound over all pages:
whatever lies behind it cannot be had by paging, and nothing tells. Studies are therefore listed a second time in
parts by date; where the parts hold more than the whole, they are parted again. Many studies of one day stay behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from services.core.errors import ErrorCode, HilumError, invalid
from services.ingest.gate import MODALITIES
from services.ingest.sources.web import FETCHES, TooLongError, UnansweredError, Web, nonsense

PAGE = 500
_MOST_BYTES = 16 * 2**20  # of one page
_LEAST_BOUND = 10  # nobody bounds answers to fewer
_STUDY, _SERIES, _INSTANCE, _SOP_CLASS = "0020000D", "0020000E", "00080018", "00080016"
_DATE, _ROWS, _COLUMNS, _BITS, _INSTANCES = "00080020", "00280010", "00280011", "00280100", "00201209"
_FILTERS = {"Modality": 32, "StudyDate": 17, "BodyPartExamined": 64}  # keys that name nobody, and their longest values
_FIRST_DAY, _LAST_DAY = date(1800, 1, 1), date(9999, 12, 31)  # of an open range

Item = Mapping[str, Any]
Days = tuple[date, date]


@dataclass(frozen=True, slots=True)
class Found:
    """An instance of the server. `uid` is blank for a series of which the server withholds instances."""

    study: str
    series: str
    uid: str
    sop_class: str = ""
    bytes: int = 0  # of its pixels, uncompressed; 0 where the server does not say


@dataclass(frozen=True, slots=True)
class Where:
    """What is asked for. days: first and last StudyDate, None without a bound."""

    modalities: tuple[str, ...] = MODALITIES
    days: Days | None = None
    part: str = ""

    @classmethod
    def of(cls, text: str) -> Where:
        """``Modality=CR,DX;StudyDate=20240101-;BodyPartExamined=CHEST``. Raises INVALID_ARGUMENT."""
        asked: dict[str, str] = {}
        for part in filter(None, (part.strip() for part in text.split(";"))):
            key, _, value = (piece.strip() for piece in part.partition("="))
            if key not in _FILTERS or not re.fullmatch(r"[A-Z0-9 _,-]+", value) or len(value) > _FILTERS[key]:
                raise invalid(f"the filter of a DICOMweb source is KEY=VALUE;…, with the keys {', '.join(_FILTERS)}")
            asked[key] = value
        modalities = tuple(dict.fromkeys(asked.get("Modality", ",".join(MODALITIES)).split(",")))
        if not set(modalities) <= set(MODALITIES):
            raise invalid("Modality is CR, DX or CR,DX: nothing else is taken")
        days = _days(asked["StudyDate"]) if "StudyDate" in asked else None
        return cls(modalities, days, asked.get("BodyPartExamined", ""))


class Listing:
    """Lists one server. `root` is the address of its DICOMweb root."""

    def __init__(self, web: Web, root: str) -> None:
        self._web, self._root = web, root
        self._longest = dict.fromkeys(("studies", "series", "instances"), _LEAST_BOUND)

    def find(self, where: Where) -> list[Found]:
        """Every instance of the wanted series, sorted by UIDs. Raises UNAVAILABLE, FAILED_PRECONDITION."""
        studies = {uid for modality in where.modalities for uid in self._studies(modality, where.days)}
        with ThreadPoolExecutor(FETCHES, thread_name_prefix="ingest-list") as threads:
            films = threads.map(lambda study: list(self._films(study, where)), sorted(studies))
            return sorted({film for study in films for film in study}, key=lambda f: (f.study, f.series, f.uid))

    def _studies(self, modality: str, days: Days | None) -> set[str]:
        found = self._dated(modality, days)
        dates = sorted(day for day in found.values() if day)
        first, last = days or (_FIRST_DAY, _LAST_DAY)
        if len(found) < _LEAST_BOUND or not dates or first == last:
            return set(found)
        middle, day = dates[len(dates) // 2], timedelta(1)
        parts = [(first, middle - day)] if middle > first else []
        parts += [(middle, middle)]
        parts += [(middle + day, last)] if middle < last else []
        if all(set(self._dated(modality, part)) <= found.keys() for part in parts):
            return set(found)
        return set(found).union(*(self._studies(modality, part) for part in parts))

    def _dated(self, modality: str, days: Days | None) -> dict[str, date | None]:
        asked = {"ModalitiesInStudy": modality, "includefield": _STUDY}
        if days:
            first, last = (day.isoformat().replace("-", "") for day in days)
            asked["StudyDate"] = first if first == last else f"{first}-{last}".strip()
        page = self._pages("studies", "", asked)
        return {uid: day(text(item, _DATE)) for item in page if (uid := text(item, _STUDY))}

    def _films(self, study: str, where: Where) -> Iterator[Found]:
        if not usable(study):
            yield Found(study, "", "")
            return
        for modality in where.modalities:
            asked = {"Modality": modality, **({"BodyPartExamined": where.part} if where.part else {})}
            for item in self._pages("series", f"studies/{study}/", asked):
                series = text(item, _SERIES)
                if not usable(series):
                    yield Found(study, series, "")
                    continue
                listed = self._pages("instances", f"studies/{study}/series/{series}/", {})
                films = [instance(study, series, film) for film in listed]
                yield from films
                if len(films) < number(item, _INSTANCES):
                    yield Found(study, series, "")

    def _pages(self, level: str, above: str, asked: Mapping[str, str]) -> list[Item]:
        """All the items of a level, each once."""
        key = {"studies": _STUDY, "series": _SERIES, "instances": _INSTANCE}[level]
        found: dict[str, Item] = {}
        offset = 0
        while True:
            page, warned = self._page(f"{self._root}/{above}{level}", asked, offset)
            fresh = {uid: item for item in page if (uid := text(item, key)) not in found}
            found.update(fresh)
            offset += len(page)
            if page and not fresh and (warned or len(page) >= PAGE):
                raise HilumError(
                    ErrorCode.FAILED_PRECONDITION,
                    "the DICOMweb server gives the same page again and again (it ignores offset), so it cannot be "
                    "listed in full; ask for less by --where 'StudyDate=…'",
                )
            if not fresh or (len(page) < self._longest[level] and not warned):
                return list(found.values())
            self._longest[level] = max(self._longest[level], len(page))

    def _page(self, url: str, asked: Mapping[str, str], offset: int) -> tuple[list[Item], bool]:
        try:
            page, headers = self._web.json(url, _MOST_BYTES, **asked, limit=str(PAGE), offset=str(offset))
        except TooLongError:
            raise nonsense() from None
        except UnansweredError as error:
            if error.absent and offset == 0:
                raise nonsense() from None
            raise HilumError(
                ErrorCode.UNAVAILABLE,
                "the DICOMweb server fails on being asked what it holds; see its log, and submit the job again",
            ) from None
        page = [] if page is None else page
        if not isinstance(page, list) or not all(isinstance(item, dict) for item in page):
            raise nonsense()
        return page, headers.get("warning", "").startswith("299")


def instance(study: str, series: str, item: Item) -> Found:
    """What the server says of one instance."""
    size = number(item, _ROWS) * number(item, _COLUMNS) * max(1, number(item, _BITS) // 8)
    return Found(study, series, text(item, _INSTANCE), text(item, _SOP_CLASS), size)


def usable(uid: str) -> bool:
    """May it stand in an address? What servers hold as UIDs is not always one."""
    return bool(re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}", uid))


def text(item: Item, tag: str) -> str:
    """The first value of an attribute in the DICOM JSON model, blank without one."""
    element = item.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return str(values[0]).strip() if isinstance(values, list) and values and isinstance(values[0], str | int) else ""


def number(item: Item, tag: str) -> int:
    """The same as a whole number, 0 without one."""
    value = text(item, tag)
    return int(value) if value.isdecimal() and len(value) < 10 else 0


def day(value: str) -> date | None:
    try:
        return date(int(value[:4]), int(value[4:6]), int(value[6:8])) if value.isdecimal() and len(value) == 8 else None
    except ValueError:
        return None


def _days(value: str) -> tuple[date, date]:
    first, dash, last = value.partition("-")
    begin, end = day(first) if first else _FIRST_DAY, day(last) if last else _LAST_DAY
    if begin is None or end is None or not (first or last):
        raise invalid("StudyDate is a day or a range: 20240131, 20240101-20241231, 20240101- or -20241231")
    return (begin, end) if dash else (begin, begin)
