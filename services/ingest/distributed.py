"""The same stages on Ray: batches of films go to workers, one per GPU, which may sit on many machines.

The driver lists the films, hands batches out and counts outcomes. A worker takes a batch through every stage, to the
engine and the facts, so that what it reports is durable; all machines see the source and the data folder under the same
paths. A worker that dies is started anew, and its batches are handed out again: ids decide what a write means, and
outcomes that were recorded before it died stand. Who comes first to a film's key is decided in one place, `Taken`.
"""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.facts import jobs, open_facts
from services.core.ids import image_id
from services.core.logs import get_logger
from services.core.store import VectorStore
from services.core.types import Outcome
from services.encoders.registry import Registry
from services.encoders.slices import LAYOUT as CT
from services.ingest import stages
from services.ingest.burned_in import BurnedIn
from services.ingest.decode_pool import DecodePool
from services.ingest.pixel_cache import PixelCache
from services.ingest.progress import Tally
from services.ingest.records import Identities
from services.ingest.sources.files import Listed
from services.ingest.sources.source import open_source
from services.ingest.stages import Tools, Work
from services.ingest.taken import Taken

if TYPE_CHECKING:
    from services.ingest.pipeline import Pipeline, Plan

log = get_logger("ingest")

TRIES = 4  # of one batch, each after the death of its worker
AT_ONCE = 2  # batches in one worker: while the one is encoded, the other is read and decoded
_RAY_PORT, _KNOCK_SECONDS = 6379, 5.0
Batch = list[tuple[str, Listed]]


@dataclass(frozen=True, slots=True)
class Order:
    """All that a worker needs to know of a job. It holds keys and passwords: the Ray cluster is trusted with them."""

    settings: Settings
    plan: Plan
    job_id: str
    secret: bytes
    models: tuple[str, ...]
    layout: str
    keep_ids: bool
    open_registry: Callable[[Settings], Registry]


@dataclass(slots=True)
class Decided:
    """What became of a film, for the count."""

    outcome: Outcome


class Asked:
    """`Taken`, from afar."""

    def __init__(self, taken: Any, get: Callable[[Any], Any]) -> None:
        self._taken, self._get = taken, get

    def setdefault(self, image: str, claim: tuple[str, str], /) -> tuple[str, str]:
        return self._get(self._taken.setdefault.remote(image, claim))  # type: ignore[no-any-return]


class Worker:
    """One process with its own encoders, decode children and connections."""

    def __init__(self, order: Order, taken: Any) -> None:
        import ray

        settings, plan = order.settings, order.plan
        if settings.device.startswith("cuda:"):  # Ray shows each worker its own GPU alone, as the first
            settings = replace(settings, device="cuda")
        self._order, self._seen = order, Asked(taken, ray.get)
        source = open_source(
            Path(plan.source), plan.layout, plan.labels, plan.reports, partial(image_id, plan.dataset), plan.tables,
            plan.columns,
        )  # fmt: skip
        registry = order.open_registry(settings)
        threads = ThreadPoolExecutor(settings.decode_workers + 1, thread_name_prefix="ingest-film")
        self._tools = Tools(
            open_facts(settings.facts), VectorStore(settings.engine_url, settings.engine_api_key),
            Blobs(settings.data_dir / "blobs"), DecodePool(settings.decode_workers), threads, threads,
            [registry.get(name) for name in order.models], Identities(plan.dataset, order.secret, order.keep_ids),
            source, order.layout, pixels=None if plan.layout == CT else PixelCache.of(settings, plan.cache_pixels),
            burned_in=BurnedIn(settings.burned_in, settings.ocr), views=settings.infer_view,
        )  # fmt: skip
        self._encoding = threading.Lock()

    def pid(self) -> int:
        """The worker's process."""
        return os.getpid()

    def ingest(self, batch: Batch) -> list[Outcome] | HilumError:
        """Every stage for a batch of files; their outcomes, durably recorded, or why the job cannot go on."""
        tools, order = self._tools, self._order
        try:
            decided = jobs.decided(tools.facts, order.job_id, [ref for ref, _ in batch])
            todo = [Work(ref, listed) for ref, listed in batch if ref not in decided]
            work = stages.known(tools, stages.read(tools, todo), self._seen)
            work = stages.settled(tools, stages.decoded(tools, work), self._seen)
            with self._encoding:
                work = stages.encoded(tools, work)
            done = stages.stored(tools, work, order.job_id)
        except HilumError as error:
            return error
        return [*decided.values(), *(work.outcome for work in done if work.outcome)]


def line(
    pipeline: Pipeline, plan: Plan, tools: Tools, job_id: str, batches: Iterator[list[Work]],
    seen: Taken, tally: Tally, stopped: Callable[[], bool],
    open_registry: Callable[[Settings], Registry] | None = None,
) -> None:  # fmt: skip
    """Take all batches through the stages on Ray. Returns early, with everything acknowledged kept, when `stopped`.

    Raises FAILED_PRECONDITION where Ray is not installed or not to be reached, or machines cannot share the archive.
    """
    settings = pipeline.settings
    ray = _connected(settings)
    try:
        count, resources = _workers(ray, settings)
        names = tuple(encoder.spec.name for encoder in tools.encoders)
        order = Order(
            settings, plan, job_id, pipeline.secret, names, tools.layout, tools.who.keep_ids,
            open_registry or pipeline.open_registry,
        )  # fmt: skip
        taken = ray.remote(num_cpus=0)(Taken).remote(seen.items())
        worker = ray.remote(**resources, max_concurrency=AT_ONCE)(Worker)
        log.info("ray.started", count=count)
        files = ([(work.ref, work.listed) for work in batch] for batch in batches)
        for outcomes in _answers(ray, lambda: worker.remote(order, taken), count, files, stopped):
            tally.add(map(Decided, outcomes))
    finally:
        ray.shutdown()


def _answers(
    ray: Any, hire: Callable[[], Any], count: int, batches: Iterator[Batch], stopped: Callable[[], bool]
) -> Iterator[list[Outcome]]:
    """Outcomes as they come. A worker that has died is replaced, and its batches go to whoever is free."""
    again = deque[tuple[Batch, int]]()
    busy: dict[Any, tuple[Any, Batch, int]] = {}
    workers = [hire() for _ in range(count)]
    free = deque(workers * AT_ONCE)
    while True:
        while free and not stopped():
            batch, tries = again.popleft() if again else (next(batches, None), 0)
            if batch is None:
                break
            worker = free.popleft()
            busy[worker.ingest.remote(batch)] = (worker, batch, tries + 1)
        if not busy:
            return
        ready, _ = ray.wait(list(busy), timeout=0.5)
        for reference in ready:
            worker, batch, tries = busy.pop(reference)
            try:
                answer = ray.get(reference)
            except ray.exceptions.RayActorError as error:
                log.warning("ray.worker_died", attempt=tries)
                if tries == TRIES:
                    raise HilumError(
                        ErrorCode.UNAVAILABLE,
                        "workers of the Ray cluster die or do not start; see Ray's own logs. What was stored stays: "
                        "submit the job again to go on",
                    ) from error
                again.append((batch, tries))
                if worker in workers:  # the first of its batches to fail
                    workers[workers.index(worker)] = fresh = hire()
                    free = deque(seat for seat in free if seat is not worker)
                    free.extend([fresh] * AT_ONCE)
                continue
            if isinstance(answer, HilumError):
                raise answer
            free.append(worker)
            yield answer


def _connected(settings: Settings) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray tells its makers of its use unless it is told not to
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")  # a busy machine takes longer than its 30
    try:
        import ray
    except ImportError:
        raise HilumError(ErrorCode.FAILED_PRECONDITION, "Ray is not installed: pip install 'hilum[ray]'") from None
    address = {} if settings.ray == "auto" else {"address": settings.ray}
    if address and not _answers_at(settings.ray):  # Ray itself would ask for minutes
        raise _unreachable()
    try:
        ray.init(**address, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    except Exception as error:  # Ray raises half a dozen kinds, its bare Exception for a slow start among them
        log.exception("ray.unreachable", error)
        raise _unreachable() from error
    machines = sum(1 for node in ray.nodes() if node["Alive"])
    facts_apart, engine_apart = settings.facts.startswith("sqlite"), _loopback(settings.engine_url)
    if machines > 1 and (facts_apart or engine_apart):
        ray.shutdown()
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            "workers on other machines need facts in PostgreSQL (HILUM_FACTS_URL) and a Qdrant server "
            "(HILUM_ENGINE_URL) at addresses that they reach",
        )
    return ray


def _answers_at(address: str) -> bool:
    """Does anybody listen at ``host:port`` (also ``ray://host:port``)?"""
    try:
        parts = urlsplit(address if "//" in address else f"//{address}")
        socket.create_connection((parts.hostname or "", parts.port or _RAY_PORT), _KNOCK_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True


def _unreachable() -> HilumError:
    return HilumError(
        ErrorCode.FAILED_PRECONDITION, "the Ray cluster cannot be reached; check its address and that it runs"
    )


def _workers(ray: Any, settings: Settings) -> tuple[int, dict[str, float]]:
    """How many workers the cluster holds, and what each takes of it: a GPU, or where there is none a core."""
    there = ray.cluster_resources()
    if gpus := int(there.get("GPU", 0)):
        cores = min(settings.decode_workers, there.get("CPU", 1) / gpus)
        return gpus, {"num_gpus": 1, "num_cpus": cores}
    return max(1, int(there.get("CPU", 1))), {"num_cpus": 1}


def _loopback(urls: str) -> bool:
    return any(map(_is_loopback, urls.split(",")))


def _is_loopback(url: str) -> bool:
    host = urlsplit(url if "//" in url else f"//{url}").hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
