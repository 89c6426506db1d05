"""The class structure of a study on its page: a table of its own, models against each other, blends of colours."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.analytics import figure, metrics, picture
from services.analytics.estimate import Estimate
from services.analytics.page import Page
from services.analytics.resample import means
from services.analytics.structure.classes import MEASURES, NONE, Classes
from services.analytics.structure.layouts import onto
from services.analytics.structure.view import ClassStructure, View

_SIZE = 330
_GREY = "#e2e6e7"
_TITLES = {
    "silhouette": "silhouette", "davies_bouldin": "Davies–Bouldin", "intra": "distance within",
    "inter": "distance between", "purity": "neighbour purity",
}  # fmt: skip
_BETTER = {"silhouette": "higher", "davies_bouldin": "lower", "intra": "lower", "inter": "higher", "purity": "higher"}


def put(page: Page, views: Sequence[View], classes: Classes | None, patients: NDArray[np.int32]) -> None:
    """Everything about classes, or why there is nothing."""
    page.heading("Class structure")
    held = [(view, view.classes) for view in views if view.classes is not None]
    if classes is None or not held:
        page.text("No two findings are present alone in ten patients or more: there are no classes to tell apart.")
        return
    alone = {name: classes.of == number for number, name in enumerate(classes.names)}
    page.text(
        "A film is of a class when it has this finding and no other; of 'none of these' when all are stated absent, or"
        " 'no finding' present. Films with several lie between and are in no class. Films of which something is"
        " uncertain are left out; where one finding is present, others that nobody stated are taken as not there."
    )
    page.table(
        ("class", "films", "patients"),
        [
            *((_words(name), int(mask.sum()), len(np.unique(patients[mask]))) for name, mask in alone.items()),
            ("several findings", len(classes.mixed), len(np.unique(patients[classes.mixed]))),
        ],
        "Films of each class",
    )
    page.table(
        ("measure", "better", *(view.spec.name for view, _ in held)),
        [(_TITLES[name], _BETTER[name], *(one.space.estimate(name) for _, one in held)) for name in MEASURES],
        "In the space (cosine; intervals by patient)",
    )
    if len(held) > 1:
        page.table(
            ("models", *_TITLES.values()),
            [
                (f"{a.spec.name} − {b.spec.name}", *(one.space.less(other.space, name) for name in MEASURES))
                for (a, one), (b, other) in combinations(held, 2)
            ],
            "Models against each other, over the same draws of patients",
        )
    page.table(
        ("model", "clusters", "purity of clusters", "were all one cluster", "adjusted mutual information"),
        [(view.spec.name, len(view.chosen.partition.sizes), *clusters(view, classes, patients)) for view, _ in held],
        "Do the recommended clusters go by class? Purity: films whose class is the commonest of their cluster",
    )
    _maps(page, held)
    _by_class(page, held, classes)
    _blends(page, [view for view, _ in held], classes)
    for view, one in held:
        page.table(
            ("films of", *map(_words, classes.names)),
            [(_words(name), *map(float, row)) for name, row in zip(classes.names, one.overlap, strict=True)],
            f"{view.spec.name}: overlap, of the neighbours of other patients the share that is of each class",
        )
    _between(page, held)


def clusters(view: View, classes: Classes, patients: NDArray[np.int32]) -> tuple[Estimate, float, float]:
    """Purity of the recommended clusters with its interval by patient, what one single cluster would have, and adjusted
    mutual information: purity alone grows with the number of clusters."""
    pure = np.flatnonzero(classes.of >= 0)
    of, mine = classes.of[pure], view.members[pure]
    table = np.bincount(mine * np.int64(len(classes.names)) + of, minlength=(int(mine.max()) + 1) * len(classes.names))
    commonest = table.reshape(-1, len(classes.names)).argmax(axis=1)
    found = metrics.purity(view.members, classes.of)
    hit = (commonest[mine] == of).astype(np.float64)[:, None]
    return means(hit, patients[pure], 0)[0], float(found["baseline"] or 0.0), float(found["ami"] or 0.0)


def figures(one: ClassStructure, classes: Classes) -> dict[str, Any]:
    """As metrics.json has them."""
    return {
        "classes": classes.names,
        **{name: one.space.estimate(name).as_json() for name in MEASURES},
        "by_class": {
            kind: {
                name: one.space.estimate(f"{name}_by_class", number).as_json()
                for name in MEASURES if f"{name}_by_class" in one.space.whole
            }
            for number, kind in enumerate(classes.names)
        },
        "maps": {column: dict(found) for column, found in one.maps.items()},
        "overlap": [[None if np.isnan(value) else float(value) for value in row] for row in one.overlap],
        "mixed": [
            {"one": m.one, "other": m.other, "films": m.films, "patients": m.patients,
             "position": m.position.as_json(), "amid": m.amid}
            for m in one.mixed
        ],
    }  # fmt: skip


def _maps(page: Page, held: Sequence[tuple[View, ClassStructure]]) -> None:
    """On each layout, mean over seeds and their range; models' difference with its range."""
    rows: list[tuple[str, ...]] = []
    for view, one in held:
        for column, found in one.maps.items():
            rows.append((f"{view.drawn(column).name}, {view.spec.name}", *map(_over_seeds, found.values())))
    for (a, one), (b, other) in combinations(held, 2):
        for column in one.maps.keys() & other.maps.keys():
            pairs = [zip(one.maps[column][n], other.maps[column][n], strict=True) for n in one.maps[column]]
            less = [_over_seeds([x - y for x, y in pair]) for pair in pairs]
            rows.append((f"{a.drawn(column).name}, {a.spec.name} − {b.spec.name}", *less))
    page.table(
        ("layout", "silhouette", "Davies–Bouldin"), sorted(rows),
        "On the maps, as eyes see them (euclidean; mean over seeds, lowest to highest)",
    )  # fmt: skip


def _over_seeds(values: Sequence[float]) -> str:
    mean = f"{np.mean(values):.3f}"
    return mean if len(values) < 2 else f"{mean} ({min(values):.3f} to {max(values):.3f}, {len(values)} seeds)"


def _by_class(page: Page, held: Sequence[tuple[View, ClassStructure]], classes: Classes) -> None:
    names = [name for name in MEASURES if f"{name}_by_class" in held[0][1].space.whole]
    for view, one in held:
        page.table(
            ("class", *(_TITLES[name] for name in names)),
            [
                (_words(kind), *(one.space.estimate(f"{name}_by_class", number) for name in names))
                for number, kind in enumerate(classes.names)
            ],
            f"{view.spec.name}: by class",
        )
    rows = [
        (_words(kind), {v.spec.name: one.space.estimate("silhouette_by_class", number) for v, one in held})
        for number, kind in enumerate(classes.names)
    ]
    page.plot(figure.intervals(rows, "silhouette", at=0.0), "Below 0 a class is nearer to another than to itself.")


def shades(classes: Classes) -> dict[str, str]:
    """The colour of each class; films without a finding are pale."""
    return {name: picture.ABSENT if name == NONE else picture.colour(n) for n, name in enumerate(classes.names)}


def paints(classes: Classes) -> list[str]:
    """The colour of each film. Several findings make a blend."""
    shade = shades(classes)
    known = [shade.get(name) for name in classes.findings]
    found = []
    for row, of in enumerate(classes.of):
        mine = [paint for paint, has in zip(known, classes.has[row], strict=True) if has and paint]
        found.append(shade[classes.names[of]] if of >= 0 else picture.blend(mine) if len(mine) > 1 else _GREY)
    return found


def _blends(page: Page, views: Sequence[View], classes: Classes) -> None:
    colours = paints(classes)
    page.text("The maps by class. A film with several findings has the colours of all of them, mixed.")
    page.legend([*((paint, _words(name)) for name, paint in shades(classes).items()), (_GREY, "no class")])
    for column in dict.fromkeys(one.column for view in views for one in view.layouts):
        reference = views[0].drawn(column).place
        page.pictures(
            [
                (picture.painted(onto(reference, view.drawn(column).place).place, colours, {}, _SIZE),
                 f"{view.spec.name}, {view.drawn(column).name}")
                for view in views
            ],
            _SIZE,
        )  # fmt: skip


def _between(page: Page, held: Sequence[tuple[View, ClassStructure]]) -> None:
    rows = [
        (f"{_words(m.one)} and {_words(m.other)}, {view.spec.name}", m.films, m.patients, m.position, m.amid)
        for view, one in held
        for m in one.mixed
    ]
    if rows:
        page.table(
            ("both findings", "films", "patients", "where on the way", "share amid"), rows,
            "Films with two findings: 0 is the middle of the first one's films, 1 that of the second's",
        )  # fmt: skip


def _words(name: str) -> str:
    return name if name == NONE else name.replace("_", " ")
