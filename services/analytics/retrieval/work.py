"""Retrieval: every model answers the same films, and what comes first is held against what is relevant."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.analytics import encoding, graph, thumbnails
from services.analytics.bench import Bench
from services.analytics.estimate import Estimate
from services.analytics.hubs.measures import density
from services.analytics.page import Page
from services.analytics.retrieval import rankings, relevance, report
from services.analytics.retrieval.asked import RetrievalAsked
from services.analytics.retrieval.rankings import RANDOM, Scores, Space
from services.analytics.retrieval.relevance import ALL, Question
from services.analytics.retrieval.significance import paired
from services.core.errors import ErrorCode, HilumError
from services.core.facts import searches
from services.core.hubs import METHODS

OWNER = "local"  # whose marks: until there are users, everybody's
LEAST = 10  # films of a finding or subgroup that ask; fewer are not reported apart


def run(bench: Bench[RetrievalAsked]) -> None:
    """Make the run in the bench's folder."""
    asked, films = bench.asked, bench.films
    texts = _texts(bench)
    questions = _questions(bench, list(texts))
    rows = _asking(questions[0], asked)
    people = np.append(films.patients, np.arange(len(texts), dtype=np.int32) + films.patients.max(initial=0) + 1)
    methods = ["", *METHODS] if asked.correct else [""]
    with ExitStack() as opened:
        spaces = []
        for spec in bench.specs:
            unit = opened.enter_context(bench.vectors(spec))
            dense = None
            if asked.correct:
                stage = f"graph of {spec.name}"
                build = partial(graph.build, unit, asked.k, asked.seed, bench.progress, stage, patients=films.patients)
                near = bench.once(stage, build)
                dense = density(near, asked.k)
            words = encoding.texts(bench.encode, spec, list(texts), bench.progress) if texts else None
            spaces.append(Space(spec.name, unit, dense, words))
        evaluate = partial(
            rankings.evaluate, spaces, questions, rows, people, asked.depths, methods, asked.fuse, asked.seed,
            bench.progress,
        )  # fmt: skip
        scores = bench.once("rankings", evaluate, questions, list(texts))
    groups = _groups(bench, scores, people)
    for group, estimates in zip(
        groups, bench.once("intervals", partial(_measured, bench, groups), questions, list(texts)), strict=True
    ):
        group.estimates = estimates
    whole, headline = groups[0], report.headlines(asked.depths)
    retrievers = [name for name in whole.retrievers if name != RANDOM]
    bench.progress("tests", 0, 1)
    tests = bench.once(
        "tests",
        lambda: {name: _tests(whole, name, headline, asked.seed) for name in retrievers},
        questions, list(texts),
    )  # fmt: skip
    by_films = rows[rows < len(films)]
    words = len(rows) - len(by_films)
    page = report.page(asked, groups, tests, headline, words)
    _cases(bench, page, scores[ALL], headline[0])
    bench.table("figures", report.columns(groups))
    bench.table("queries", _queries(bench, scores[ALL], people, list(texts)))
    metrics = {
        name: {
            "against": {
                other: {m: {k: report.plain(v) for k, v in t.items()} for m, t in by.items()}
                for other, by in tests.get(name, {}).items()
            },
            "groups": {
                f"{g.kind} {g.name}".strip(): {m: e.as_json() for m, e in g.estimates[name].items()} for g in groups
            },
        }
        for name in whole.retrievers
    }
    asking = len(np.unique(films.patients[by_films]))
    bench.finish(metrics, page, queries=len(rows), asking_patients=asking, words=words, relevance=asked.relevance)


def _texts(bench: Bench[RetrievalAsked]) -> dict[str, None]:
    """Questions in words whose answers were marked, where all models read words and somebody encodes them."""
    if bench.asked.relevance != "marks" or not all(spec.text_space for spec in bench.specs):
        return {}
    if not bench.settings.encode:
        return {}
    marked = searches.judged(bench.facts, OWNER, "text")
    return dict.fromkeys(text for (text, _), grade in sorted(marked.items()) if grade > 0)


def _questions(bench: Bench[RetrievalAsked], texts: list[str]) -> list[Question]:
    films = bench.films
    if bench.asked.relevance == "patient":
        return relevance.by_patient(films)
    if bench.asked.relevance == "view":
        return relevance.by_view(films)
    if bench.asked.relevance == "marks":
        of_texts = searches.judged(bench.facts, OWNER, "text")
        return relevance.by_marks(films, searches.judged(bench.facts, OWNER), texts, of_texts)
    if not bench.labels:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"no finding is stated, present and absent, of enough films to be measured{bench.one_sided}; name labels, "
            "or measure relevance by view or patient",
        )
    return relevance.by_findings(films, bench.labels)


def _asking(question: Question, asked: RetrievalAsked) -> NDArray[np.int64]:
    """The films that ask: drawn by the seed among those that can."""
    able = np.flatnonzero(question.asks)
    if len(able) < 2:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            "fewer than two films can ask: none of the sample has something in common to look for (of marks: none was "
            "marked as relevant to one of them, or to words that all these models read); widen the filter",
        )
    if len(able) > asked.queries:
        able = np.sort(np.random.default_rng(asked.seed).choice(able, asked.queries, replace=False))
    return able


def _groups(
    bench: Bench[RetrievalAsked], scores: Mapping[str, Scores], people: NDArray[np.int32]
) -> list[report.Group]:
    """Everything with intervals of its own: all queries, each finding or view, each subgroup of those who ask."""
    films = bench.films
    found = [report.Group("", ALL, scores[ALL], people[scores[ALL].rows])]
    for name, one in scores.items():
        if name != ALL and len(one.rows) >= LEAST:
            found.append(report.Group("by", name, one, people[one.rows]))
    rows = scores[ALL].rows
    for name, inside in relevance.subgroups(films, rows).items():
        if LEAST <= inside.sum() < len(rows):
            found.append(report.Group("of", name, scores[ALL], people[rows], inside))
    return found


def _measured(bench: Bench[RetrievalAsked], groups: Sequence[report.Group]) -> list[dict[str, dict[str, Estimate]]]:
    """Every group's figures with their intervals."""
    bench.progress("intervals", 0, len(groups))
    for done, group in enumerate(groups, 1):
        group.measure(bench.asked.seed)
        bench.progress("intervals", done, len(groups))
    return [group.estimates for group in groups]


def _tests(whole: report.Group, name: str, headline: Sequence[str], seed: int) -> dict[str, dict[str, Any]]:
    """A retriever against chance, and against what it is to better: a correction against none, a fusion against each
    model."""
    base, _, method = name.partition(", ")
    against = [RANDOM]
    if method:
        against.append(base)
    elif name == "fused":
        against += [other for other in whole.retrievers if ", " not in other and other not in (RANDOM, name)]
    return {
        other: {
            measure: paired(whole.values(measure, name), whole.values(measure, other), whole.patients, seed)
            for measure in headline
        }
        for other in against
    }


def _queries(
    bench: Bench[RetrievalAsked], scores: Scores, people: NDArray[np.int32], texts: list[str]
) -> dict[str, Any]:
    """One row for each film (or words) that asked and each retriever: its value of every measure."""
    names = list(next(iter(scores.values.values())))
    every = [*bench.films.ids, *texts]
    ids = [every[row] for row in scores.rows]
    table: dict[str, Any] = {
        "retriever": [name for name in names for _ in ids], "image_id": ids * len(names),
        "patient": np.tile(people[scores.rows], len(names)),
    }  # fmt: skip
    for measure, by in scores.values.items():
        table[measure] = np.concatenate([by[name] for name in names])
    return table


def _cases(bench: Bench[RetrievalAsked], page: Page, scores: Scores, measure: str, most: int = 4) -> None:
    """Pictures of the films answered worst by the first model, each with what was found first: for a reader to judge
    whether the label, the film or the model is wrong."""
    name = bench.specs[0].name
    value = np.where(scores.rows < len(bench.films), scores.values[measure][name], np.nan)  # words have no picture
    worst = np.argsort(np.where(np.isfinite(value), value, np.inf), kind="stable")[:most]
    page.heading(
        f"Answered worst by {name}",
        "A film that asked, then what was found first. A reader tells whether its label is wrong, it shows something "
        "else in common, or the model is mistaken.",
    )
    for query in worst[np.isfinite(value[worst])]:
        shown = [scores.rows[query], *(row for row in scores.first[name][query] if row >= 0)]
        ids = [bench.films.ids[row] for row in shown]
        pictures = thumbnails.thumbnails(bench.facts, bench.blobs, ids, bench.progress)
        says = [_says(bench, row) for row in shown]
        page.pictures([
            (f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}", f"{'' if n else 'asks: '}{says[n]}")
            for n, picture in enumerate(pictures)
            if picture
        ])  # fmt: skip


def _says(bench: Bench[RetrievalAsked], row: int) -> str:
    present = [name.replace("_", " ") for name in bench.labels if bench.films.labels[name][row] == 1]
    return ", ".join(present[:4]) or bench.films.view[row] or "nothing stated"
