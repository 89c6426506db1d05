"""A small archive with every kind of payload a filter can meet, and filters with their meaning in plain Python."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from qdrant_client import models as m

N, DIM = 240, 16
SEED = 20_260_101
VECTORS = {
    "image": m.VectorParams(size=DIM, distance=m.Distance.COSINE),
    "patches": m.VectorParams(
        size=4,
        distance=m.Distance.DOT,
        multivector_config=m.MultiVectorConfig(comparator=m.MultiVectorComparator.MAX_SIM),
    ),
}
SPARSE = {"words": m.SparseVectorParams(), "stems": m.SparseVectorParams(modifier=m.Modifier.IDF)}
INDEXES = {
    "view": m.PayloadSchemaType.KEYWORD,
    "age": m.PayloadSchemaType.INTEGER,
    "dose": m.PayloadSchemaType.FLOAT,
    "portable": m.PayloadSchemaType.BOOL,
    "taken": m.PayloadSchemaType.DATETIME,
    "labels.edema": m.PayloadSchemaType.KEYWORD,
    "patient": m.PayloadSchemaType.KEYWORD,
}

_rng = np.random.default_rng(SEED)
IMAGES = _rng.normal(size=(N, DIM)).astype(np.float32)
PATCHES = _rng.normal(size=(N, 3, 4)).astype(np.float32)
START = datetime(2020, 1, 1, tzinfo=UTC)


def film_id(i: int) -> str:
    """Id of the i-th film: a UUID like the real ones."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"film/{i}"))


IDS = [film_id(i) for i in range(N)]


def payload(i: int) -> dict[str, Any]:
    """The i-th film's payload: some fields missing, some null, some lists, some nested."""
    found: dict[str, Any] = {
        "view": ("PA", "AP", "LATERAL")[i % 3],
        "dose": i / 8,
        "portable": i % 2 == 0,
        "taken": (START + timedelta(days=i)).isoformat(),
        "patient": f"p{i // 4}",
        "labels": {"edema": ("present", "absent", "uncertain")[i % 3] if i % 5 else None},
        "tags": [f"t{k}" for k in range(i % 4)],
        "findings": [{"name": "nodule", "size": i % 7}, {"name": "mass", "size": 3}] if i % 6 == 0 else [],
    }
    if i % 7:
        found["age"] = 20 + i % 60
    if i % 11 == 0:
        found["note"] = None
    return found


PAYLOADS = [payload(i) for i in range(N)]


def stems(i: int) -> dict[int, float]:
    """The i-th film's words by weight: 0 is in every report but none of the last forty, 1 in some, others are rare."""
    return {0: 0.5 + i % 3, 1 + i % 4: 1.0, 4_000_000_000 + i % 30: 2.0} if i < N - 40 else {}


def sparse(weights: dict[int, float]) -> m.SparseVector:
    """Index → weight as a vector."""
    return m.SparseVector(indices=list(weights), values=list(weights.values()))


def points() -> list[m.PointStruct]:
    """All films as points."""
    return [
        m.PointStruct(
            id=IDS[i],
            vector={
                "image": IMAGES[i].tolist(),
                "patches": PATCHES[i].tolist(),
                "words": m.SparseVector(indices=[i % 9, 20 + i % 5], values=[1.0, 0.5]),
                **(
                    {"stems": m.SparseVector(indices=list(said), values=list(said.values()))}
                    if (said := stems(i))
                    else {}
                ),
            },
            payload=PAYLOADS[i],
        )
        for i in range(N)
    ]


def field(key: str, **what: Any) -> m.FieldCondition:
    """A condition on one payload field."""
    return m.FieldCondition(key=key, **what)


def _age(p: dict[str, Any]) -> int:
    return p.get("age", -1)


PA = field("view", match=m.MatchValue(value="PA"))
ADULT = field("age", range=m.Range(gte=40, lt=60))
PORTABLE = field("portable", match=m.MatchValue(value=True))
Predicate = Callable[[int, dict[str, Any]], bool]

FILTERS: dict[str, tuple[m.Filter, Predicate]] = {
    "keyword": (m.Filter(must=[PA]), lambda i, p: p["view"] == "PA"),
    "integer": (m.Filter(must=[field("age", match=m.MatchValue(value=33))]), lambda i, p: _age(p) == 33),
    "bool": (m.Filter(must=[PORTABLE]), lambda i, p: p["portable"]),
    "any": (
        m.Filter(must=[field("view", match=m.MatchAny(any=["AP", "LATERAL"]))]),
        lambda i, p: p["view"] in ("AP", "LATERAL"),
    ),
    "any of integers": (
        m.Filter(must=[field("age", match=m.MatchAny(any=[21, 22]))]),
        lambda i, p: _age(p) in (21, 22),
    ),
    "except": (
        m.Filter(must=[field("view", match=m.MatchExcept(**{"except": ["AP", "PA"]}))]),
        lambda i, p: p["view"] == "LATERAL",
    ),
    "list value": (m.Filter(must=[field("tags", match=m.MatchValue(value="t2"))]), lambda i, p: "t2" in p["tags"]),
    "nested key": (
        m.Filter(must=[field("labels.edema", match=m.MatchValue(value="present"))]),
        lambda i, p: p["labels"]["edema"] == "present",
    ),
    "range": (m.Filter(must=[ADULT]), lambda i, p: 40 <= _age(p) < 60),
    "float range": (m.Filter(must=[field("dose", range=m.Range(gt=3.0, lte=9.5))]), lambda i, p: 3 < p["dose"] <= 9.5),
    "datetime range": (
        m.Filter(
            must=[field("taken", range=m.DatetimeRange(gte=START + timedelta(days=30), lt=START + timedelta(60)))]
        ),
        lambda i, p: 30 <= i < 60,
    ),
    "is empty": (m.Filter(must=[m.IsEmptyCondition(is_empty=m.PayloadField(key="age"))]), lambda i, p: "age" not in p),
    "is empty list": (
        m.Filter(must=[m.IsEmptyCondition(is_empty=m.PayloadField(key="tags"))]),
        lambda i, p: not p["tags"],
    ),
    "is null": (m.Filter(must=[m.IsNullCondition(is_null=m.PayloadField(key="note"))]), lambda i, p: "note" in p),
    "null in nested": (
        m.Filter(must=[m.IsNullCondition(is_null=m.PayloadField(key="labels.edema"))]),
        lambda i, p: p["labels"]["edema"] is None,
    ),
    "has id": (m.Filter(must=[m.HasIdCondition(has_id=[IDS[3], IDS[5]])]), lambda i, p: i in (3, 5)),
    "values count": (
        m.Filter(must=[field("tags", values_count=m.ValuesCount(gte=2))]),
        lambda i, p: len(p["tags"]) >= 2,
    ),
    "nested objects": (
        m.Filter(
            must=[
                m.NestedCondition(
                    nested=m.Nested(
                        key="findings",
                        filter=m.Filter(
                            must=[
                                field("name", match=m.MatchValue(value="nodule")),
                                field("size", range=m.Range(gte=3)),
                            ]
                        ),
                    )
                )
            ]
        ),
        lambda i, p: any(f["name"] == "nodule" and f["size"] >= 3 for f in p["findings"]),
    ),
    "must": (m.Filter(must=[PA, ADULT]), lambda i, p: p["view"] == "PA" and 40 <= _age(p) < 60),
    "should": (m.Filter(should=[PA, ADULT]), lambda i, p: p["view"] == "PA" or 40 <= _age(p) < 60),
    "must not": (m.Filter(must_not=[PA, ADULT]), lambda i, p: p["view"] != "PA" and not 40 <= _age(p) < 60),
    "must and should and not": (
        m.Filter(must=[PORTABLE], should=[PA, ADULT], must_not=[field("age", match=m.MatchValue(value=41))]),
        lambda i, p: p["portable"] and (p["view"] == "PA" or 40 <= _age(p) < 60) and _age(p) != 41,
    ),
    "min should": (
        m.Filter(min_should=m.MinShould(conditions=[PA, ADULT, PORTABLE], min_count=2)),
        lambda i, p: (p["view"] == "PA") + (40 <= _age(p) < 60) + p["portable"] >= 2,
    ),
    "filter in filter": (
        m.Filter(must=[m.Filter(should=[PA, m.Filter(must_not=[PORTABLE])]), ADULT]),
        lambda i, p: (p["view"] == "PA" or not p["portable"]) and 40 <= _age(p) < 60,
    ),
    "everything": (m.Filter(), lambda i, p: True),
}


def selected(predicate: Predicate) -> set[str]:
    """Ids of the films a predicate holds for."""
    return {IDS[i] for i in range(N) if predicate(i, PAYLOADS[i])}


def cosine_order(query: np.ndarray, among: list[int] | None = None) -> list[str]:
    """Ids by falling cosine similarity to a (DIM,) query."""
    pool = np.arange(N) if among is None else np.array(among)
    unit = IMAGES[pool] / np.linalg.norm(IMAGES[pool], axis=1, keepdims=True)
    return [IDS[i] for i in pool[np.argsort(-(unit @ query), kind="stable")]]
