"""Writes of every kind leave the same points on every engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from qdrant_client import QdrantClient
from qdrant_client import models as m

from tests.engines import films


def payloads(client: QdrantClient, name: str) -> dict[str, Any]:
    """Every payload by id."""
    page, _ = client.scroll(name, limit=films.N + 10)
    return {str(record.id): record.payload for record in page}


def expected(change: Callable[[int, dict[str, Any]], dict[str, Any] | None]) -> dict[str, Any]:
    """All payloads after `change`; None means the film is gone."""
    after = {i: change(k, dict(films.PAYLOADS[k])) for k, i in enumerate(films.IDS)}
    return {i: p for i, p in after.items() if p is not None}


Archive = tuple[QdrantClient, str]
SOME = [films.IDS[2], films.IDS[9]]
OLD = films.FILTERS["range"]


def test_upsert_replaces_whole_points(own: Archive) -> None:
    client, name = own
    vector = {"image": [1.0] * films.DIM}
    client.upsert(name, [m.PointStruct(id=SOME[0], vector=vector, payload={"new": 1})], wait=True)
    assert payloads(client, name) == expected(lambda k, p: {"new": 1} if k == 2 else p)
    record = client.retrieve(name, [SOME[0]], with_vectors=True)[0]
    np.testing.assert_allclose(record.vector["image"], [0.25] * films.DIM, atol=1e-6)


def test_upsert_under_conditions(own: Archive) -> None:
    client, name = own
    new = films.film_id(10_000)
    vector = {"image": [1.0] * films.DIM}

    def upsert(ids: list[str], mark: str, **how: Any) -> None:
        points = [m.PointStruct(id=i, vector=vector, payload={"mark": mark}) for i in ids]
        client.upsert(name, points, wait=True, **how)

    upsert([SOME[0], new], "inserted", update_mode=m.UpdateMode.INSERT_ONLY)
    upsert([SOME[1], films.film_id(10_001)], "updated", update_mode=m.UpdateMode.UPDATE_ONLY)
    upsert(films.IDS[:6], "lateral", update_filter=films.FILTERS["except"][0])
    lateral = films.FILTERS["except"][1]

    def change(k: int, p: dict[str, Any]) -> dict[str, Any]:
        if k < 6 and lateral(k, p):
            return {"mark": "lateral"}
        return {"mark": "updated"} if k == 9 else p

    assert payloads(client, name) == expected(change) | {new: {"mark": "inserted"}}


def test_delete_by_ids_and_by_filter(own: Archive) -> None:
    client, name = own
    client.delete(name, m.PointIdsList(points=[*SOME, films.film_id(10_000)]), wait=True)
    client.delete(name, m.FilterSelector(filter=OLD[0]), wait=True)
    assert payloads(client, name) == expected(lambda k, p: None if k in (2, 9) or OLD[1](k, p) else p)


def test_set_payload_merges(own: Archive) -> None:
    client, name = own
    client.set_payload(name, {"view": "XX", "extra": [1, None]}, points=SOME, wait=True)
    client.set_payload(name, {"old": True}, points=OLD[0], wait=True)
    client.set_payload(name, {"effusion": "present"}, points=[SOME[0]], key="labels", wait=True)

    def change(k: int, p: dict[str, Any]) -> dict[str, Any]:
        old = {"old": True} if OLD[1](k, p) else {}
        if k in (2, 9):
            p |= {"view": "XX", "extra": [1, None]}
        if k == 2:
            p["labels"] = p["labels"] | {"effusion": "present"}
        return p | old

    assert payloads(client, name) == expected(change)


def test_overwrite_delete_and_clear_payload(own: Archive) -> None:
    client, name = own
    client.overwrite_payload(name, {"only": "this"}, points=[SOME[0]], wait=True)
    client.delete_payload(name, ["view", "tags"], points=[SOME[1]], wait=True)
    client.clear_payload(name, points_selector=m.FilterSelector(filter=OLD[0]), wait=True)

    def change(k: int, p: dict[str, Any]) -> dict[str, Any]:
        if k == 2:
            return {"only": "this"}
        if OLD[1](k, p):
            return {}
        return {key: v for key, v in p.items() if k != 9 or key not in ("view", "tags")}

    assert payloads(client, name) == expected(change)


def test_update_and_delete_vectors(own: Archive) -> None:
    client, name = own
    client.update_vectors(name, [m.PointVectors(id=SOME[0], vector={"image": [2.0] + [0.0] * 15})], wait=True)
    client.delete_vectors(name, ["patches"], points=[SOME[0]], wait=True)
    record = client.retrieve(name, [SOME[0]], with_vectors=True)[0]
    assert record.vector["image"] == [1.0] + [0.0] * 15
    assert set(record.vector) == {"image", "words", "stems"}
    assert record.payload == films.PAYLOADS[2]
    without = m.Filter(must_not=[m.HasVectorCondition(has_vector="patches")])
    assert client.count(name, without).count == 1


def test_batch_of_operations_in_order(own: Archive) -> None:
    client, name = own
    added = m.PointStruct(id=77, vector={"image": [1.0] * films.DIM}, payload={"a": 1})
    client.batch_update_points(
        name,
        [
            m.UpsertOperation(upsert=m.PointsList(points=[added])),
            m.SetPayloadOperation(set_payload=m.SetPayload(payload={"b": 2}, points=[77])),
            m.DeletePayloadOperation(delete_payload=m.DeletePayload(keys=["a"], points=[77])),
            m.DeleteOperation(delete=m.PointIdsList(points=SOME)),
        ],
        wait=True,
    )
    assert payloads(client, name) == expected(lambda k, p: None if k in (2, 9) else p) | {"77": {"b": 2}}


def test_aliases(own: Archive) -> None:
    client, name = own
    alias = f"{name}-alias"

    def change(*actions: Any) -> None:
        client.update_collection_aliases(list(actions))

    def aliases() -> dict[str, str]:
        return {a.alias_name: a.collection_name for a in client.get_aliases().aliases if a.collection_name == name}

    change(m.CreateAliasOperation(create_alias=m.CreateAlias(collection_name=name, alias_name=alias)))
    assert aliases() == {alias: name}
    assert client.count(alias).count == films.N
    assert client.collection_exists(alias)
    client.delete(alias, m.PointIdsList(points=SOME), wait=True)
    assert client.count(name).count == films.N - 2
    rename = m.RenameAlias(old_alias_name=alias, new_alias_name=f"{alias}-2")
    change(m.RenameAliasOperation(rename_alias=rename))
    assert aliases() == {f"{alias}-2": name}
    change(m.DeleteAliasOperation(delete_alias=m.DeleteAlias(alias_name=f"{alias}-2")))
    assert aliases() == {}


def test_unnamed_vector_and_whole_number_ids(client: QdrantClient) -> None:
    name = "unnamed"
    client.create_collection(name, m.VectorParams(size=3, distance=m.Distance.EUCLID))
    try:
        rows = [[0.0, 0.0, 0.0], [3.0, 4.0, 0.0], [1.0, 0.0, 0.0]]
        client.upsert(name, [m.PointStruct(id=i, vector=v) for i, v in enumerate(rows)], wait=True)
        found = client.query_points(name, [0.0, 0.0, 0.0], limit=3, with_vectors=True).points
        assert [(hit.id, hit.score, hit.vector) for hit in found] == [
            (0, 0.0, rows[0]),
            (2, 1.0, rows[2]),
            (1, 5.0, rows[1]),
        ]
    finally:
        client.delete_collection(name)


def test_collection_info(archive: Archive) -> None:
    client, name = archive
    info = client.get_collection(name)
    assert info.points_count == films.N
    assert info.config.params.vectors["image"].size == films.DIM
    assert info.config.params.vectors["patches"].multivector_config is not None
    assert name in {c.name for c in client.get_collections().collections}
    assert not client.collection_exists("no-such-collection")
