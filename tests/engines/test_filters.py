"""Every kind of filter selects, on every engine, exactly the films its meaning in plain Python selects."""

from __future__ import annotations

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from tests.engines import films


def all_ids(client: QdrantClient, name: str, where: models.Filter | None) -> list[str]:
    """Ids of every match, read by pages of 50."""
    found: list[str] = []
    offset = None
    while True:
        page, offset = client.scroll(name, scroll_filter=where, limit=50, offset=offset, with_payload=False)
        found += [str(record.id) for record in page]
        if offset is None:
            return found


@pytest.mark.parametrize("kind", films.FILTERS)
def test_a_filter_selects_what_it_says(archive: tuple[QdrantClient, str], kind: str) -> None:
    client, name = archive
    where, predicate = films.FILTERS[kind]
    expected = films.selected(predicate)
    found = all_ids(client, name, where)
    assert len(found) == len(set(found)), "a film came twice"
    assert set(found) == expected
    assert client.count(name, where, exact=True).count == len(expected)


@pytest.mark.parametrize("kind", films.FILTERS)
def test_a_filtered_query_is_the_filtered_order(archive: tuple[QdrantClient, str], kind: str) -> None:
    client, name = archive
    where, predicate = films.FILTERS[kind]
    among = [i for i in range(films.N) if predicate(i, films.PAYLOADS[i])]
    query = np.random.default_rng(7).normal(size=films.DIM).astype(np.float32)
    answer = client.query_points(
        name, query.tolist(), using="image", query_filter=where, limit=10, search_params=models.SearchParams(exact=True)
    )
    assert [str(hit.id) for hit in answer.points] == films.cosine_order(query, among)[:10]


def test_scroll_pages_in_one_order(archive: tuple[QdrantClient, str]) -> None:
    client, name = archive
    by_pages = all_ids(client, name, None)
    whole, after = client.scroll(name, limit=films.N, with_payload=False)
    assert after is None
    assert by_pages == [str(record.id) for record in whole]
    assert set(by_pages) == set(films.IDS)


def test_scroll_starts_at_its_offset(archive: tuple[QdrantClient, str]) -> None:
    client, name = archive
    first, after = client.scroll(name, limit=7)
    second, _ = client.scroll(name, limit=7, offset=after)
    assert str(second[0].id) == str(after)
    assert not {r.id for r in first} & {r.id for r in second}


def test_scroll_by_value(archive: tuple[QdrantClient, str]) -> None:
    client, name = archive
    order = models.OrderBy(key="dose", direction=models.Direction.DESC, start_from=20.0)
    page, _ = client.scroll(name, limit=5, order_by=order)
    assert [record.payload["dose"] for record in page] == [20.0, 19.875, 19.75, 19.625, 19.5]


def test_payload_and_vectors_come_back_as_sent(archive: tuple[QdrantClient, str]) -> None:
    client, name = archive
    found = client.retrieve(name, [films.IDS[12], films.IDS[7]], with_payload=True, with_vectors=True)
    by_id = {str(record.id): record for record in found}
    for i in (12, 7):
        record = by_id[films.IDS[i]]
        assert record.payload == films.PAYLOADS[i]
        unit = films.IMAGES[i] / np.linalg.norm(films.IMAGES[i])
        np.testing.assert_allclose(record.vector["image"], unit, atol=1e-6)
        np.testing.assert_allclose(record.vector["patches"], films.PATCHES[i], atol=1e-6)
        assert record.vector["words"].indices == [i % 9, 20 + i % 5]


def test_only_the_chosen_payload_and_vectors(archive: tuple[QdrantClient, str]) -> None:
    client, name = archive
    kept = client.retrieve(name, [films.IDS[1]], with_payload=["view"], with_vectors=["image"])[0]
    assert kept.payload == {"view": "AP"}
    assert set(kept.vector) == {"image"}
    dropped = client.retrieve(name, [films.IDS[1]], with_payload=models.PayloadSelectorExclude(exclude=["view"]))[0]
    assert set(dropped.payload) == set(films.PAYLOADS[1]) - {"view"}
    assert not dropped.vector
