"""However few films pass a filter, and however they lie, a search finds the nearest of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from services.core.filters import Expr, Within, parse, to_qdrant
from services.core.store import VectorStore, payload
from services.core.types import ImageRecord
from tests.kit.records import make_record, make_spec

K, KINDS = 10, 40
SHARES = (0.1, 0.01, 0.001)


class Films:
    """Films around KINDS centres; which pass a filter is known by number."""

    def __init__(self, store: VectorStore, count: int, dim: int) -> None:
        random = np.random.default_rng(3)
        self.store, self.spec, self.random = store, make_spec(f"select-{count}", dim), random
        centres = random.standard_normal((KINDS, dim))
        self.kind = random.integers(KINDS, size=count)
        self.place = random.random((count, 2))
        self.vectors = _unit(centres[self.kind] + 1.2 * random.standard_normal((count, dim)))
        self.records = [self._film(number) for number in range(count)]
        store.ensure(self.spec)
        carried = [payload(film) for film in self.records]
        store.upsert(self.spec, [film.image_id for film in self.records], self.vectors, carried)

    def _film(self, number: int) -> ImageRecord:
        film = make_record(str(number), age=float(100 * self.place[number, 0]), device=f"kind-{self.kind[number]}")
        return replace(film, view="PA" if self.place[number, 1] < 0.5 else "AP")

    def forms(self, share: float, kind: int) -> Iterator[tuple[str, Expr | None, NDArray[np.bool_]]]:
        """Name, filter and which films pass; kind: of the query."""
        age, view = 100 * self.place[:, 0], self.place[:, 1] < 0.5
        yield "range", parse(f"age < {100 * share}"), age < 100 * share
        yield "both", parse(f"age < {200 * share} AND view = PA"), (age < 200 * share) & view
        chosen = self.random.random(len(view)) < share
        yield "listed", Within("image_id", tuple(self.records[n].image_id for n in np.flatnonzero(chosen))), chosen
        other = (kind + 1 + int(self.random.integers(KINDS - 1))) % KINDS  # of which the query is not
        far = (self.kind == other) & (age < 100 * share * KINDS)
        yield "far", parse(f"device = kind-{other} AND age < {100 * share * KINDS}"), far

    def recalls(self, queries: int) -> dict[tuple[str, float], float]:
        """Form and share → the least recall@K, against every film that passes."""
        least: dict[tuple[str, float], float] = {}
        for number in range(queries):
            query = _unit(self.vectors[number] + 0.3 * self.random.standard_normal(self.spec.dim))
            for share in SHARES:
                for name, expr, passes in self.forms(share, int(self.kind[number])):
                    inside = np.flatnonzero(passes)
                    nearest = inside[np.argsort(-self.vectors[inside] @ query)[:K]]
                    wanted = {self.records[n].image_id for n in nearest}
                    found = {one.image_id for one in self.store.query(self.spec, [query], K, to_qdrant(expr))[0]}
                    recall = len(found & wanted) / len(wanted) if wanted else float(not found)
                    least[name, share] = min(recall, least.get((name, share), 1.0))
        return least


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def test_few_films_are_all_found(store: VectorStore) -> None:
    assert set(Films(store, 3_000, 16).recalls(queries=8).values()) == {1.0}
