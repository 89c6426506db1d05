"""What an ingest keeps by the film, out of memory: who has a film, and which files there are."""

from __future__ import annotations

import os
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from services.ingest.sources.files import list_films
from services.ingest.taken import Taken


def test_the_first_claim_to_a_film_stands() -> None:
    taken = Taken([("a", ("ref-1", ""))])
    assert taken.setdefault("a", ("ref-2", "pixels")) == ("ref-1", "")
    assert taken.setdefault("b", ("ref-2", "pixels")) == ("ref-2", "pixels")
    assert taken.setdefault("b", ("ref-3", "others")) == ("ref-2", "pixels")
    handed = Taken(taken.items())
    assert handed.setdefault("b", ("ref-4", "")) == ("ref-2", "pixels")
    assert dict(handed.items()) == {"a": ("ref-1", ""), "b": ("ref-2", "pixels")}


def test_of_many_threads_one_is_first() -> None:
    taken = Taken()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda n: taken.setdefault(f"{n % 50}", (f"ref-{n}", "")), range(2_000)))
    for film in range(50):
        assert len(set(answers[film::50])) == 1


def test_films_taken_need_no_memory() -> None:
    taken = Taken()
    tracemalloc.start()
    taken.update((f"{n:036d}", (f"{n:032x}", f"{n:064x}")) for n in range(20_000))
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 100_000
    assert taken.setdefault(f"{19_999:036d}", ("", "")) == (f"{19_999:032x}", f"{19_999:064x}")


def test_a_folder_is_listed_in_the_order_of_its_paths(tmp_path: Path) -> None:
    names = ["a/x.png", "a-b/x.png", "a.png", "a/b/c.dcm", "a b/y.png", "é/z.jpg", "b.png", "a!.png", "a/b.dcm"]
    for name in (*names, ".hidden/x.png", "a/.x.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/odd\xff.png")).touch()
    (tmp_path / "linked").symlink_to(tmp_path / "a")
    films = list_films(tmp_path)
    wanted = sorted([*names, "odd\udcff.png"])
    assert [film.name for film in films] == wanted and len(films) == len(wanted)
    assert [film.name for film in films[2:5]] == wanted[2:5] and films[-1].name == wanted[-1]
