"""A comparison in tables, plots, maps and films."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from services.analytics import figure, picture, snapshot
from services.analytics.compare.asked import CompareAsked
from services.analytics.compare.pair import Pair, Space
from services.analytics.figure import Line
from services.analytics.page import Page
from services.analytics.resample import means
from services.analytics.sample import Sample
from services.analytics.structure import together
from services.analytics.structure.together import Drawn

LEAST, PEOPLE = 20, 10  # films and patients of a finding, view or dataset that is measured apart
_NEAR = 5  # neighbours shown of each model
_PLOTTED = 6  # pairs of models in one plot; tables have all
_ABOUT = (
    "The same films in each model's space. Nothing here says which model is right: two models that agree may share a "
    "shortcut, and where they part either may have it. What each is good for, probes and retrieval tell."
)
_SMALL = (
    "Intervals draw patients again with their films' neighbours as they are; a film is a neighbour of many, so they "
    "are somewhat too narrow. With many rows, some differences are there by chance alone."
)


def page(
    asked: CompareAsked,
    films: Sample,
    labels: Sequence[str],
    spaces: Sequence[Space],
    pairs: Sequence[Pair],
    pictures: Sequence[bytes | None],
    drawn: Drawn,
) -> Page:
    """The whole report. pictures: of every film, in the order of the sample."""
    made = Page(f"{len(spaces)} models on the same films", _ABOUT)
    _neighbours(made, asked, films, pairs)
    _groups(made, films, labels, pairs)
    _spaces(made, pairs)
    _clusters(made, asked, spaces, pairs)
    _matrices(made, spaces, pairs)
    _maps(made, spaces, drawn)
    for found in pairs:
        _parted(made, asked, films, labels, found, pictures)
    return made


def _neighbours(page: Page, asked: CompareAsked, films: Sample, pairs: Sequence[Pair]) -> None:
    page.heading(
        "Do they hold the same films near?",
        f"Jaccard of the {asked.k} nearest films of other patients: films in both lists over films in either. By "
        "chance: of lists drawn at random. Shuffled: of one film's list with another film's, above chance where the "
        "same hubs are near everything in both. Far: of randomly drawn films, the share that one model finds nearer "
        f"than what the other holds near; 0.5 is chance. {_SMALL}",
    )
    columns = ("models", "films", f"Jaccard@{asked.k}", "by chance", "shuffled", "own patient's films too",
               "far in the first", "far in the second")  # fmt: skip
    page.table(columns, [
        (found.name, len(films), found.mean, found.chance[-1], found.shuffled, found.all_films,
         *map(float, found.far.mean(axis=0)))
        for found in pairs
    ])  # fmt: skip
    depths = np.arange(1, asked.k + 1)
    curves = [
        Line(found.name, depths, [e.value for e in found.depths], [e.low for e in found.depths],
             [e.high for e in found.depths])
        for found in pairs[:_PLOTTED]
    ]  # fmt: skip
    curves.append(Line("by chance", depths, pairs[0].chance, dashed=True))
    page.plot(figure.lines(curves, "neighbours k", "Jaccard@k"), "By depth.")


def _groups(page: Page, films: Sample, labels: Sequence[str], pairs: Sequence[Pair]) -> None:
    groups = list(_parts(films, labels))
    if not groups:
        return
    page.heading("By finding, view and dataset", f"Mean over the films of each. {_SMALL}")
    rows, shown = [], []
    for name, inside in groups:
        estimates = {found.name: means(found.jaccard[inside, None], films.patients[inside], 0)[0] for found in pairs}
        people = len(np.unique(films.patients[inside]))
        rows += [(name, pair, int(inside.sum()), people, estimate) for pair, estimate in estimates.items()]
        shown.append((name, dict(list(estimates.items())[:_PLOTTED])))
    page.table(("films with", "models", "films", "patients", "Jaccard"), rows)
    page.plot(figure.intervals(shown, "Jaccard", at=pairs[0].chance[-1]), "Dashed: by chance.")


def _parts(films: Sample, labels: Sequence[str]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Films of each finding stated present, each view and each dataset, where there are enough."""
    found = [(name.replace("_", " "), films.labels[name] == 1) for name in labels if name in films.labels]
    for kind, values in (("view", films.view), ("dataset", films.dataset)):
        names = sorted(set(values) - {""})
        if len(names) > 1:
            found += [(f"{kind} {name}", np.array([value == name for value in values])) for name in names]
    return (
        (name, inside)
        for name, inside in found
        if inside.sum() >= LEAST and len(np.unique(films.patients[inside])) >= PEOPLE
    )


def _spaces(page: Page, pairs: Sequence[Pair]) -> None:
    page.heading(
        "Are the spaces alike?",
        "Linear CKA is 1 for spaces that are one space turned and scaled. It is too high where vectors are long and "
        "films few; the debiased form is about 0 for unrelated spaces. Spearman and Kendall are rank correlations "
        f"of the distances between all pairs of {pairs[0].order.films} films, one of a patient; p permutes films "
        "(Mantel). Intervals leave out a tenth of the patients at a time. All of these weigh large distances and "
        "main directions; neighbours may differ where they agree.",
    )
    page.table(("models", "CKA", "CKA, debiased", "Spearman", "Kendall", "p"), [
        (found.name, found.cka, found.debiased, found.order.spearman, found.order.kendall, f"{found.order.p:.2g}")
        for found in pairs
    ])  # fmt: skip


def _clusters(page: Page, asked: CompareAsked, spaces: Sequence[Space], pairs: Sequence[Pair]) -> None:
    page.heading(
        "Do they group films alike?",
        f"Leiden clusters at resolution {asked.resolutions[0]:g} of each model's graph, as a map has them. The "
        "adjusted Rand index and adjusted mutual information are 0 by chance and 1 for the same clusters; plain NMI "
        "is above 0 by chance. Other seeds give other clusters: no model can agree with another better than with "
        "itself. Intervals are of these clusters on other patients; they do not tell how the clusters themselves "
        "would change.",
    )
    page.table(("model", "clusters", "ARI with its own clusters of another seed"), [
        (space.name, len(np.unique(space.members)), space.itself) for space in spaces
    ])  # fmt: skip
    page.table(("models", "ARI", "NMI", "AMI"), [
        (found.name, found.alike.ari, found.alike.nmi, found.alike.ami) for found in pairs
    ])  # fmt: skip


def _matrices(page: Page, spaces: Sequence[Space], pairs: Sequence[Pair]) -> None:
    if len(spaces) < 3:
        return
    page.heading("All pairs")
    squares = []
    names = [space.name for space in spaces]
    row = {name: number for number, name in enumerate(names)}
    for title, estimates in (
        ("Jaccard of neighbours", [pair.mean for pair in pairs]),
        ("CKA, debiased", [pair.debiased for pair in pairs]),
        ("Spearman of distances", [pair.order.spearman for pair in pairs]),
        ("ARI of clusters", [pair.alike.ari for pair in pairs]),
    ):
        square = np.eye(len(names))
        for pair, estimate in zip(pairs, estimates, strict=True):
            i, j = row[pair.one.name], row[pair.other.name]
            square[i, j] = square[j, i] = estimate.value
        squares.append(figure.heat(names, square, title))
    page.plot(Markup("").join(squares), "1 is the same.")


def _maps(page: Page, spaces: Sequence[Space], drawn: Drawn) -> None:
    page.heading(
        "Linked maps",
        "Each model's map in the colours of the first model's clusters, then all in the colours of each other's. Where "
        "colours lie apart, models group alike. Maps are turned onto the first; distances on a map mean little. "
        "linked.html among the run's files marks films on all maps at once; the atlas of each model has the others' "
        "clusters as columns.",
    )
    for painter in spaces:
        _sheet(page, spaces, painter, [space.place for space in spaces])
    page.heading(
        "The same maps, drawn together",
        "Turning a map changes nothing on it. These were drawn at once instead, each film held near where the other "
        "maps have it, so that a place is the same place on all of them; what that bends, the table tells. Use them "
        "to see where models part, and each model's own map to see what it makes of the films.",
    )
    _sheet(page, spaces, spaces[0], drawn.together)
    together.table(page, [space.name for space in spaces], drawn)


def _sheet(page: Page, spaces: Sequence[Space], painter: Space, places: Sequence[np.ndarray]) -> None:
    names = sorted(set(snapshot.cluster_names(next(iter(painter.partitions.values())))))
    shown = [
        (picture.by_cluster(place, painter.members, names, 300), f"{space.name}, clusters of {painter.name}")
        for space, place in zip(spaces, places, strict=True)
    ]
    page.pictures(shown, 300)


def _parted(
    page: Page, asked: CompareAsked, films: Sample, labels: Sequence[str], found: Pair,
    pictures: Sequence[bytes | None],
) -> None:  # fmt: skip
    """The films on which two models part most, and what each holds near."""
    worst = np.lexsort((-found.far.mean(axis=1), found.jaccard))[: asked.shown]
    none = int((found.jaccard == 0).sum())
    page.heading(
        f"Where {found.name} part",
        f"{none:,} of {len(films):,} films have no neighbour in common. Of those least alike, the ones whose "
        "neighbours the other model finds farthest come first: a film, then what each model holds nearest.",
    )
    page.table(("film", "Jaccard", f"far in {found.one.name}", f"far in {found.other.name}", "shows"), [
        (films.ids[row], float(found.jaccard[row]), *map(float, found.far[row]), says(films, labels, row))
        for row in worst
    ])  # fmt: skip
    for row in worst:
        for space in (found.one, found.other):
            near = space.others.ids[row, :_NEAR]
            shown = [(int(row), "the film"), *((int(n), f"{place}") for place, n in enumerate(near, 1))]
            page.text(Markup("<small>{}</small>").format(f"nearest in {space.name}"))
            page.pictures([
                (url(pictures[n]), f"{place}: {says(films, labels, n)}") for n, place in shown if pictures[n]
            ])  # fmt: skip


def says(films: Sample, labels: Sequence[str], row: int) -> str:
    """What is known of a film, in a few words."""
    present = [n.replace("_", " ") for n in labels if n in films.labels and films.labels[n][row] == 1]
    return ", ".join([*([films.view[row]] if films.view[row] else []), *present[:3]]) or "nothing stated"


def url(jpeg: bytes | None) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg or b'').decode()}"
