"""Queries of every kind: answers equal to numpy's, or to the in-memory double where numpy has no short form."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from qdrant_client import QdrantClient
from qdrant_client import models as m

from tests.engines import films
from tests.engines.conftest import fill

EXACT = m.SearchParams(exact=True)
QUERY = np.random.default_rng(11).normal(size=films.DIM).astype(np.float32)
OTHER = np.random.default_rng(12).normal(size=films.DIM).astype(np.float32)
WORDS = m.SparseVector(indices=[3, 22], values=[1.0, 2.0])


def ids(answer: m.QueryResponse) -> list[str]:
    return [str(hit.id) for hit in answer.points]


def test_nearest_with_scores_offset_and_threshold(archive: tuple[QdrantClient, str]) -> None:
    client, name = archive
    order = films.cosine_order(QUERY)
    whole = client.query_points(name, QUERY.tolist(), using="image", limit=20, search_params=EXACT)
    assert ids(whole) == order[:20]
    i = films.IDS.index(order[0])
    cosine = films.IMAGES[i] @ QUERY / np.linalg.norm(films.IMAGES[i]) / np.linalg.norm(QUERY)
    assert whole.points[0].score == pytest.approx(cosine, abs=1e-5)
    later = client.query_points(name, QUERY.tolist(), using="image", limit=5, offset=10, search_params=EXACT)
    assert ids(later) == order[10:15]
    bar = (whole.points[7].score + whole.points[8].score) / 2
    over = client.query_points(name, QUERY.tolist(), using="image", limit=50, score_threshold=bar, search_params=EXACT)
    assert ids(over) == order[:8]


def test_approximate_search_finds_nearly_all(archive: tuple[QdrantClient, str]) -> None:
    client, name = archive
    rng = np.random.default_rng(films.SEED)
    found = 0
    for _ in range(20):
        query = rng.normal(size=films.DIM).astype(np.float32)
        answer = client.query_points(name, query.tolist(), using="image", limit=10)
        found += len(set(ids(answer)) & set(films.cosine_order(query)[:10]))
    assert found >= 195, f"recall {found / 200}"


def test_nearest_to_a_stored_film_leaves_it_out(archive: tuple[QdrantClient, str]) -> None:
    client, name = archive
    order = films.cosine_order(films.IMAGES[5])
    assert order[0] == films.IDS[5]
    answer = client.query_points(name, films.IDS[5], using="image", limit=6, search_params=EXACT)
    assert ids(answer) == order[1:7]


def test_a_vector_looked_up_in_a_collection(archive: tuple[QdrantClient, str]) -> None:
    client, name = archive
    order = films.cosine_order(films.IMAGES[5])
    here = m.LookupLocation(collection=name, vector="image")
    answer = client.query_points(name, films.IDS[5], using="image", limit=4, lookup_from=here, search_params=EXACT)
    assert ids(answer) == order[1:5]
    client.create_collection("elsewhere", films.VECTORS)
    try:
        client.upsert("elsewhere", [m.PointStruct(id=films.IDS[5], vector={"image": QUERY.tolist()})], wait=True)
        there = m.LookupLocation(collection="elsewhere", vector="image")
        answer = client.query_points(name, films.IDS[5], using="image", limit=4, lookup_from=there, search_params=EXACT)
        assert ids(answer) == films.cosine_order(QUERY)[:4]
    finally:
        client.delete_collection("elsewhere")


def test_maxsim(archive: tuple[QdrantClient, str]) -> None:
    client, name = archive
    asked = np.random.default_rng(13).normal(size=(2, 4)).astype(np.float32)
    scores = np.einsum("qd,npd->nqp", asked, films.PATCHES).max(axis=2).sum(axis=1)
    answer = client.query_points(name, asked.tolist(), using="patches", limit=8, search_params=EXACT)
    assert ids(answer) == [films.IDS[i] for i in np.argsort(-scores)[:8]]
    assert answer.points[0].score == pytest.approx(float(scores.max()), rel=1e-5)


def test_one_vector_against_several(archive: tuple[QdrantClient, str]) -> None:
    """A text's one vector asks for films of several: the nearest of each film's counts."""
    client, name = archive
    asked = np.random.default_rng(14).normal(size=4).astype(np.float32)
    scores = (films.PATCHES @ asked).max(axis=1)
    answer = client.query_points(name, [asked.tolist()], using="patches", limit=8, search_params=EXACT)
    assert ids(answer) == [films.IDS[i] for i in np.argsort(-scores)[:8]]
    assert answer.points[0].score == pytest.approx(float(scores.max()), rel=1e-5)


def test_sparse(archive: tuple[QdrantClient, str]) -> None:
    client, name = archive
    answer = client.query_points(name, WORDS, using="words", limit=films.N)
    expected = {films.IDS[i]: (i % 9 == 3) * 1.0 + (20 + i % 5 == 22) * 1.0 for i in range(films.N)}
    assert {str(h.id): h.score for h in answer.points} == {i: s for i, s in expected.items() if s}


def test_sparse_with_the_engines_idf(archive: tuple[QdrantClient, str]) -> None:
    """BM25's: over words, the sum of ln(1 + (N − n + ½) / (n + ½)) × both weights; N counts films that have words."""
    client, name = archive
    held = [films.stems(i) for i in range(films.N) if films.stems(i)]
    asked = {0: 1.0, 2: 1.0, 4_000_000_007: 0.5, 99: 1.0}
    counts = {word: sum(word in said for said in held) for word in asked}
    idf = {word: math.log(1 + (len(held) - n + 0.5) / (n + 0.5)) for word, n in counts.items()}
    expected = {
        films.IDS[i]: sum(idf[word] * weight * said.get(word, 0) for word, weight in asked.items())
        for i, said in enumerate(held)
    }
    for where, view in ((None, ""), (m.Filter(must=[films.PA]), "PA")):
        answer = client.query_points(name, films.sparse(asked), using="stems", limit=films.N, query_filter=where)
        found = {str(hit.id): hit.score for hit in answer.points}
        wanted = {i: score for i, score in expected.items() if view in ("", films.PAYLOADS[films.IDS.index(i)]["view"])}
        assert found == pytest.approx(wanted, rel=1e-4, abs=1e-6)
        assert [hit.score for hit in answer.points] == sorted(found.values(), reverse=True)


def test_batch_answers_in_order(archive: tuple[QdrantClient, str]) -> None:
    client, name = archive
    requests = [
        m.QueryRequest(query=q.tolist(), using="image", limit=k, params=EXACT, filter=m.Filter(must=[films.PA]))
        for q, k in ((QUERY, 3), (OTHER, 5))
    ]
    among = [i for i in range(films.N) if films.PAYLOADS[i]["view"] == "PA"]
    first, second = client.query_batch_points(name, requests)
    assert ids(first) == films.cosine_order(QUERY, among)[:3]
    assert ids(second) == films.cosine_order(OTHER, among)[:5]


def test_average_recommendation(archive: tuple[QdrantClient, str]) -> None:
    client, name = archive
    unit = films.IMAGES / np.linalg.norm(films.IMAGES, axis=1, keepdims=True)
    target = 2 * unit[[1, 2]].mean(axis=0) - unit[[3]].mean(axis=0)
    recommend = m.RecommendInput(positive=[films.IDS[1], films.IDS[2]], negative=[films.IDS[3]])
    answer = client.query_points(
        name, m.RecommendQuery(recommend=recommend), using="image", limit=6, search_params=EXACT
    )
    expected = [i for i in films.cosine_order(target.astype(np.float32)) if i not in films.IDS[1:4]]
    assert ids(answer) == expected[:6]


LIKE_THE_DOUBLE: dict[str, Callable[[QdrantClient, str], object]] = {
    "rrf": lambda c, n: _fused(c, n, m.FusionQuery(fusion=m.Fusion.RRF)),
    "dbsf": lambda c, n: _fused(c, n, m.FusionQuery(fusion=m.Fusion.DBSF)),
    "prefetch then rescore": lambda c, n: ids(
        c.query_points(
            n,
            prefetch=m.Prefetch(query=QUERY.tolist(), using="image", limit=30, params=EXACT),
            query=films.PATCHES[4].tolist(),
            using="patches",
            limit=5,
        )
    ),
    "best score": lambda c, n: _recommended(c, n, m.RecommendStrategy.BEST_SCORE),
    "sum scores": lambda c, n: _recommended(c, n, m.RecommendStrategy.SUM_SCORES),
    "discover": lambda c, n: ids(
        c.query_points(
            n,
            m.DiscoverQuery(
                discover=m.DiscoverInput(
                    target=QUERY.tolist(),
                    context=[m.ContextPair(positive=films.IDS[8], negative=films.IDS[9])],
                )
            ),
            using="image",
            limit=5,
            search_params=EXACT,
        )
    ),
    "mmr": lambda c, n: ids(
        c.query_points(
            n,
            m.NearestQuery(nearest=QUERY.tolist(), mmr=m.Mmr(diversity=0.6, candidates_limit=40)),
            using="image",
            limit=6,
            search_params=EXACT,
        )
    ),
    "order by": lambda c, n: ids(
        c.query_points(n, m.OrderByQuery(order_by=m.OrderBy(key="dose", direction=m.Direction.DESC)), limit=7)
    ),
}


def _fused(client: QdrantClient, name: str, query: m.FusionQuery) -> list[float]:
    """Scores alone: fused ties have no order."""
    answer = client.query_points(
        name,
        prefetch=[
            m.Prefetch(query=QUERY.tolist(), using="image", limit=15, params=EXACT),
            m.Prefetch(query=OTHER.tolist(), using="image", limit=15, params=EXACT, filter=m.Filter(must=[films.PA])),
        ],
        query=query,
        limit=12,
    )
    return [round(hit.score, 4) for hit in answer.points]


def _recommended(client: QdrantClient, name: str, strategy: m.RecommendStrategy) -> list[str]:
    recommend = m.RecommendInput(positive=[films.IDS[1], QUERY.tolist()], negative=[films.IDS[3]], strategy=strategy)
    query = m.RecommendQuery(recommend=recommend)
    return ids(client.query_points(name, query, using="image", limit=6, search_params=EXACT))


@pytest.fixture(scope="session")
def double() -> QdrantClient:
    """The client's in-memory mode, filled once: the reference for what has no short form in numpy."""
    found = QdrantClient(":memory:")
    fill(found, "films", False)
    return found


@pytest.mark.parametrize("kind", LIKE_THE_DOUBLE)
def test_answers_like_the_double(archive: tuple[QdrantClient, str], double: QdrantClient, kind: str) -> None:
    assert LIKE_THE_DOUBLE[kind](*archive) == LIKE_THE_DOUBLE[kind](double, "films")


def test_random_sample(archive: tuple[QdrantClient, str]) -> None:
    client, name = archive
    query = m.SampleQuery(sample=m.Sample.RANDOM)
    one, two = (ids(client.query_points(name, query, limit=40)) for _ in range(2))
    assert len(set(one)) == 40
    assert set(one) <= set(films.IDS)
    assert one != two


@pytest.mark.parametrize("size", [1, 3])
def test_groups_are_the_best_patients(archive: tuple[QdrantClient, str], size: int) -> None:
    client, name = archive
    expected: dict[str, list[str]] = {}
    for found in films.cosine_order(QUERY):
        expected.setdefault(films.PAYLOADS[films.IDS.index(found)]["patient"], []).append(found)
    answer = client.query_points_groups(
        name, group_by="patient", query=QUERY.tolist(), using="image", limit=9, group_size=size, search_params=EXACT
    )
    assert {g.id: [str(h.id) for h in g.hits] for g in answer.groups} == {
        patient: hits[:size] for patient, hits in list(expected.items())[:9]
    }


def test_groups_carry_the_payload_asked_for(archive: tuple[QdrantClient, str]) -> None:
    client, name = archive
    answer = client.query_points_groups(
        name, group_by="view", query=QUERY.tolist(), using="image", limit=3, group_size=2, with_payload=["dose"]
    )
    assert {g.id for g in answer.groups} == {"PA", "AP", "LATERAL"}
    assert all(set(hit.payload) == {"dose"} for g in answer.groups for hit in g.hits)


def test_facet_counts(archive: tuple[QdrantClient, str]) -> None:
    client, name = archive
    adult = films.FILTERS["range"]
    counts = Counter(p["view"] for i, p in enumerate(films.PAYLOADS) if adult[1](i, p))
    hits = client.facet(name, "view", facet_filter=adult[0], exact=True).hits
    assert {h.value: h.count for h in hits} == counts
    top = client.facet(name, "patient", limit=2, exact=True).hits
    assert [h.count for h in top] == [4, 4]
