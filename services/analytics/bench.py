"""What an analysis works with in its child process: the films and vectors of its sample, and the folder of its run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from services.analytics import encoding, frame, frozen, manifest, sample, vectors
from services.analytics.asked import Asked
from services.analytics.frame import Frame
from services.analytics.progress import Progress
from services.analytics.sample import Sample
from services.analytics.stages import Stages
from services.core import attempts
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, now
from services.core.models import ModelSpec
from services.core.pulled import Pulled
from services.core.store import VectorStore
from services.transport.encode_client import EncodeClient

if TYPE_CHECKING:
    from services.analytics.page import Page

MIN_STATED = 20  # a finding is measured unasked when so many films have it, and so many have it not


A = TypeVar("A", bound=Asked)
T = TypeVar("T")


class Once(Protocol):
    """`Bench.once`."""

    def __call__(self, stage: str, make: Callable[[], T], *made_from: object) -> T: ...


def plainly(stage: str, make: Callable[[], T], *made_from: object) -> T:
    """`Bench.once` where nothing is kept."""
    return make()


@dataclass
class Bench(Generic[A]):
    """Everything a run is made of and from. `part` is its empty folder; the caller puts it in its place."""

    asked: A
    run_id: str
    part: Path
    facts: Facts
    store: VectorStore
    blobs: Blobs
    settings: Settings
    progress: Progress = field(default_factory=Progress)
    started: str = field(default_factory=now)

    @cached_property
    def specs(self) -> list[ModelSpec]:
        """The models, in the order asked."""
        return self.asked.check(self.facts)

    @cached_property
    def archive(self) -> Frame:
        """Every film that matches, as far as all models hold it, with the fields that this kind wants."""
        held = self.specs if self.asked.together else []
        total = sample.count(self.facts, self.asked.filter, held)
        return frame.load(self.facts, self.asked.filter, held, self.asked.fields, self.progress, total)

    @cached_property
    def frame(self) -> Frame:
        """The films of this run as columns: those drawn from the `archive`, which is let go."""
        found, self.matching = self.archive, len(self.archive)
        del self.archive
        return sample.first(found, self.asked.sample_size, self.asked.seed)

    @cached_property
    def films(self) -> Sample:
        """The films of this run, the same for every model; written to sample.parquet, where forgetting looks."""
        films = sample.of(self.frame)
        self.asked.enough(len(films))
        pq.write_table(films.table(), self.part / "sample.parquet")
        return films

    @cached_property
    def labels(self) -> list[str]:
        """The findings to measure: those asked for, or those stated often enough both ways."""
        if self.asked.labels:
            return list(self.asked.labels)
        stated = {name: np.bincount(codes[codes >= 0], minlength=2)[:2] for name, codes in self.films.labels.items()}
        return [name for name, (absent, present) in stated.items() if min(absent, present) >= MIN_STATED]

    @property
    def one_sided(self) -> str:
        """Why no finding can be measured, where sources list what is present and nothing says what is absent."""
        codes = self.films.labels.values()
        only = sum(bool((one == 1).sum() >= MIN_STATED and not (one == 0).any()) for one in codes)
        if not only:
            return ""
        return (
            f" ({only} {'finding is' if only == 1 else 'findings are'} stated present and never absent: where a table "
            "lists what there is, a column map says with `universe` what was looked for; see docs/guide/layouts.md)"
        )

    def held(self, spec: ModelSpec) -> NDArray[np.int64]:
        """Rows of the films that a model holds: every one, but in analyses of each model's own films."""
        if self.asked.together:
            return np.arange(len(self.films))
        return np.flatnonzero(sample.held(self.facts, spec, self.films.ids))

    @contextmanager
    def vectors(self, spec: ModelSpec, rows: NDArray[np.int64] | None = None) -> Iterator[NDArray[np.float32]]:
        """(N, D) float32, L2-normalised, row i of the i-th film that the model holds (`held`), or of the i-th of
        `rows` of the sample.

        They are read once for all analyses of these films (`core.pulled`), and are in no run: the file they are mapped
        from is the installation's, or gone when the block ends.
        """
        scratch = self.part / f"vectors-{spec.name}.npy"
        try:
            ids = [self.films.ids[row] for row in (self.held(spec) if rows is None else rows)]
            pulled = Pulled.at(self.settings.data_dir, self.settings.vector_cache)
            yield vectors.kept(pulled, self.facts, self.store, spec, ids, scratch, self.progress)
        finally:
            scratch.unlink(missing_ok=True)

    def once(self, stage: str, make: Callable[[], T], *made_from: object) -> T:
        """What `make` makes, or what an attempt at this run that was cut short made of the same. `stage`: its name,
        one in a run.  made_from: what it depends on beside what is asked, the films, what their records say, and their
        vectors under the models of this run."""
        return self.stages.once(stage, make, self._state, *made_from)

    def once_of(self, films: Frame, stage: str, make: Callable[[], T], *made_from: object) -> T:
        """`once`, of other films than the run's: those that it chooses from.  made_from: their vectors too, where it
        looks at them."""
        return self.stages.once(stage, make, films.sha256, *made_from)

    @cached_property
    def stages(self) -> Stages:
        """What earlier attempts at this run kept."""
        attempts.tidy(self.settings.data_dir)
        home = attempts.folder(self.settings.data_dir, self.asked.as_json())
        return Stages(home, f"services.analytics.{self.asked.kind}.work")

    @cached_property
    def _state(self) -> str:
        written = [vectors.key(self.facts, spec, self.films.ids).name for spec in self.specs]
        return frozen.digest([self.frame.sha256, self.labels, written])

    @cached_property
    def encode(self) -> EncodeClient:
        """The Encode RPC. Raises FAILED_PRECONDITION where nobody told us of one."""
        found = encoding.client(self.settings)
        if found is None:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION,
                "this analysis needs words encoded: start analytics with --encode HOST:PORT of ingest's gRPC",
            )
        return found

    def table(self, name: str, columns: Mapping[str, Any]) -> None:
        """Write ``<name>.parquet`` into the run."""
        pq.write_table(pa.table(dict(columns)), self.part / f"{name}.parquet")

    def finish(
        self,
        metrics: Mapping[str, Any],
        page: Page,
        made: Mapping[str, Mapping[str, Any]] | None = None,
        **more: Any,
    ) -> None:
        """Write what came out: metrics.json, report.html, tables.json (the report's tables, for the shell) and last
        manifest.json.

        metrics: by model, plain JSON.  made: model → what is worth keeping of how it was made, beside its fingerprint.
        more: further entries of the manifest.
        """
        content = self.manifest(made or {}, **more)
        (self.part / "report.html").write_text(page.html(content))
        manifest.write_json(self.part / "tables.json", {"tables": page.tables})
        manifest.write_json(self.part / "metrics.json", metrics)
        manifest.write_json(self.part / "manifest.json", content)

    def manifest(self, made: Mapping[str, Mapping[str, Any]], **more: Any) -> dict[str, Any]:
        """Enough to run it again, and to tell whether it came out the same."""
        self.progress.close()
        films = self.films
        return {
            "format": manifest.FORMAT,
            "run_id": self.run_id,
            "kind": self.asked.kind,
            "asked": self.asked.as_json(),
            "films": len(films),
            "films_matching": self.matching,
            "films_of": sorted(set(films.dataset)),  # datasets: who may not see all of them may not see the run
            "patients": int(films.patients.max()) + 1,
            "sample_sha256": films.sha256,
            "sample_note": films.note(self.matching),
            "labels": self.labels,
            "models": {
                spec.name: {"fingerprint": spec.fingerprint, "collection": spec.collection, **made.get(spec.name, {})}
                for spec in self.specs
            },
            **more,
            "versions": manifest.versions(),
            "started_at": self.started,
            "finished_at": now(),
            "seconds": self.progress.seconds,
            "stages": self.stages.told,
            "continued": self.stages.continued,
        }
