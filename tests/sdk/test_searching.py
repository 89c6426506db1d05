"""Both clients against an archive that really answers."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from hilum import AsyncClient, Client, HilumError, SearchResult, Stored, Words
from hilum.locate import Endpoint
from services.core.facts import recalls
from tests.sdk.conftest import FILMS, Library

SDK = {"models": ["sdk"]}


def ids(found: Any) -> list[str]:
    return [hit.image_id for hit in found]


def test_every_way_to_ask(library: Library, client: Client) -> None:
    films = library.films
    near = set(films[8:15])
    ways: dict[str, dict[str, Any]] = {
        "id": {"id": films[11]},
        "a hit": {"id": client.image(films[11])},
        "image": {"image": library.picture(11)},
        "study": {"study": (client.image(films[11]).dataset, "s-11")},
        "like": {"like": [films[10], Stored(films[12])], "unlike": [films[0]]},
        "mix": {"mix": [(films[11], 1), (library.picture(11), 0.5), (Words("centre"), 0.1)]},
        "region": {"id": films[11], "region": (0, 0, 1, 1)},
    }
    for name, way in ways.items():
        found = client.search(**way, limit=2, **SDK)
        assert len(found) == 2 and set(ids(found)) <= near, name
    asked = np.array(library.archive.store.vector(library.archive.spec("sdk"), films[11]))
    assert ids(client.search(vector=asked, limit=1, **SDK)) == [films[11]]
    assert ids(client.search(text="left", limit=3, **SDK)) != ids(client.search(text="right", limit=3, **SDK))


def test_options_do_what_they_say(library: Library, client: Client) -> None:
    films = library.films
    two = client.search(id=films[11], models=["sdk", "sdk-mute"], weights={"sdk": 2.0}, fusion="weighted", limit=4)
    assert {hit.agrees for hit in two} == {"2 of 2"} and list(two.provenance["models"]) == ["sdk", "sdk-mute"]
    groups = client.search(text="left", group_by="patient", group_size=2, limit=3, **SDK).groups()
    assert len(groups) == 3 and all(len({hit.film.patient_id for hit in group}) == 1 for group in groups.values())
    assert client.search(id=films[4], priors=True, **SDK).priors[0].image_id == films[5]
    assert all(hit.film.view == "PA" for hit in client.search(text="left", where="view = PA", **SDK))
    single = client.search(text="left", per_patient=1, limit=12, **SDK)
    assert len({hit.film.patient_id for hit in single}) == len(single) == 12
    typical = client.search(mode="typical", finding="edema", limit=3, **SDK)
    assert all("edema" in hit.film.present and hit.why for hit in typical)
    with pytest.raises(HilumError, match="mode is one of"):
        client.search(text="left", mode="sideways")


def test_long_answers_come_whole_in_pages_and_in_streams(library: Library, client: Client) -> None:
    asked: Any = {"text": "left", "limit": 1000, **SDK}
    whole = ids(client.search(**asked))
    assert len(whole) == len(set(whole)) == FILMS
    pages = list(client.search_pages(page_size=7, **asked))
    assert [len(page) for page in pages] == [7, 7, 7, 3]
    assert [one for page in pages for one in ids(page)] == whole
    assert ids(client.page(pages[0].next_page_token)) == ids(pages[1])
    streamed = list(client.search_stream(**asked))
    assert [one for piece in streamed for one in ids(piece)] == whole and streamed[-1].provenance["models"]
    one, other = client.search_batch([{"text": "left", "limit": 2, **SDK}, {"text": "left", "models": ["nope"]}])
    assert isinstance(one, SearchResult) and ids(one) == whole[:2]
    assert isinstance(other, HilumError) and other.code == "UNKNOWN_MODEL"


def test_why_a_film_is_missing(library: Library, client: Client) -> None:
    order = ids(client.search(text="left", limit=1000, **SDK))
    [below] = client.why_not(order[15], text="left", limit=10, **SDK)
    assert (below.code, below.rank, below.model) == ("below-limit", 16, "sdk")
    reasons = client.why_not(library.films[1], id=library.films[0], where="view = PA", limit=1, **SDK)
    assert {"excluded", "filter"} <= {reason.code for reason in reasons}


def test_how_far_answers_can_be_trusted(library: Library, client: Client) -> None:
    """Nothing is claimed that was not measured; what was is told with how often."""
    spec, facts = library.archive.spec("sdk"), library.archive.facts
    before = {one.model: one for one in client.quality()}
    assert set(before) == {"sdk", "sdk-mute"} and before["sdk"].fingerprint == spec.fingerprint
    assert (before["sdk"].recall, before["sdk"].filtered_recall, before["sdk"].least_recall) == (None, None, None)
    for recall, filtered in ((1.0, False), (0.9, False), (0.8, True)):
        recalls.save(facts, spec.fingerprint, 10, recall, filtered)
    after = {one.model: one for one in client.quality()}
    assert after["sdk-mute"] == before["sdk-mute"]
    told = after["sdk"]
    assert (told.questions, told.recall, told.filtered_questions, told.filtered_recall) == (2, 0.95, 1, 0.8)
    assert told.least_recall == 0.8


def test_a_kept_search_is_judged_and_refined(library: Library, client: Client) -> None:
    kept = client.save_search("left ones", text="left", limit=5, **SDK)
    try:
        assert [one.title for one in client.searches()] == ["left ones"]
        assert client.saved_search(kept.search_id).request.query.text == "left"
        before = client.run_search(kept.search_id)
        assert ids(before) == ids(client.search(text="left", limit=5, **SDK))
        good, bad = library.films[-1], before[0].image_id
        assert client.mark(kept.search_id, good, grade=3) == {good: 3}
        assert client.mark(kept.search_id, bad, grade=0) == {good: 3, bad: 0}
        after = client.refine(kept.search_id, limit=8)
        assert len(after) == 8 and bad not in ids(after)[:1]
        exact = client.refine(kept.search_id, exact=True, where="view = PA", limit=2)
        assert exact.provenance["exact"] and {hit.film.view for hit in exact} == {"PA"}
        like = client.search(text="left", like=[good], unlike=[bad], limit=8, **SDK)
        assert set(ids(like)) == set(ids(after)) - {good}, "the same rule, and graded marks of one film weigh alike"
        assert client.unmark(kept.search_id, good) == client.marks(kept.search_id) == {bad: 0}
        again = client.save_search("right ones", search_id=kept.search_id, text="right", **SDK)
        assert (again.search_id, client.searches()[0].title) == (kept.search_id, "right ones")
    finally:
        assert client.delete_search(kept.search_id).search_id == kept.search_id
    with pytest.raises(HilumError, match="NOT_FOUND"):
        client.run_search(kept.search_id)


def test_the_async_client_answers_alike(library: Library, client: Client) -> None:
    asked: Any = {"text": "left", "limit": 1000, **SDK}

    async def ask() -> dict[str, Any]:
        async with AsyncClient(endpoint=Endpoint(library.grpc)) as other:
            kept = await other.save_search("left ones", **asked)
            try:
                return {
                    "search": ids(await other.search(**asked)),
                    "pages": [one async for page in other.search_pages(page_size=7, **asked) for one in ids(page)],
                    "stream": [one async for piece in other.search_stream(**asked) for one in ids(piece)],
                    "batch": [ids(one) for one in await other.search_batch([asked, asked])],
                    "why": await other.why_not(library.films[3], **{**asked, "limit": 1}),
                    "facets": await other.facets("view = PA", ["sex"]),
                    "kept": ids(await other.run_search(kept.search_id)),
                    "marks": await other.mark(kept.search_id, library.films[0]),
                    "refined": ids(await other.refine(kept.search_id, limit=3)),
                    "unmarked": await other.unmark(kept.search_id, library.films[0]),
                    "left": await other.marks(kept.search_id),
                    "listed": [one.search_id for one in await other.searches()] == [kept.search_id],
                    "images": [film.image_id async for film in other.images(page_size=5)],
                    "jobs": await other.jobs(),
                    "runs": await other.runs(),
                }
            finally:
                await other.delete_search(kept.search_id)

    told = asyncio.run(ask())
    whole = ids(client.search(**asked))
    assert told["search"] == told["pages"] == told["stream"] == told["kept"] == whole
    assert told["batch"] == [whole, whole]
    assert told["why"] == client.why_not(library.films[3], **{**asked, "limit": 1})
    assert told["facets"] == client.facets("view = PA", ["sex"]) == {"sex": {"F": FILMS // 2}}
    assert told["marks"] == {library.films[0]: 1} and told["unmarked"] == told["left"] == {}
    assert len(told["refined"]) == 3 and told["listed"]
    assert told["images"] == [film.image_id for film in client.images()]
    assert told["jobs"] == [] and told["runs"] == client.runs()
