"""Is the approximate index as good as it should be? Some questions are asked again, exactly, once answered."""

from __future__ import annotations

import contextlib
import queue
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from qdrant_client import models as qdrant

from services.core.errors import HilumError
from services.core.facts import Facts, recalls
from services.core.logs import get_logger
from services.core.models import ModelSpec
from services.core.store import Scored, VectorStore
from services.query.search.questions import Vector
from services.transport import metrics

_K = 10
_WAITING = 8  # questions to be asked again; more are dropped: this must never cost answers their time

log = get_logger("query")


@dataclass(frozen=True, slots=True)
class _Asked:
    spec: ModelSpec
    by: Vector | str
    where: qdrant.Filter | None
    found: tuple[str, ...]


class RecallSampler:
    """One thread at the back. share: of questions, between 0 and 1."""

    def __init__(self, facts: Facts, store: VectorStore, share: float) -> None:
        self._facts, self._store, self._share = facts, store, share
        self._waiting: queue.Queue[_Asked | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._work, name="recall", daemon=True)
        if share:
            self._thread.start()

    def saw(self, spec: ModelSpec, by: Vector | str, where: qdrant.Filter | None, found: Sequence[Scored]) -> None:
        """Perhaps compare this answer of the index, best first, with the exact one."""
        if len(found) >= _K and random.random() < self._share:
            with contextlib.suppress(queue.Full):
                self._waiting.put_nowait(_Asked(spec, by, where, tuple(one.image_id for one in found[:_K])))

    def close(self) -> None:
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join(10)

    def _work(self) -> None:
        while (asked := self._waiting.get()) is not None:
            try:
                exact = self._store.nearest(asked.spec, asked.by, _K, asked.where, exact=True)
                recall = recall_of(asked.found, exact)
                recalls.save(self._facts, asked.spec.fingerprint, _K, recall, asked.where is not None)
                metrics.ANN_RECALL.labels(str(asked.where is not None).lower()).observe(recall)
            except HilumError as error:  # the engine or the facts are away: others say so
                log.warning("recall.skipped", code=error.code.value)


def recall_of(found: Sequence[str], exact: Sequence[Scored]) -> float:
    """Share of the exact films that were found."""
    if not exact:
        return 1.0
    return len(set(found) & {one.image_id for one in exact}) / len(exact)
