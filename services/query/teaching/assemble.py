"""A teaching file in a minute: typical and atypical cases, look-alikes and normals, one per patient, each with why.

    made = Assembler(facts, search, files)("local", ALL, Wanted("pleural_effusion", None, counts={…}))

The same question on the same archive gives the same films: nothing is drawn at random.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.core.access import Access
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, models
from services.core.filters import all_of, describe, equals, not_, parse
from services.core.labels import LabelState
from services.core.licences import HandingOn, handing_on
from services.core.types import ImageRecord
from services.query.asked import Hit, Mode, Ranking, SearchQuery, Showing
from services.query.by import By, Mixture, StoredFilm
from services.query.facets import facets
from services.query.search.modes import NO_FINDING
from services.query.search.pipeline import Search
from services.query.teaching.cases import write
from services.query.teaching.chosen import Chosen, Group, age_band, agreement, conditions, why
from services.query.teaching.files import Files
from services.query.teaching.grading import GRADES, UNKNOWN, graded, in_turn
from services.query.teaching.rights import Shown
from services.query.teaching.wanted import Wanted

_DEEPER = 6  # films looked at for each that is wanted: others of a patient, and those not to be handed on, are left out
_WITNESSES, _REACH = 2, 200  # other models that are asked whether they agree, and how far
_EXACT = 50_000  # films up to which every one is compared: answers do not hang on the index then
Cancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Made:
    """files: as they are kept.  notes: what could not be had, and why.  seconds: what it took."""

    files: tuple[Shown, ...]
    notes: tuple[str, ...]
    seconds: float


@dataclass(slots=True)
class _Work:
    """What is chosen so far."""

    wanted: Wanted
    access: Access
    cancelled: Cancelled
    exact: bool
    groups: dict[Group, list[Chosen]] = field(default_factory=dict)
    patients: set[tuple[str, str]] = field(default_factory=set)
    forbidden: list[str] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    others: dict[str, dict[str, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Assembler:
    """Chooses films and writes them up as drafts. Safe to share between threads."""

    def __init__(self, facts: Facts, search: Search, files: Files) -> None:
        self._facts, self._search, self._files = facts, search, files

    def __call__(self, user: str, access: Access, wanted: Wanted, cancelled: Cancelled = lambda: False) -> Made:
        """Raises FAILED_PRECONDITION when no film can be chosen, and what searching raises."""
        started = time.perf_counter()
        held = max(images.count_by_model(self._facts).values(), default=0)
        work = _Work(wanted, access, cancelled, held <= _EXACT, notes=list(wanted.notes))
        self._leave_out(work)
        for choose in (self._index, self._cases, self._lookalikes, self._normals):
            choose(work)
        found = [one for group in work.groups.values() for one in group]
        work.notes += [
            f"{count} left out: their licence ({licence}) forbids handing them on"
            for licence, count in sorted(work.refused.items())
        ]
        if not found:
            told = "; ".join(work.notes) or "no film is like it"
            raise HilumError(ErrorCode.FAILED_PRECONDITION, f"nothing to assemble: {told}")
        kept = []
        for number, document in enumerate(write(wanted, work.groups, work.notes)):
            name = f"{wanted.request_id}/{number}" if wanted.request_id else ""
            kept.append(self._files.create(user, access, document, "assembled", name))
        return Made(tuple(kept), tuple(work.notes), time.perf_counter() - started)

    def _leave_out(self, work: _Work) -> None:
        """Films whose licence forbids handing on do not answer at all; how many of them there are is said."""
        if work.wanted.restricted:
            return
        stated = self._licences(work.wanted.filter, work.access)
        work.forbidden = [licence for licence in stated if handing_on(licence) is HandingOn.FORBIDDEN]
        if work.forbidden and work.wanted.finding:
            with_it = all_of(parse(work.wanted.filter), equals(f"labels.{work.wanted.finding}", LabelState.PRESENT))
            counts = self._licences(describe(with_it), work.access)
            work.refused = {name: counts[name] for name in work.forbidden if name in counts}

    def _licences(self, condition: str, access: Access) -> dict[str, int]:
        return facets(self._facts, condition, ["licence"], access).facets[0].counts

    def _index(self, work: _Work) -> None:
        """The film asked with opens the file."""
        if not work.wanted.index:
            return
        record = images.get(self._facts, [work.wanted.index]).get(work.wanted.index)
        if record is None or not work.access.allows(record):
            raise HilumError(ErrorCode.NOT_FOUND, "no such film; `images:query` lists those there are")
        if self._may_be_taken(work, record):
            self._take(work, Group.INDEX, record, "the film that was asked with", *self._grade(work, record))

    def _cases(self, work: _Work) -> None:
        wanted = work.wanted
        if not wanted.finding:
            self._nearest(work)
            return
        for group, mode in ((Group.TYPICAL, Mode.TYPICAL), (Group.ATYPICAL, Mode.ATYPICAL)):
            if count := wanted.counts.get(group, 0):
                ranking = Ranking(mode, wanted.finding)
                self._fill(work, group, count, self._asked(work, wanted.by, ranking, count))

    def _nearest(self, work: _Work) -> None:
        """Nobody names a finding: films that are like what was asked with."""
        if count := work.wanted.counts.get(Group.TYPICAL, 0):
            self._fill(work, Group.TYPICAL, count, self._asked(work, work.wanted.by, Ranking(), count))
        if work.wanted.counts.get(Group.ATYPICAL, 0):
            work.notes.append("no atypical cases: no finding is named that they could have")

    def _lookalikes(self, work: _Work) -> None:
        """Near the typical cases, stated not to have the finding, and stated to have another."""
        count, finding = work.wanted.counts.get(Group.LOOKALIKES, 0), work.wanted.finding
        if not count:
            return
        cases = [one.record.image_id for group in (Group.INDEX, Group.TYPICAL) for one in work.groups.get(group, ())]
        if not finding or not (cases or work.wanted.by):
            work.notes.append("no look-alikes: no finding is named that they should not have, or no case found")
            return
        by = work.wanted.by or Mixture(tuple((StoredFilm(image_id), 1.0) for image_id in cases[:32]))
        hits = self._asked(work, by, Ranking(Mode.LOOKALIKE, finding), count)
        self._fill(work, Group.LOOKALIKES, count, [hit for hit in hits if conditions(hit.image.record)])

    def _normals(self, work: _Work) -> None:
        """Films stated to be without a finding, each of the view, sex and age band of a case; where there is none, of
        as much of that as there is."""
        count = work.wanted.counts.get(Group.NORMALS, 0)
        cases = [one.record for one in work.groups.get(Group.TYPICAL, []) + work.groups.get(Group.ATYPICAL, [])]
        cases = cases or [one.record for group in work.groups.values() for one in group]
        if not count or not cases:
            return
        for number in range(count):
            case = cases[number % len(cases)]
            self._normal(work, case)
        found = len(work.groups.get(Group.NORMALS, ()))
        if found < count:
            work.notes.append(f"{found} of {count} normals: no more films are stated to be without a finding")

    def _normal(self, work: _Work, case: ImageRecord) -> None:
        matched = {"view": case.view, "sex": case.sex, "age band": age_band(case.age)}
        for left_out in ((), ("age band",), ("age band", "sex"), ("age band", "sex", "view")):
            same = {name: value for name, value in matched.items() if value and name not in left_out}
            hits = self._asked(work, None, Ranking(Mode.TYPICAL, NO_FINDING), 1, _matching(same))
            told = (
                f"normal of the same {', '.join(same)} as a case" if same else "normal, of another kind than the cases"
            )
            if self._fill(work, Group.NORMALS, 1, hits, told):
                return

    def _asked(
        self, work: _Work, by: By | None, ranking: Ranking, count: int, narrower: str = ""
    ) -> Sequence[Hit]:  # fmt: skip
        licences = (not_(equals("licence", licence)) for licence in work.forbidden)
        condition = all_of(parse(work.wanted.filter), parse(narrower), *licences)
        query = SearchQuery(
            by, work.wanted.models, describe(condition), min(_DEEPER * count + len(work.seen), 1_000),
            exact=work.exact, ranking=ranking, showing=Showing(per_patient=1),
        )  # fmt: skip
        hits = self._search(query, work.cancelled, work.access.condition()).hits
        work.others = {} if narrower or work.wanted.models or not hits else self._others(work, query, hits)
        return hits

    def _others(self, work: _Work, query: SearchQuery, hits: Sequence[Hit]) -> dict[str, dict[str, int]]:
        """What other models say of the same question, where nobody chose models: model → film → rank."""
        asked = [place.model for place in hits[0].places]
        others = [name for name in models.active(self._facts) if name not in asked][:_WITNESSES]
        found = {}
        for name in others:
            wider = replace(query, models=(name,), limit=_REACH, showing=Showing(fold=False))
            with contextlib.suppress(HilumError):  # it knows no words, or does not hold the film
                answer = self._search(wider, work.cancelled, work.access.condition())
                found[name] = {hit.image.record.image_id: rank for rank, hit in enumerate(answer.hits, 1)}
        return found

    def _fill(self, work: _Work, group: Group, count: int, hits: Sequence[Hit], told: str = "") -> int:
        """Take the first films that may be taken, of each severity in turn where typical cases are graded; cases then
        stand by severity. How many there were."""
        found = [(rank, hit) for rank, hit in enumerate(hits, 1) if self._may_be_taken(work, hit.image.record)]
        cases = group in (Group.INDEX, Group.TYPICAL, Group.ATYPICAL)
        grades = {hit.image.record.image_id: self._grade(work, hit.image.record) for _, hit in found if cases}
        if group is Group.TYPICAL:
            found = in_turn(found, lambda one: grades[one[1].image.record.image_id][0])
        taken = 0
        for rank, hit in found:
            record = hit.image.record
            if taken < count and self._is_new(work, record):
                severity, said = grades.get(record.image_id, (UNKNOWN, ""))
                reason = "; ".join((why(group, rank, hit, work.wanted.finding, told), *agreement(record, work.others)))
                self._take(work, group, record, reason, severity, said)
                taken += 1
        if cases and taken:
            work.groups[group].sort(key=lambda one: GRADES.index(one.severity))
        if taken < count and group is not Group.NORMALS:
            work.notes.append(f"{taken} of {count} {group.words}: the archive has no more of other patients")
        return taken

    @staticmethod
    def _is_new(work: _Work, record: ImageRecord) -> bool:
        patient = (record.dataset, record.patient_id or record.image_id)
        return patient not in work.patients and record.image_id not in work.seen

    @staticmethod
    def _may_be_taken(work: _Work, record: ImageRecord) -> bool:
        if handing_on(record.licence) is not HandingOn.FORBIDDEN or work.wanted.restricted:
            return True
        licence = str(record.licence)
        work.refused[licence] = work.refused.get(licence, 0) + 1
        return False

    def _take(
        self, work: _Work, group: Group, record: ImageRecord, told: str, severity: str = UNKNOWN, said: str = ""
    ) -> None:
        work.seen.add(record.image_id)
        work.patients.add((record.dataset, record.patient_id or record.image_id))
        if said in ("absent", "uncertain"):
            told += f"; its report says {said}: look at it before you teach with it"
        work.groups.setdefault(group, []).append(Chosen(record, told, severity))

    def _grade(self, work: _Work, record: ImageRecord) -> tuple[str, str]:
        """Severity, and what the report says of the finding."""
        if not work.wanted.finding or not record.study_id:
            return UNKNOWN, ""
        return graded(work.wanted.finding, images.reports_of(self._facts, record.dataset, record.study_id))


def _matching(same: Mapping[str, object]) -> str:
    """The filter for films that agree with a case in these facts."""
    parts = []
    for name, value in same.items():
        if isinstance(value, tuple):
            parts.append(f"age >= {value[0]} AND age < {value[1]}")
        else:
            parts.append(f'{name} = "{value}"')
    return " AND ".join(parts)
