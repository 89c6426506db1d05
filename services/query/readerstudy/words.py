"""What figures mean, and what they do not, in plain words."""

from __future__ import annotations

import math

from services.core.facts.reader_studies import OPEN, Study
from services.query.readerstudy.agreement import Figure
from services.query.readerstudy.design import Against, Design
from services.query.readerstudy.results import Judged, Results

FEW_READERS, FEW_SETS = 3, 20
# Landis & Koch 1977, table on p. 165: names, not facts.
_WORDS = ((0.0, "slight"), (0.2, "fair"), (0.4, "moderate"), (0.6, "substantial"), (0.8, "almost perfect"))


def strength(kappa: float) -> str:
    """What Landis and Koch call a kappa."""
    return next((word for least, word in reversed(_WORDS) if kappa >= least), "none beyond chance")


def said(found: Results, answers: Judged) -> list[str]:
    """The figures, each as a sentence."""
    if not found.sets:
        return ["Nobody has answered yet."]
    told = [
        f"{_whose(answers)} and the model agree on {_percent(found.consensus)} of the films chosen; "
        f"whoever chooses blindly agrees on {100 * found.chance:.0f} %. {_beyond_chance(found)}"
    ]
    if found.most - found.least > 1e-9:
        told.append(
            "Some films tie for the last places of the consensus, and each counts for its share: decided one way "
            f"or the other, agreement would lie between {100 * found.least:.0f} and {100 * found.most:.0f} %."
        )
    if math.isfinite(found.fleiss.value):
        told.append(
            f"Readers agree with each other on {_percent(found.between)} of the films chosen; Fleiss' kappa is "
            f"{_number(found.fleiss)}: {strength(found.fleiss.value)}, as Landis and Koch call it."
        )
        told.append(_compared(found))
    again = [one for one in found.each if one.repeats]
    if again:
        told.append(
            "Given the same set again, "
            + ", ".join(f"{one.name} repeats {_percent(one.itself)}" for one in again)
            + ": nobody can be expected to agree with another more than with themselves."
        )
    if found.depths:
        at = next(one for one in found.depths if one.k == answers.design.nearest)
        told.append(
            f"By the readers' grades the model's order has an nDCG@{at.k} of {_number(at.ndcg)}; a random order of the "
            f"same films has {at.chance:.2f}."
        )
    return told


def caveats(found: Results, answers: Judged, study: Study, withdrawn: int) -> list[str]:
    """What to keep in mind."""
    design, told = answers.design, []
    if study.state == OPEN:
        told.append("The study is open: these figures may change.")
    if not found.sets:
        return told
    if withdrawn:
        told.append(f"{withdrawn} sets are left out: a film of theirs was withdrawn.")
    told.append(
        "Intervals say what other sets of the same kind might have given, with the same readers. They say nothing of "
        "other readers" + (f", and {len(answers.readers)} are few." if len(answers.readers) < FEW_READERS else ".")
    )
    if len(answers.readers) == 1:
        told.append("One reader is no consensus: all that is said of it is said of that reader.")
    if any(one.sets < found.sets for one in found.each):
        told.append("Readers answered different sets: each figure is of those that it can be told of.")
    if found.sets < FEW_SETS:
        told.append(f"{found.sets} sets are few: intervals are then narrower than they should be.")
    if found.groups:
        told.append("Strata and findings have few sets each, and of many rows some stand out by chance alone.")
    if found.enough > found.sets:
        told.append(f"About {found.enough} sets would bring the interval of the consensus to ± 5 points.")
    told.append(_against(design))
    told.append(
        "Kappa falls when nearly all sets are easy or nearly all are hard, whatever the readers do: read it beside the "
        "agreement itself."
    )
    if found.depths:
        told.append("nDCG is over the films that were shown, in which the model's furthest or random ones are many.")
    if not any(one.repeats for one in found.each):
        told.append("No set came twice, so nobody knows how much readers agree with themselves.")
    told.append("Readers saw pictures of up to 512 pixels with window and zoom, not the films themselves.")
    return told


def _against(design: Design) -> str:
    if design.against is Against.FURTHEST:
        return (
            "The model's nearest films stood beside its furthest, which is easy: agreement on this says little of how "
            "well it tells films apart that are nearly alike. Sets against random films are harder."
        )
    return "The model's nearest films stood beside random ones, some of which may be as much alike."


def _whose(answers: Judged) -> str:
    return "The reader" if len(answers.readers) == 1 else f"The consensus of {len(answers.readers)} readers"


def _beyond_chance(found: Results) -> str:
    if not math.isfinite(found.consensus.low):
        return "There are too few sets for an interval."
    if found.consensus.low > found.chance:
        return f"That is more than chance; Cohen's kappa is {_number(found.consensus_kappa)}."
    if found.consensus.high < found.chance:
        return f"That is less than chance; Cohen's kappa is {_number(found.consensus_kappa)}."
    return "That cannot be told from chance."


def _compared(found: Results) -> str:
    with_model, beyond = _percent(found.readers), found.beyond
    if not math.isfinite(beyond.low):
        return f"A reader agrees with the model on {with_model}."
    if beyond.low > 0:
        return f"A reader agrees with the model on {with_model}: more than with another reader."
    if beyond.high < 0:
        return f"A reader agrees with the model on {with_model}: less than with another reader."
    return f"A reader agrees with the model on {with_model}: no more and no less than with another reader, as far as these sets tell."  # noqa: E501


def _percent(figure: Figure) -> str:
    if not math.isfinite(figure.value):
        return "–"
    if not math.isfinite(figure.low):
        return f"{100 * figure.value:.0f} %"
    return f"{100 * figure.value:.0f} % (95 % interval {100 * figure.low:.0f} to {100 * figure.high:.0f})"


def _number(figure: Figure) -> str:
    if not math.isfinite(figure.value):
        return "–"
    return f"{figure.value:.2f}" + (f" [{figure.low:.2f}, {figure.high:.2f}]" if math.isfinite(figure.low) else "")
