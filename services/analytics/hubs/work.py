"""Hubs: of each model the neighbours in other patients, how unevenly films are found, and the table of densities."""

from __future__ import annotations

import base64
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.analytics import figure, graph, thumbnails
from services.analytics.bench import Bench
from services.analytics.estimate import Estimate
from services.analytics.figure import Line
from services.analytics.hubs import measures
from services.analytics.hubs.asked import HubsAsked
from services.analytics.page import Page
from services.core.facts import densities
from services.core.facts.densities import Density
from services.core.hubs import METHODS

POOL = 4  # times k: the neighbours that a correction puts in a new order
TOP = 10  # hubs shown of each model
ABOUT = (
    "A hub is a film that is among the nearest of very many others, whatever they show; an anti-hub is never found at "
    "all. k-occurrence is how many films have a film among their k nearest of other patients. Its skewness is 0 where "
    "all are found alike. Corrections rank what was found anew: CSLS by 2 cos less the film's mean cosine with its own "
    "neighbours, local scaling by its distance over theirs."
)


def run(bench: Bench[HubsAsked]) -> None:
    """Make the run in the bench's folder, and keep the densities of a whole archive."""
    asked, films = bench.asked, bench.films
    page = Page("Hubs", ABOUT)
    found: dict[str, dict[str, Any]] = {}
    rows, skews, curves, tops = [], [], [], []
    kept: dict[str, list[Any]] = {name: [] for name in ("model", "image_id", "density", "occurrences")}
    for spec in bench.specs:
        place = bench.held(spec)
        patients = np.unique(films.patients[place], return_inverse=True)[1].astype(np.int32)
        spare = len(place) - int(np.bincount(patients).max())
        k = asked.k
        with bench.vectors(spec) as unit:
            stage, wide = f"graph of {spec.name}", max(k, min(POOL * k, spare))
            build = partial(graph.build, unit, wide, asked.seed, bench.progress, stage, patients=patients)
            pool = bench.once(stage, build)
        dense = measures.density(pool, k)
        figures: dict[str, Any] = {"films": len(place), "k": k, "graph": pool.method, "recall": pool.recall}
        counts = {"": measures.occurrences(pool.ids[:, :k])}
        counts |= {m: measures.occurrences(measures.reranked(pool, dense, m, k)) for m in METHODS}
        shown: dict[str, Estimate] = {}
        for method, count in counts.items():
            skew = measures.skewness(count, patients, asked.seed)
            uneven = measures.uneven(count)
            figures[method or "uncorrected"] = {"skewness": skew.as_json(), **uneven}
            shown[method or "uncorrected"] = skew
            rows.append((
                f"{spec.name}{', ' + method if method else ''}", len(place), skew, uneven["anti_hubs"], uneven["hubs"],
                uneven["robin_hood"], uneven["most"],
            ))  # fmt: skip
            curves.append(_share(f"{spec.name}{', ' + method if method else ''}", count))
        found[spec.name] = figures
        skews.append((spec.name, shown))
        tops.append((spec.name, place, counts[""], dense))
        ids = [films.ids[row] for row in place]
        told = [Density(float(d), int(c)) for d, c in zip(dense, counts[""], strict=True)]
        if asked.whole:
            densities.save(bench.facts, spec.fingerprint, list(zip(ids, told, strict=True)))
        kept["model"] += [spec.name] * len(ids)
        kept["image_id"] += ids
        kept["density"] += [one.density for one in told]
        kept["occurrences"] += [one.occurrences for one in told]
    columns = ("model", "films", "skewness", "anti-hubs", "hubs", "Robin Hood", "most found")
    page.heading(
        f"How unevenly films are found, k = {asked.k}",
        f"Anti-hubs: share of films in nobody's neighbourhood. Hubs: share found {measures.HUB} times as often "
        "as the mean film. Robin Hood: share of all places in answers to be moved until all films have as many.",
    )
    page.table(columns, rows)
    page.plot(figure.intervals(skews, "skewness of k-occurrence", at=0.0), "Closer to 0 is more even.")
    page.plot(
        figure.lines(curves, "share of films, most found first", "share of all places in answers", unit=True),
        "The further above the diagonal, the more of all answers are the same few films.",
    )
    _show(bench, page, tops)
    if asked.whole:
        page.text("Searches that ask for correction use these densities from now on.")
    else:
        page.text("These densities are of a part of the archive, so searches do not use them: ask without filter.")
    bench.table("densities", kept)
    bench.finish(found, page, kept=asked.whole)


def _share(name: str, counts: NDArray[np.int64]) -> Line:
    """The Lorenz curve, from the top."""
    shares = np.concatenate([[0.0], np.cumsum(np.sort(counts)[::-1]) / max(counts.sum(), 1)])
    points = np.unique(np.linspace(0, len(counts), 101).astype(int))
    return Line(name, points / len(counts), shares[points])


def _show(
    bench: Bench[HubsAsked], page: Page, tops: list[tuple[str, NDArray[Any], NDArray[Any], NDArray[Any]]]
) -> None:
    """The films found most often, as pictures."""
    for name, place, counts, dense in tops:
        most = np.argsort(-counts, kind="stable")[:TOP]
        page.heading(f"Most found under {name}")
        ids = [bench.films.ids[place[row]] for row in most]
        rows = [
            (image_id, int(counts[row]), float(dense[row]), bench.films.view[place[row]] or None)
            for image_id, row in zip(ids, most, strict=True)
        ]
        page.table(("film", "found by", "density", "view"), rows)
        pictures = thumbnails.thumbnails(bench.facts, bench.blobs, ids, bench.progress)
        page.pictures([
            (f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}", f"found by {int(counts[row])}")
            for picture, row in zip(pictures, most, strict=True)
            if picture
        ])  # fmt: skip
