"""One filter, three meanings that must be one: plain Python, SQL, and every Qdrant that can answer."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qdrant_client import QdrantClient, models
from sqlalchemy import delete, select

from services.core.facts import Facts, images
from services.core.facts.schema import images as films
from services.core.filters import Expr, describe, parse, to_qdrant, to_sql
from services.core.store import VectorStore, payload
from services.core.types import ImageRecord
from services.engine.supervisor import EngineProcess
from tests.kit.filters import archives, conditions, expressions, matches, random_record
from tests.kit.records import make_spec, stored, unit_vectors

pytestmark = pytest.mark.databases

SEED = 20_260
ARCHIVE = [random_record(number, random.Random(SEED + number)) for number in range(120)]
EXPRESSIONS = expressions([record.image_id for record in ARCHIVE[:3]])
SPEC = make_spec("agree")


def meant(expr: Expr, archive: list[ImageRecord]) -> set[str]:
    return {record.image_id for record in archive if matches(expr, record)}


def in_sql(facts: Facts, expr: Expr | None) -> set[str]:
    with facts.read() as db:
        return set(db.scalars(select(films.c.image_id).where(to_sql(expr))))


def in_qdrant(client: QdrantClient, collection: str, expr: Expr | None) -> set[str]:
    points, rest = client.scroll(collection, to_qdrant(expr), limit=1_000, with_payload=False)
    assert rest is None
    return {str(point.id) for point in points}


@pytest.fixture(scope="module")
def engines(engine: EngineProcess) -> Iterator[dict[str, QdrantClient]]:
    """Every engine that can answer, each holding ARCHIVE."""
    urls = {"embedded": engine.url, "server": os.environ.get("HILUM_TEST_QDRANT_URL", "")}
    clients: dict[str, QdrantClient] = {}
    for name, url in urls.items():
        if url:
            store = VectorStore(url)
            store.ensure(SPEC)
            store.index_label(SPEC, "edema")  # one finding with an index, the others without
            ids = [record.image_id for record in ARCHIVE]
            store.upsert(SPEC, ids, unit_vectors(len(ids)), [payload(record) for record in ARCHIVE])
            clients[name] = store._engines[0]
    yield clients
    for client in clients.values():
        client.delete_collection(SPEC.collection)
        client.close()


@given(expr=EXPRESSIONS)
@settings(max_examples=150, deadline=None)
def test_engines_select_what_is_meant(engines: dict[str, QdrantClient], expr: Expr) -> None:
    wanted = meant(expr, ARCHIVE)
    for name, client in engines.items():
        assert in_qdrant(client, SPEC.collection, expr) == wanted, f"{name}: {describe(expr)}"


def test_every_single_condition_selects_what_is_meant(engines: dict[str, QdrantClient], facts: Facts) -> None:
    images.commit(facts, [stored(record) for record in ARCHIVE])
    for expr in conditions([record.image_id for record in ARCHIVE[:2]]):
        wanted = meant(expr, ARCHIVE)
        assert in_sql(facts, expr) == wanted, f"SQL: {describe(expr)}"
        for name, client in engines.items():
            assert in_qdrant(client, SPEC.collection, expr) == wanted, f"{name}: {describe(expr)}"


@given(archive=archives(), asked=st.lists(expressions(), min_size=4, max_size=12))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sql_and_the_double_select_what_is_meant(facts: Facts, archive: list[ImageRecord], asked: list[Expr]) -> None:
    with facts.write() as db:
        db.execute(delete(films))
    images.commit(facts, [stored(record) for record in archive])
    double = QdrantClient(":memory:")
    double.create_collection("films", vectors_config=models.VectorParams(size=2, distance=models.Distance.DOT))
    if archive:
        points = [models.PointStruct(id=r.image_id, vector=[1.0, 0.0], payload=payload(r)) for r in archive]
        double.upsert("films", points)
    for expr in asked:
        wanted = meant(expr, archive)
        assert in_sql(facts, expr) == wanted, describe(expr)
        assert in_qdrant(double, "films", expr) == wanted, describe(expr)


def test_no_filter_selects_everything(engines: dict[str, QdrantClient], facts: Facts) -> None:
    images.commit(facts, [stored(record) for record in ARCHIVE])
    everything = {record.image_id for record in ARCHIVE}
    assert in_sql(facts, parse("")) == everything
    assert all(in_qdrant(client, SPEC.collection, parse("")) == everything for client in engines.values())
