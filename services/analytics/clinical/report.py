"""The report on films and clinical tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from services.analytics import figure
from services.analytics.clinical import survival
from services.analytics.clinical.asked import ClinicalAsked
from services.analytics.clinical.cautions import cautions
from services.analytics.clinical.spaces import FILMED, FUSED, TABLES, VECTORS
from services.analytics.clinical.survival import Effect
from services.analytics.estimate import Estimate
from services.analytics.figure import Line
from services.analytics.page import Page
from services.analytics.sample import Sample
from services.analytics.structure.stability import DOUBTFUL, ENOUGH, STABLE

if TYPE_CHECKING:
    from services.analytics.clinical.work import Look

ABOUT = (
    "What films and clinical tables say together of patients: one row for each patient, the vectors of their films "
    "reduced and put beside their clinical variables, each block with the same weight; clusters by films, by "
    "tables and by both; and what they, and each variable, have to do with the outcome. Associations, no causes; "
    "found and measured on the same patients, unless it says cross-validated."
)
SHOWN = 30  # variables alone, of the least q
PROFILED = 20
BANDS = 4  # curves with their intervals in one plot
_FILM = {
    "first": "each patient's first film", "last": "each patient's last film",
    "mean": "the mean of all of a patient's films",
}  # fmt: skip
_TICKS = 6


def write(page: Page, asked: ClinicalAsked, look: Look, films: Sample) -> None:
    """Put everything on the page."""
    _short(page, look)
    _cautions(page, asked, look)
    _patients(page, asked, look, films)
    _clusters(page, look)
    _profile(page, look)
    if look.outcome is not None:
        (_in_time if look.outcome.time is not None else _by_odds)(page, look)
        _alone(page, look)
        _gain(page, look)


def _short(page: Page, look: Look) -> None:
    page.heading("In short")
    if look.outcome is not None:
        page.text(verdict(look))
    fused = look.best(FUSED)
    page.text(
        f"By films and tables {len(look):,} patients fall into {len(fused.sizes)} clusters ({fused.method}), "
        + ("which come back when patients are drawn again." if fused.stable else "which do not come back reliably.")
    )


def _cautions(page: Page, asked: ClinicalAsked, look: Look) -> None:
    page.heading("Before you read on")
    for words in cautions(asked, look):
        page.text(f"• {words}")


def _patients(page: Page, asked: ClinicalAsked, look: Look, films: Sample) -> None:
    several = sum(len(one) > 1 for one in look.joined.films)
    page.heading(
        "Who and what",
        f"{len(look):,} patients of {len(films):,} films; {_FILM[asked.film]} stands for them"
        f"{f' ({several:,} patients have several)' if asked.film == 'mean' else ''}. Cells of films and studies are of "
        "the same films: of several the mean, or the commonest word.",
    )
    kept = ", ".join(
        f"{model}: {len(names)} components with {share:.0%} of the variance"
        for (model, share), names in zip(look.reduced.kept.items(), look.reduced.names, strict=False)
    )
    page.text(f"Vectors ({kept}). Tables: {len(look.reduced.names[-1])} columns made of {len(look.columns)} variables.")
    rows = []
    for column in look.columns:
        known = column.known
        if column.number:
            low, middle, high = np.quantile(column.values[known], (0.25, 0.5, 0.75))
            words = f"median {middle:.4g} ({low:.4g} to {high:.4g})"
        else:
            values, counts = np.unique(column.values[known].astype(str), return_counts=True)
            top = np.argsort(-counts, kind="stable")[:3]
            words = ", ".join(f"{values[n]} {counts[n] / known.sum():.0%}" for n in top)
        rows.append((column.name, column.level, int(known.sum()), f"{1 - known.mean():.1%}", words))
    page.table(("variable", "of the", "known", "missing", "values"), rows, "Clinical variables")
    if look.outcome is not None:
        _outcome(page, look)


def _outcome(page: Page, look: Look) -> None:
    outcome = look.outcome
    assert outcome is not None
    left = "; ".join(f"{count} {why}" for why, count in outcome.left_out.items()) or "none"
    words = f"Outcome {outcome.name} = {outcome.value}: {outcome.events} events among {len(outcome)} patients"
    if outcome.time is not None:
        still = outcome.time[~outcome.event]
        words += f"; follow-up of those without, median {np.median(still):g}" if len(still) else ""
    page.text(f"{words}. Left out: {left}.")


def _clusters(page: Page, look: Look) -> None:
    page.heading(
        "Clusters of patients",
        "Stability: mean Jaccard with the likest cluster when 63 % of the patients are clustered anew (bootstrap, each "
        f"once); {STABLE:g} and above is stable. As many clusters as leave {ENOUGH:.0%} of patients in stable ones and "
        f"none below {DOUBTFUL:g}, else those that come nearest. Seeds: adjusted Rand index of three, autoencoders "
        "trained anew. One cloud: p of so tight a split in two in one normal cloud of the same covariance; above 0.05 "
        "there may be no clusters at all, however stable the cut.",
    )
    page.table(
        ("space", "method", "clusters", "patients", "in stable clusters", "mean stability", "seeds", "one cloud, p"),
        [
            (one.space, one.method, len(one.sizes), ", ".join(map(str, one.sizes)), f"{one.in_stable:.0%}", one.mean,
             one.seeds, _p(look.clouds[one.space]))
            for one in look.groupings
        ],
    )  # fmt: skip
    fused = look.best(FUSED)
    page.text(
        f"Read below: in each space the steadiest, of films and tables {len(fused.sizes)} clusters by {fused.method}, "
        + ("which are stable." if fused.stable else "which are NOT stable: parts of a continuum, not groups.")
        + " No outcome was looked at to choose them."
    )


def _profile(page: Page, look: Look) -> None:
    fused = look.best(FUSED)
    page.heading(
        "What the clusters are",
        f"{fused.space}, {fused.method}: mean of a number, share of the commonest word, of the patients of whom it is "
        "known. No p: clusters were made from these very variables.",
    )
    inside = [fused.members == c for c in range(len(fused.sizes))]
    rows = []
    for column in look.columns[:PROFILED]:
        known = column.known
        if column.number:
            cells = [f"{column.values[known & one].mean():.3g}" if (known & one).any() else "–" for one in inside]
            rows.append((column.name, *cells))
        else:
            values, counts = np.unique(column.values[known].astype(str), return_counts=True)
            top = values[counts.argmax()]
            cells = [
                f"{(column.values[known & one] == top).mean():.0%}" if (known & one).any() else "–" for one in inside
            ]
            rows.append((f"{column.name} = {top}", *cells))
    page.table(("variable", *(f"cluster {c} (n = {n})" for c, n in enumerate(fused.sizes))), rows)


def _in_time(page: Page, look: Look) -> None:
    outcome = look.outcome
    assert outcome is not None
    assert outcome.time is not None
    page.heading(
        "Survival by cluster",
        "Kaplan–Meier, of four curves or fewer with 95 % intervals (log–log). Hazard ratios by Cox against the "
        "largest cluster; PH: p of its being the same at all times (scaled Schoenfeld residuals), small where it is "
        "not. q: Benjamini–Hochberg.",
    )
    for space in dict.fromkeys(one.space for one in look.groupings):
        best = look.best(space)
        parted = next(one for one in look.sorted if one.grouping is best)
        ticks = np.linspace(0, float(outcome.time.max()), _TICKS)
        curves = {
            c: survival.curve(outcome.time[parted.members == c], outcome.event[parted.members == c], list(ticks))
            for c in range(len(best.sizes)) if (parted.members == c).any()
        }  # fmt: skip
        bands = len(curves) <= BANDS
        page.plot(
            figure.lines(
                [Line(f"cluster {c}: {one.events} of {one.n}", one.times, one.alive, one.low if bands else None,
                      one.high if bands else None, steps=True)
                 for c, one in curves.items()],
                x="time", y="without event", unit=True,
            ),
            f"{best.name}: log-rank χ² {parted.chi2:.2f}, p {_p(parted.p)}, q {_p(parted.q)}.",
        )  # fmt: skip
        page.table(
            ("at risk after", *(f"{tick:.3g}" for tick in ticks), "median"),
            [
                (f"cluster {c}", *one.at_risk, f"{one.median:.4g}" if np.isfinite(one.median) else None)
                for c, one in curves.items()
            ],
            f"Number at risk: {best.name}",
        )
    _parted(page, look, "hazard ratio")


def _by_odds(page: Page, look: Look) -> None:
    page.heading(
        "Outcome by cluster",
        "Odds of each cluster against all others (Woolf's interval; Fisher's exact p where counts are small); clusters "
        "by outcome by Pearson's χ². q: Benjamini–Hochberg over all groupings.",
    )
    _parted(page, look, "odds ratio")


def _parted(page: Page, look: Look, ratio: str) -> None:
    time = ratio.startswith("hazard")
    page.table(
        ("grouping", "cluster", "patients", "events", ratio, "p", *(["PH, p"] if time else []), "all clusters: p", "q"),
        [
            (one.grouping.name if not c else "", c, n, events,
             "1, the reference" if time and not c else _ratio(effect), _p(effect.p),
             *([_p(effect.proportional)] if time else []), _p(one.p) if not c else "", _p(one.q) if not c else "")
            for one in look.sorted for c, ((n, events), effect) in enumerate(zip(one.counts, one.effects, strict=True))
        ],
        "Every grouping",
    )  # fmt: skip


def _alone(page: Page, look: Look) -> None:
    outcome = look.outcome
    assert outcome is not None
    time = outcome.time is not None
    shown = sorted(look.alone, key=lambda one: (not one.effect.known, one.q, one.name))
    page.heading(
        "Each variable alone",
        f"{'Hazard' if time else 'Odds'} ratio of each by itself: a number per standard deviation, a category's value "
        "against all others, a model's components per standard deviation; of the patients of whom it is known. q: "
        f"Benjamini–Hochberg over all {len(look.alone)}. A dash: too few events, or all on one side.",
    )
    page.table(
        ("variable", "patients", "events", "ratio", "p", "q", *(["PH, p"] if time else [])),
        [
            (one.name, one.patients, one.events, _ratio(one.effect), _p(one.effect.p), _p(one.q),
             *([_p(one.effect.proportional)] if time else []))
            for one in shown[:SHOWN]
        ],
    )  # fmt: skip
    if len(shown) > SHOWN:
        page.text(f"{len(shown) - SHOWN} more are in variables.parquet.")


def _gain(page: Page, look: Look) -> None:
    outcome = look.outcome
    assert outcome is not None
    what, model = ("Harrell's C", "Cox") if outcome.time is not None else ("AUROC", "logistic")
    page.heading(
        "What films add to tables",
        f"{what} of a penalised {model} regression, cross-validated over patients: components, scales, fills and the "
        "penalty are learned in each fold from the other patients; 0.5 is chance. Apparent: on the patients it was "
        "learned from; the difference is optimism. Gains are over the same patients and folds."
        + (
            f" How filmed: by {', '.join(look.filmed)} of the film alone, without a look at it; so much of the films' "
            "part may be of how the sick are filmed."
            if look.filmed
            else " How patients were filmed does not differ, as far as it is known."
        ),
    )
    base = next(one for one in look.gains if one.space == TABLES)
    fused = next(one for one in look.gains if one.space == FUSED)
    page.table(
        ("by", "columns", "apparent", "cross-validated", "more than tables alone", "films and tables more than this"),
        [
            (one.space, one.features, one.apparent, one.reading.estimate,
             None if one is base else one.reading.less(base.reading),
             None if one is fused else fused.reading.less(one.reading))
            for one in look.gains
        ],
    )  # fmt: skip
    page.plot(figure.intervals([(o.space, {"": o.reading.estimate}) for o in look.gains], what, at=0.5))


def verdict(look: Look) -> str:
    """Whether films add to tables, in words."""
    of = {one.space: one.reading for one in look.gains}
    more, over = of[FUSED].less(of[TABLES]), of[FUSED].less(of[VECTORS])
    gain = f"{_signed(more)} over tables alone, {_signed(over)} over films alone, on patients not learned from"
    if more.low > 0:
        words = f"Films add to tables{' and tables to films' if over.low > 0 else ''}: {gain}."
    elif of[FUSED].estimate.low <= 0.5:
        words = f"Nothing is shown: not even both together surely tell the outcome ({of[FUSED].estimate}); {gain}."
    else:
        words = f"It is not shown that films add to tables: {gain}."
    if FILMED in of and of[FILMED].estimate.low > 0.5:
        beyond = of[FUSED].less(of[FILMED])
        words += (
            f" But how patients were filmed tells it without a look ({of[FILMED].estimate}); films and tables "
            f"are {_signed(beyond)} beyond that."
        )
    return words


def as_json(look: Look) -> dict[str, Any]:
    """For metrics.json."""
    found: dict[str, Any] = {
        "patients": len(look),
        "missing": {column.name: float(1 - column.known.mean()) for column in look.columns},
        "groupings": [
            {
                "space": one.space, "method": one.method, "setting": one.setting, "sizes": one.sizes.tolist(),
                "stability": [float(j) for j in one.jaccard], "in_stable": one.in_stable, "seeds": one.seeds,
                "tried": {f"{s:g}": {"clusters": n, "in_stable": share} for s, (n, share) in one.tried.items()},
                "chosen": one is look.best(one.space),
            }
            for one in look.groupings
        ],
        "one_cloud": look.clouds,
    }  # fmt: skip
    if look.outcome is not None:
        found |= {
            "outcome": {
                "name": look.outcome.name, "patients": len(look.outcome), "events": look.outcome.events,
                "left_out": look.outcome.left_out,
            },
            "by_cluster": [
                {
                    "grouping": one.grouping.name, "chi2": _known(one.chi2), "p": _known(one.p), "q": _known(one.q),
                    "effects": [_effect(effect) for effect in one.effects], "counts": one.counts,
                }
                for one in look.sorted
            ],
            "alone": {one.name: {**_effect(one.effect), "q": _known(one.q)} for one in look.alone},
            "promises": {
                one.space: {
                    "apparent": one.apparent, **one.reading.estimate.as_json(),
                    "over_tables": one.reading.less(_tables(look)).as_json(),
                }
                for one in look.gains
            },
            "verdict": verdict(look),
        }  # fmt: skip
    return found


def _tables(look: Look) -> Any:
    return next(one.reading for one in look.gains if one.space == TABLES)


def _effect(effect: Effect) -> dict[str, float | None]:
    names = ("ratio", "low", "high", "p", "proportional")
    return {name: _known(getattr(effect, name)) for name in names}


def _known(value: float | None) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


def _ratio(effect: Effect) -> str:
    return f"{effect.ratio:.2f} ({effect.low:.2f} to {effect.high:.2f})" if effect.known else "–"


def _signed(found: Estimate) -> str:
    return f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def _p(p: float | None) -> str:
    if p is None or not np.isfinite(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
