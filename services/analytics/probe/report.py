"""The report: the study's table first, then what to hold against it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from services.analytics import figure
from services.analytics.figure import Line
from services.analytics.page import Page
from services.analytics.probe import cautions
from services.analytics.probe.asked import ProbeAsked
from services.analytics.probe.augment import ANGLE, BRIGHT, CONTRAST, DARK, ORIGINAL, VARIANTS
from services.analytics.probe.compared import Difference, Key
from services.analytics.probe.draw import apart
from services.analytics.probe.robust import EVERY
from services.analytics.probe.scores import ACCURACY, AUROC, MEASURES, average, holm, study, together, wald
from services.analytics.sample import Sample

if TYPE_CHECKING:
    from services.analytics.probe.work import Found, Study

ABOUT = (
    "Is a finding in a model's vectors, and how easily is it read? Of each label and dataset as many films with as "
    "without the finding are drawn, the same for every model; a simple classifier learns from the stored vectors of "
    "some patients and is asked about others. By chance accuracy and AUROC are 0.5."
)
MOST_PLOTS, MOST_ROWS = 12, 15
CLASSIFIERS = {"logistic": "logistic regression", "mlp": "small MLP"}


def page(asked: ProbeAsked, films: Sample, of: Study, found: Sequence[Found], pairs: Sequence[Difference]) -> Page:
    """The whole report."""
    made = Page("Probes", ABOUT)
    _cautions(made, asked, films, of, found)
    for classifier in asked.classifiers:
        for measure in MEASURES:
            _study(made, of, found, classifier, measure)
    _by_patients(made, of, found)
    if len(found) > 1:
        _compared(made, of, pairs)
    _shortcuts(made, of, found)
    _curves(made, of, found)
    _external(made, found)
    _trust(made, of, found, asked)
    _groups(made, of, found)
    for one in found:
        _robust(made, one)
    _drawn(made, of)
    return made


def _cautions(made: Page, asked: ProbeAsked, films: Sample, of: Study, found: Sequence[Found]) -> None:
    known = cautions.by_row(of.rows, of.records)
    shares = {t.name: cautions.sources(t, [known[row] for row in t.rows.tolist()])[1] for t in of.tasks}
    told = [
        *cautions.few(of.tasks), *cautions.one_sided(films, asked.labels),
        *cautions.shortcuts(of.shortcuts, {one.spec.name: one.within for one in found}),
        *cautions.nameless(of.records), *cautions.shared(of.shared), *cautions.dominated(of.tasks),
        *cautions.convention(shares), *cautions.pooled(of.tasks, of.refused),
        "Labels are taken as true, and so are their mistakes. Sides are balanced: accuracies and promises are not "
        "those of an archive where the finding is rarer.",
    ]  # fmt: skip
    made.heading("Read this first")
    for words in told:
        made.text(words)


def _study(made: Page, of: Study, found: Sequence[Found], classifier: str, measure: str) -> None:
    made.heading(
        f"{measure[0].upper()}{measure[1:]}, {CLASSIFIERS[classifier]}",
        "Mean over folds ± half the 95 % interval over folds, t(K − 1) · s / √K. Of averages it is √Σh² / L, as if "
        "labels were measured independently. Folds share most of what they learn from, and labels their patients: both "
        "are too narrow as a rule. Intervals by patients are in the table after these.",
    )
    rows = list[tuple[str, ...]]()
    for dataset in dict.fromkeys(task.dataset for task in of.tasks):
        tasks = [task for task in of.tasks if task.dataset == dataset]
        cells = {one.spec.name: [one.probed[task.key].figures[classifier][measure] for task in tasks] for one in found}
        for place, task in enumerate(tasks):
            mine = [cells[one.spec.name][place] for one in found]
            rows.append((dataset, task.label.replace("_", " "), *(study(m.mean, m.half) for m in mine)))
        if len(tasks) > 1:
            means = [average([m.mean for m in by], [m.half for m in by]) for by in cells.values()]
            rows.append((dataset, "Average", *(study(*mean) for mean in means)))
    made.table(("dataset", "label", *(one.spec.name for one in found)), rows)


def _by_patients(made: Page, of: Study, found: Sequence[Found]) -> None:
    made.heading(
        "With intervals by patients",
        "The same means of logistic regression. Patients are drawn again 1,000 times, all their films together; the "
        "classifiers stay as they were fitted, so what another set of films to learn from would change is not in it.",
    )
    rows = list[tuple[Any, ...]]()
    for task in of.tasks:
        figures = [one.probed[task.key].figures["logistic"] for one in found]
        rows.append((task.name, task.each, task.patients, *(by[m].estimate for m in MEASURES for by in figures)))
    if len(of.tasks) > 1:
        means = [
            together([one.probed[task.key].figures["logistic"][m] for task in apart(of.tasks)]).estimate
            for m in MEASURES
            for one in found
        ]
        rows.append(("mean of all", None, of.weight.shape[1], *means))
    names = [f"{measure}, {one.spec.name}" for measure in MEASURES for one in found]
    made.table(("probe", "films a side", "patients", *names), rows)
    shown = [
        (t.name, {one.spec.name: one.probed[t.key].figures["logistic"][AUROC].estimate for one in found})
        for t in of.tasks
    ]
    made.plot(figure.intervals(shown, "AUROC", at=0.5), "Dashed: by chance.")


def _compared(made: Page, of: Study, pairs: Sequence[Difference]) -> None:
    made.heading(
        "Models compared",
        "The difference on the same films in the same folds, patients drawn again for both at once; p by the spread of "
        "those draws (Wald), and corrected after Holm for all probes and pairs of models of a classifier and measure. "
        "Of the test films alone: other films to learn from, or another seed, may turn a small difference; with few "
        "patients p is too small.",
    )
    names: dict[Key | None, str] = {None: "mean of all", **{task.key: task.name for task in of.tasks}}
    for classifier in dict.fromkeys(one.classifier for one in pairs):
        rows: dict[tuple[str, str], list[Any]] = {}
        for one in (d for d in pairs if d.classifier == classifier):  # accuracy comes first
            cells = rows.setdefault((f"{one.one} − {one.other}", names[one.task]), [])
            cells += [one.found.estimate, p(one.p), p(one.p_holm)]
        columns = ("models", "probe", *(name for m in MEASURES for name in (f"difference of {m}", "p", "p (Holm)")))
        made.table(
            columns, [(*name, *cells) for name, cells in rows.items()], f"{CLASSIFIERS[classifier]}: models compared"
        )


def _shortcuts(made: Page, of: Study, found: Sequence[Found]) -> None:
    made.heading(
        "What comes with the label",
        "How well each fact by itself tells the label, on patients it was not learned from: with a high figure here, a "
        "probe may have read the fact and not the finding. For those, the probes' AUROC among films that are alike in "
        "it. Only facts surely above 0.6 are shown.",
    )
    named = [one for one in of.shortcuts if one.named]
    if not named:
        made.text("No fact known of these films tells any of the labels with an AUROC surely above 0.6.")
        return
    rows: list[tuple[Any, ...]] = [
        (
            one.task.name, one.fact, one.values, one.alone.estimate,
            *(m.probed[one.task.key].figures["logistic"][AUROC].mean for m in found),
            *(m.within[one.task.key, one.fact].estimate for m in found),
        )
        for one in named
    ]  # fmt: skip
    names = [m.spec.name for m in found]
    columns = ("probe", "fact", "values", "AUROC of the fact", *names, *(f"{name}, among like films" for name in names))
    made.table(columns, rows)


def _curves(made: Page, of: Study, found: Sequence[Found]) -> None:
    made.heading(
        "Learning curves",
        "AUROC of logistic regression by films learned from, half of them with the finding, asked about the same "
        "films. A curve that still rises says that more films would help.",
    )
    sizes = sorted({size for one in found for p_ in one.probed.values() for size in list(p_.curve)[:-1]})
    rows: list[tuple[Any, ...]] = [
        (task.name, one.spec.name, *(_at(one.probed[task.key].curve, n) for n in sizes), _last(one.probed[task.key]))
        for task in of.tasks
        for one in found
    ]
    made.table(("probe", "model", *(f"{size:,}" for size in sizes), "all"), rows)
    for task in of.tasks[:MOST_PLOTS]:
        lines = []
        for one in found:
            curve = one.probed[task.key].curve
            each = [by[AUROC].estimate for by in curve.values()]
            ends = [[getattr(e, end) for e in each] for end in ("value", "low", "high")]
            lines.append(Line(one.spec.name, list(curve), ends[0], ends[1], ends[2], dots=True))
        made.plot(figure.lines(lines, "films learned from", "AUROC", log_x=True), task.name)
    if len(of.tasks) > MOST_PLOTS:
        made.text(f"Drawn are the first {MOST_PLOTS}; figures.parquet has every curve.")


def _external(made: Page, found: Sequence[Found]) -> None:
    made.heading(
        "Asked about another dataset",
        "Learned from all films of one dataset, asked about those of another, beside a probe of the other's own: the "
        "difference is what did not travel.",
    )
    rows = [
        (
            label.replace("_", " "), home, away, one.spec.name, by[ACCURACY].estimate, by[AUROC].estimate,
            one.probed[away, label].figures["logistic"][AUROC].mean, less[AUROC].estimate,
        )
        for one in found for (label, home, away), (by, less) in one.external.items()
    ]  # fmt: skip
    if not rows:
        made.text("No label could be measured in two datasets, so there is no external test.")
        return
    columns = ("label", "learned on", "asked on", "model", "accuracy", "AUROC", "AUROC at home", "difference")
    made.table(columns, rows)


def _trust(made: Page, of: Study, found: Sequence[Found], asked: ProbeAsked) -> None:
    made.heading(
        "Are promises kept?",
        "Brier: mean squared error of P(present), 0.25 for always saying one half. ECE: mean distance of promise and "
        "outcome over ten bins of equally many films. Lower is better. Where the finding is rarer than one in two, "
        "promises must be moved by its share before use.",
    )
    rows = [
        (task.name, one.spec.name, *(cell for c in asked.classifiers for cell in one.trust[task.key, c].values()))
        for task in of.tasks
        for one in found
    ]
    made.table(("probe", "model", *(f"{e}, {c}" for c in asked.classifiers for e in ("Brier", "ECE"))), rows)
    for classifier in asked.classifiers:
        lines = []
        for one in found:
            bins = one.bins[classifier]
            seen = [[getattr(b.seen, end) for b in bins] for end in ("value", "low", "high")]
            lines.append(Line(one.spec.name, [b.promised for b in bins], seen[0], seen[1], seen[2], dots=True))
        made.plot(
            figure.lines(lines, "promised", "came true", unit=True, diagonal=True),
            f"Reliability of {CLASSIFIERS[classifier]}, all probes together. On the dashed line, promises are kept.",
        )


def _groups(made: Page, of: Study, found: Sequence[Found]) -> None:
    made.heading(
        "Subgroups",
        "AUROC among a group's films less that among all others', the mean over the findings where both have ten films "
        "of each side; p by the spread of draws of patients, corrected after Holm for all groups and models. A gap may "
        "be the people's, their films' or their labels'; near an AUROC of 1 its p means little.",
    )
    rows, tests = list[tuple[Any, ...]](), dict[tuple[str, str], float]()
    averaged = {task.key for task in apart(of.tasks)}
    for one in found:
        for name in dict.fromkeys(gap.group for gap in one.gaps if gap.task in averaged):
            mine = [gap for gap in one.gaps if gap.group == name and gap.task in averaged]
            less = together([gap.gap for gap in mine])
            people = len(np.unique(np.concatenate([gap.people for gap in mine])))
            tests[one.spec.name, name] = wald(less)
            inside = together([gap.inside for gap in mine]).estimate
            rows.append((name, one.spec.name, len(mine), people, inside, less.estimate, (one.spec.name, name)))
    if not rows:
        made.text("No group has enough films of both sides.")
        return
    corrected = holm(tests)
    columns = ("group", "model", "findings", "patients", "AUROC within", "less that of others", "p (Holm)")
    made.table(columns, [(*row[:-1], p(corrected[row[-1]])) for row in sorted(rows, key=lambda row: row[0])])
    names = {task.key: task.name for task in of.tasks}
    every = [(wald(gap.gap), one.spec.name, gap) for one in found for gap in one.gaps]
    single = sorted((one for one in every if np.isfinite(one[0])), key=lambda one: one[0])[:MOST_ROWS]
    made.table(
        ("group", "finding", "model", "films", "patients", "AUROC within", "less that of others", "p, uncorrected"),
        [
            (gap.group, names[gap.task], name, gap.films, len(gap.people),
             gap.inside.estimate, gap.gap.estimate, p(chance))
            for chance, name, gap in single
        ],
        title=f"The {len(single)} clearest gaps of single findings, out of {len(every)}",
    )  # fmt: skip


def _robust(made: Page, one: Found) -> None:
    made.heading(f"Augmented films: {one.spec.name}")
    if not one.robust or one.likeness is None:
        made.text(f"Not made: {one.not_augmented or 'not asked for'}.")
        return
    averaged = {task.key for task in apart([probed.task for probed in one.probed.values()])}
    tries = [tried for tried in one.robust if tried.task in averaged] or one.robust
    like = one.likeness[np.isfinite(one.likeness)]
    made.text(
        f"Made of the pictures the archive keeps (at most 512 pixels), not of the films' files: {len(like):,} of "
        f"{len(one.likeness):,} films. The vector of the kept picture and the stored one have a cosine of "
        f"{np.median(like):.3f} in the middle, {np.percentile(like, 5):.3f} at the 5th percentile. Bright × {BRIGHT}, "
        f"dark × {DARK}, contrast × {CONTRAST} about the mean, rotated by {ANGLE}° with black corners: the study does "
        "not tell its strengths. All variants of a film are in its fold. Means over all probes; the drop is against "
        "originals, with its interval by patients."
    )
    for learned, about in ((ORIGINAL, "learned from originals only"), (EVERY, "learned from all variants")):
        rows = []
        for variant in (*VARIANTS, EVERY):
            cells = list[Any]()
            for measure in MEASURES:
                mine = [tried.figures[learned, variant][measure] for tried in tries]
                base = [tried.figures[learned, ORIGINAL][measure] for tried in tries]
                mean, half = average([m.mean for m in mine], [m.half for m in mine])
                less = together([m.less(b) for m, b in zip(mine, base, strict=True)]).estimate
                cells += [study(mean, half), None if variant == ORIGINAL else less]
            rows.append((variant, *cells))
        columns = ("asked on", ACCURACY, "difference", AUROC, "difference")
        made.table(columns, rows, title=f"{one.spec.name}: {about}")


def _drawn(made: Page, of: Study) -> None:
    made.heading(
        "What was drawn",
        "Patient by patient: a second film of a patient only when each has given one. Uncertain and unknown are on "
        "neither side. Folds keep patients together (StratifiedGroupKFold); penalties and when to stop are chosen on "
        "patients left out within what is learned from.",
    )
    known = cautions.by_row(of.rows, of.records)
    rows = []
    for task in of.tasks:
        who, implicit = cautions.sources(task, [known[row] for row in task.rows.tolist()])
        rows.append((task.name, task.absent, task.present, task.each, task.patients, f"{implicit:.0%}", who))
    columns = ("probe", "absent there", "present there", "drawn a side", "patients", "absent by convention", "said by")
    made.table(columns, rows)
    if of.refused:
        made.table(
            ("label", "dataset", "absent", "present", "why not"),
            [(r.label.replace("_", " "), r.dataset, r.absent, r.present, r.reason) for r in of.refused],
            title="Not measured",
        )


def p(value: float) -> str | None:
    """As it is read."""
    return None if not np.isfinite(value) else f"{value:.1e}" if value < 0.001 else f"{value:.3f}"


def _at(curve: dict[int, Any], size: int) -> Any:
    return curve[size][AUROC].mean if size in list(curve)[:-1] else None


def _last(probed: Any) -> float:
    return float(probed.figures["logistic"][AUROC].mean)
