"""One ingest from its source to its end: the stages in a row, with bounded queues between them.

While the encoders are at one batch, the next one is read and decoded, and the one before is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from services.core import dicomweb as servers
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, jobs, models
from services.core.ids import image_id
from services.core.seal import sealed, unsealed
from services.core.store import VectorStore
from services.core.types import Job, Outcome, Report
from services.encoders import slices
from services.encoders.registry import Registry
from services.ingest import heap, promotion, stages
from services.ingest.before import Before, left, nothing_open
from services.ingest.burned_in import BurnedIn
from services.ingest.claim import claimed
from services.ingest.crash import Reached, nowhere
from services.ingest.decode_pool import DecodePool
from services.ingest.flow import gathered, prefetch
from services.ingest.pixel_cache import PixelCache
from services.ingest.progress import Tally
from services.ingest.reasons import Reason
from services.ingest.records import Identities
from services.ingest.report_index import ReportIndex
from services.ingest.sources.dicomweb import DicomWeb
from services.ingest.sources.files import Listed
from services.ingest.sources.refs import ref_of
from services.ingest.sources.source import Source, open_source
from services.ingest.sources.web import FETCHES
from services.ingest.stages import Tools, Work
from services.ingest.taken import Taken

BATCH_FILMS = 32
BATCH_BYTES = 256 * 2**20
GATHERED_BATCHES = 8  # a durable write costs the same for one film and for hundreds
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What an ingest job was asked to do; it survives restarts as the job's spec."""

    source: str
    dataset: str
    layout: str = "auto"
    labels: str = ""
    reports: str = ""
    tables: str = ""
    columns: str = ""  # a column map
    models: tuple[str, ...] = ()
    keep_ids: bool = False
    window: str = ""  # of CT slices
    cache_pixels: bool = False
    where: str = ""  # of a DICOMweb server's films
    recheck: bool = False  # fetch also what the listing says is stored

    def spec(self, secret: bytes) -> dict[str, object]:
        """As a job keeps it, with its paths sealed: names of folders can name people."""
        return sealed(secret, asdict(self))

    @classmethod
    def of(cls, spec: Mapping[str, object], secret: bytes) -> Plan:
        """As a job has kept it. Raises FAILED_PRECONDITION."""
        return cls(**{**unsealed(secret, spec), "models": tuple(spec.get("models", ()))})  # type: ignore[arg-type]

    @property
    def remote(self) -> bool:
        """Do its films come from a DICOMweb server?"""
        return servers.is_address(self.source)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What stays the same from job to job."""

    settings: Settings
    facts: Facts
    store: VectorStore
    blobs: Blobs
    registry: Registry
    pool: DecodePool
    secret: bytes
    reached: Reached = nowhere
    open_registry: Callable[[Settings], Registry] = Registry.open  # in workers on other machines

    def run(self, job_id: str, plan: Plan, tally: Tally, stopped: Callable[[], bool]) -> dict[str, object]:
        """Ingest; returns the job's result. Ends early, with everything acknowledged kept, when `stopped` says so.

        Raises HilumError when the whole job cannot go on; what single films have is in their outcomes.
        """
        with (
            claimed(self.facts, self.settings.data_dir, plan.dataset, stopped) as held,
            ThreadPoolExecutor(self.pool.workers + 1, thread_name_prefix="ingest-film") as threads,
            ThreadPoolExecutor(FETCHES, thread_name_prefix="ingest-read") as readers,
        ):
            try:
                return self._run(job_id, plan, tally, stopped, threads, readers) if held else {}
            except HilumError as error:
                if error.code is ErrorCode.CANCELLED and stopped():
                    return {}
                raise

    def _run(
        self, job_id: str, plan: Plan, tally: Tally, stopped: Callable[[], bool], threads: ThreadPoolExecutor,
        readers: ThreadPoolExecutor,
    ) -> dict[str, object]:  # fmt: skip
        tally.stage = "reading tables"
        before = self._before(plan) if plan.remote and not plan.recheck else Before()
        with closing(self._source(plan, before, stopped)) as source, ExitStack() as leases:
            return self._films(job_id, plan, source, before, tally, stopped, threads, readers, leases)

    def _before(self, plan: Plan) -> Before:
        def like(job: Job) -> bool:
            try:
                former = Plan.of(job.spec, self.secret)
            except (HilumError, TypeError):  # of another secret or version
                return False
            return (former.source, former.dataset, former.where) == (plan.source, plan.dataset, plan.where)

        return left(self.facts, like, tables=bool(plan.labels or plan.reports))

    def _source(self, plan: Plan, before: Before, stopped: Callable[[], bool]) -> Source:
        identify = partial(image_id, plan.dataset)
        if plan.remote:
            server = servers.find(self.settings.dicomweb, plan.source)
            return DicomWeb(server, plan.where, plan.labels, plan.reports, identify, stopped, before.cursor)
        return open_source(
            Path(plan.source), plan.layout, plan.labels, plan.reports, identify, plan.tables, plan.columns
        )  # fmt: skip

    def _films(
        self, job_id: str, plan: Plan, source: Source, before: Before, tally: Tally, stopped: Callable[[], bool],
        threads: ThreadPoolExecutor, readers: ThreadPoolExecutor, leases: ExitStack,
    ) -> dict[str, object]:  # fmt: skip
        who = Identities(plan.dataset, self.secret, plan.keep_ids or source.keep_ids)
        tally.stage = "listing"
        films = source.films()
        tally.total = len(films)
        tally.stage = "loading models"
        names, layout = plan.models or self.registry.default_names(), plan.layout
        if layout == slices.LAYOUT:  # the same encoders under the names that keep slices apart from films
            names, layout = [slices.named(n, plan.window) for n in names], f"{layout}:{slices.window_of(plan.window)}"
        encoders = [leases.enter_context(self.registry.lease(name)) for name in names]
        if not encoders:
            raise HilumError(ErrorCode.FAILED_PRECONDITION, "no encoder can be used; see `hilum models list`")
        kept = PixelCache.of(self.settings, plan.cache_pixels) if plan.layout != slices.LAYOUT else None
        specs = [encoder.spec for encoder in encoders]
        if before.cursor and before.models != {spec.name: spec.fingerprint for spec in specs}:
            films = source.films(everything=True)  # type: ignore[call-arg] # a model that is new has seen none of them
            tally.total = len(films)
        tools = Tools(
            self.facts, self.store, self.blobs, self.pool, threads, readers, encoders, who, source, layout,
            self.reached, kept, burned_in=BurnedIn(self.settings.burned_in, self.settings.ocr),
            views=self.settings.infer_view,
        )  # fmt: skip
        self._prepare(tools)
        seen = leases.enter_context(closing(Taken()))
        self._already(job_id, tally, seen)
        todo = self._todo(job_id, films, resumed=bool(tally.counts))
        self.reached("listed")
        tally.start("films")
        self._line(plan, tools, job_id, todo, seen, None if plan.recheck else before.refused, tally, stopped)
        tally.stage = "reports"
        reports = 0 if stopped() else self._reports(plan, source, who)
        unread = self._index(plan.dataset, bool(reports), tally, stopped)
        waiting = {} if stopped() else promotion.waiting(self.facts, self.store, specs, self.settings.promote)
        self.reached("before_finish")
        return {
            **tally.result(),
            "models": {e.spec.name: e.spec.fingerprint for e in encoders},
            "paths": {e.spec.name: e.path for e in encoders if hasattr(e, "path")},
            "waiting": waiting,
            "table_rows": source.rows,
            "passed_over": dict(source.passed),
            "reports": reports,
            "reports_without": unread,
            "cursor": source.cursor if isinstance(source, DicomWeb) and nothing_open(self.facts, job_id) else "",
        }

    def _line(
        self, plan: Plan, tools: Tools, job_id: str, todo: Iterator[Work], seen: Taken,
        refused: Mapping[str, Reason] | None, tally: Tally, stopped: Callable[[], bool],
    ) -> None:  # fmt: skip
        if self.settings.ray and not plan.remote:
            from services.ingest import distributed

            return distributed.line(self, plan, tools, job_id, _batches(todo), seen, tally, stopped)

        def files() -> Iterator[list[Work]]:
            for batch in _batches(todo):
                if stopped():
                    return
                yield stages.read(tools, batch if refused is None else stages.trusted(tools, batch, seen, refused))

        def front() -> Iterator[list[Work]]:
            for batch in prefetch(files()):
                work = stages.known(tools, batch, seen)
                work = stages.settled(tools, stages.decoded(tools, work), seen)
                self.reached("decoded")
                yield work

        def middle() -> Iterator[list[Work]]:
            for work in prefetch(front()):
                yield stages.encoded(tools, work)
                self.reached("encoded")

        for ready in gathered(middle(), GATHERED_BATCHES):
            tally.add(stages.stored(tools, list(chain.from_iterable(ready)), job_id))
            heap.give_back()
            if stopped():
                return

    def _prepare(self, tools: Tools) -> None:
        """Collections with their indexes. A model whose name nobody answers to yet answers from the first film on; a
        new fingerprint fills beside the old one and waits."""
        for encoder in tools.encoders:
            self.store.ensure(encoder.spec)
            self.store.index_labels(encoder.spec, sorted(tools.source.findings))
            models.note(self.facts, encoder.spec)

    def _already(self, job_id: str, tally: Tally, seen: Taken) -> None:
        """What this job has decided before a restart, and the films it has taken."""
        after = ""
        while page := jobs.items(self.facts, job_id, after=after, size=_PAGE):
            tally.counts.update(item.outcome.value for item in page)
            took = (item for item in page if item.outcome in (Outcome.STORED, Outcome.UNCHANGED))
            seen.update((item.image_id, (item.ref, "")) for item in took if item.image_id)
            after = page[-1].ref

    def _todo(self, job_id: str, films: Sequence[Listed], resumed: bool) -> Iterator[Work]:
        """The films without those that the job decided before a restart."""
        for start in range(0, len(films), _PAGE):
            page = {ref_of(self.secret, film.name): film for film in films[start : start + _PAGE]}
            done = jobs.decided(self.facts, job_id, list(page)) if resumed else {}
            yield from (Work(ref, film) for ref, film in page.items() if ref not in done)

    def _reports(self, plan: Plan, source: Source, who: Identities) -> int:
        """Store the reports of studies that have films here; how many studies that were."""
        known, batch, count = images.studies(self.facts, plan.dataset), list[Report](), 0
        for study, sections in source.reports():
            if (study_id := who.study(study)) not in known:
                continue
            count += 1
            batch += [Report(plan.dataset, str(study_id), section, text) for section, text in sections.items()]
            if len(batch) >= _PAGE:
                images.save_reports(self.facts, batch)
                batch = []
        images.save_reports(self.facts, batch)
        return count

    def _index(self, dataset: str, news: bool, tally: Tally, stopped: Callable[[], bool]) -> list[str]:
        """Make reports findable; the models whose encoder is not at hand to do so."""
        work = ReportIndex(self.settings, self.facts, self.store, self.registry, self.reached)
        total, done = work.work(dataset), 0
        if not total or not (news or not work.begun(dataset)):
            return []

        def seen(looked: int, _: int) -> None:
            nonlocal done
            done += looked
            tally.part = (done, total)

        away = work.index(dataset, stopped, seen)
        tally.part = None
        return sorted(away)


def _batches(todo: Iterator[Work]) -> Iterator[list[Work]]:
    """So many films, or so many bytes, whichever is less. Work begins to exist when its turn comes, and is handed
    over, not kept: an archive has millions of films."""
    batch, size = list[Work](), 0
    for work in todo:
        weight = work.listed.size()
        if batch and (len(batch) == BATCH_FILMS or size + weight > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(work)
        size += weight
    if batch:
        yield batch
