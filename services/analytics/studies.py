"""Three tables side by side, from runs that are there: how well findings are read (`probe`), how good answers are
(`retrieval`), how classes lie (`structure`). Nothing is measured here; each table is in the form in which such studies
are printed, and says of which films it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.analytics.estimate import Estimate
from services.analytics.page import Cell, Page
from services.analytics.probe.scores import MEASURES as PROBED
from services.analytics.probe.scores import average, study
from services.core.errors import invalid

KINDS = ("probe", "retrieval", "structure")
FEW = 100  # films a side
RANDOM = "random films"  # as runs of retrieval name it
ABOUT = (
    "Models side by side in three ways: can a simple classifier read a finding from vectors, are a film's nearest "
    "films like it, and do films of one class lie together. The figures are those of the runs named below. Each has "
    "a report of its own, with what to hold against it: read that before you use a figure."
)
_STRUCTURE = {
    "silhouette": ("silhouette", "higher"), "davies_bouldin": ("Davies–Bouldin", "lower"),
    "intra": ("distance within classes", "lower"), "inter": ("distance between classes", "higher"),
    "purity": ("neighbour purity", "higher"),
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A finished run: what is in its manifest.json and its metrics.json."""

    manifest: Mapping[str, Any]
    metrics: Mapping[str, Any]

    @property
    def kind(self) -> str:
        return str(self.manifest["kind"])

    @property
    def models(self) -> list[str]:
        return list(self.manifest["models"])


def page(runs: Sequence[Run]) -> tuple[Page, dict[str, Any]]:
    """The report and what `Page.html` wants to know. Raises INVALID_ARGUMENT for another kind of run, or two of one."""
    kinds = [run.kind for run in runs]
    if not runs or set(kinds) - set(KINDS) or len(set(kinds)) < len(kinds):
        raise invalid(f"name one run each of {', '.join(KINDS)}")
    made = Page("Three tables", ABOUT)
    _runs(made, runs)
    put = {"probe": _probe, "retrieval": _retrieval, "structure": _structure}
    for run in sorted(runs, key=lambda one: KINDS.index(one.kind)):
        put[run.kind](made, run)
    first = runs[0].manifest
    return made, {
        **first,
        "run_id": ", ".join(str(run.manifest["run_id"]) for run in runs),
        "asked": {**first["asked"], "k": None},
        "models": {name: model for run in runs for name, model in run.manifest["models"].items()},
        "sample_note": "Films and filter above are of the first run; those of each are in the first table.",
        "continued": {},
    }


def _runs(made: Page, runs: Sequence[Run]) -> None:
    made.heading("Whose figures")
    made.table(
        ("run", "kind", "made", "films", "patients", "filter", "seed", "sample"),
        [
            (m["run_id"][:8], m["kind"], m["finished_at"][:10], m["films"], m["patients"],
             m["asked"].get("filter") or "every film", str(m["asked"]["seed"]), m["sample_sha256"][:12])
            for m in (run.manifest for run in runs)
        ],
    )  # fmt: skip
    for words in cautions(runs):
        made.text(f"• {words}")


def cautions(runs: Sequence[Run]) -> list[str]:
    """What speaks against reading the tables together."""
    found = []
    if missing := [kind for kind in KINDS if kind not in {run.kind for run in runs}]:
        found.append(f"Of {' and '.join(missing)} there is no run.")
    if len({run.manifest["sample_sha256"] for run in runs}) > 1:
        found.append("The runs looked at different films: their tables are not of one study.")
    if len({frozenset(run.models) for run in runs}) > 1:
        found.append("The runs looked at different models.")
    marks: dict[str, set[str]] = {}
    for run in runs:
        for name, model in run.manifest["models"].items():
            marks.setdefault(name, set()).add(model["fingerprint"])
    if changed := [name for name, known in marks.items() if len(known) > 1]:
        found.append(f"{', '.join(changed)} changed between the runs (another fingerprint).")
    small = {
        label.replace("_", " "): each["films"] // 2
        for run in runs if run.kind == "probe"
        for by in run.metrics.values() for labels in by["probes"].values() for label, each in labels.items()
        if each["films"] < 2 * FEW
    }  # fmt: skip
    if small:
        named = ", ".join(f"{label} ({films})" for label, films in sorted(small.items(), key=lambda one: one[1])[:8])
        found.append(f"Probes of {len(small)} labels learned from fewer than {FEW} films a side: {named}.")
    if any(run.kind == "structure" for run in runs):
        found.append("Classes are of films with one finding alone: the others, mostly sicker, are in no class.")
    people = min(run.manifest["patients"] for run in runs)
    if people < 1_000:
        found.append(f"Only {people:,} patients: differences of some hundredths are within chance.")
    return found


def _probe(made: Page, run: Run) -> None:
    made.heading(
        "Findings read from vectors",
        "Mean over patient-disjoint folds ± half the 95 % interval over folds; averages as if labels were measured "
        "independently. 0.5 is chance.",
    )
    names = [name for name in run.models if name in run.metrics]
    told = {name: run.metrics[name]["probes"] for name in names}
    classifiers = [c for c in ("logistic", "mlp") if any(c in f for by in told.values() for f in _leaves(by))]
    for classifier in classifiers:
        for measure in PROBED:
            rows: list[Sequence[Cell]] = []
            for dataset in dict.fromkeys(name for by in told.values() for name in by):
                labels = dict.fromkeys(label for by in told.values() for label in by.get(dataset, {}))
                known: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
                for label in labels:
                    cells: list[Cell] = []
                    for name in names:
                        figure = told[name].get(dataset, {}).get(label, {}).get(classifier, {}).get(measure)
                        both = (_number(figure["value"]), _number(figure["half_width"])) if figure else None
                        known[name] += [both] if both else []
                        cells.append(study(*both) if both else None)
                    rows.append((dataset, label.replace("_", " "), *cells))
                if len(labels) > 1:
                    rows.append((dataset, "Average", *(_average(known[name], len(labels)) for name in names)))
            made.table(("dataset", "label", *names), rows, f"{measure}, {classifier}")


def _average(known: Sequence[tuple[float, float]], labels: int) -> str | None:
    """None where a label is not known: averages of different labels are not to be compared."""
    if len(known) < labels:
        return None
    return study(*average([mean for mean, _ in known], [half for _, half in known]))


def _leaves(by: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    return [one for labels in by.values() for one in labels.values()]


def _retrieval(made: Page, run: Run) -> None:
    names = [name for name in [*run.models, "fused"] if name in run.metrics]
    relevance = run.manifest.get("relevance", "findings")
    depths = sorted({int(m.partition("@")[2]) for m in run.metrics[names[0]]["groups"][_all(run)] if "mAP@" in m})
    middle, deepest = depths[len(depths) // 2], depths[-1]
    measures = (f"mAP@{middle}", f"nDCG@{deepest}", f"P@{depths[0]}")
    made.heading(
        "Films like a film",
        f"Relevant by {relevance}; films of a patient's own are left out. Random: a retriever of random films on the "
        f"same questions. {run.manifest.get('queries', 0):,} films of {run.manifest.get('asking_patients', 0):,} "
        "patients ask.",
    )
    by = [group for group in run.metrics[names[0]]["groups"] if group == _all(run) or group.startswith("by ")]
    retrievers = [*names, *([RANDOM] if RANDOM in run.metrics else [])]
    made.table(
        ("", "retriever", *measures),
        [
            (
                group.removeprefix("by ").replace("_", " "), name,
                *(_cell(run.metrics[name]["groups"][group], measure) for measure in measures),
            )
            for group in by
            for name in retrievers
            if group in run.metrics[name]["groups"]
        ],
    )  # fmt: skip
    made.table(
        ("retriever", "measure", "more than random", "t", "p (t-test)", "p (randomisation)"),
        [
            (name, measure, _estimate(test["difference"]), test["t"], _p(test["p_t"]), _p(test["p_permutation"]))
            for name in names
            for measure, test in run.metrics[name]["against"].get(RANDOM, {}).items()
        ],
        "Against random",
    )


def _all(run: Run) -> str:
    return next(iter(next(iter(run.metrics.values()))["groups"]))


def _structure(made: Page, run: Run) -> None:
    made.heading(
        "Classes in the space",
        "A film is of a class when it has this finding and no other. Cosine; intervals by patient.",
    )
    told = {name: run.metrics[name]["classes"] for name in run.models if run.metrics.get(name, {}).get("classes")}
    if not told:
        made.text("No two findings are present alone often enough: there are no classes.")
        return
    made.table(
        ("measure", "better", *told),
        [(*_STRUCTURE[m], *(_cell(one, m) for one in told.values())) for m in _STRUCTURE],
        "In the space",
    )
    classes = dict.fromkeys(kind for one in told.values() for kind in one["classes"])
    shown = [m for m in _STRUCTURE if any(m in of for one in told.values() for of in one["by_class"].values())]
    made.table(
        ("class", "model", *(_STRUCTURE[m][0] for m in shown)),
        [
            (kind.replace("_", " "), name, *(_cell(one["by_class"][kind], m) for m in shown))
            for kind in classes
            for name, one in told.items()
            if kind in one["by_class"]
        ],
        "By class",
    )


def _cell(figures: Mapping[str, Any], measure: str) -> Estimate | None:
    return _estimate(figures[measure]) if measure in figures else None


def _estimate(figure: Mapping[str, Any]) -> Estimate:
    return Estimate(*(_number(figure[name]) for name in ("value", "low", "high")))


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _p(value: float | None) -> str | None:
    return None if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"
