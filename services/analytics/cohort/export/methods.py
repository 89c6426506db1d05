"""A paragraph for the methods section, ready to paste. No number in it but the cohort's own, as it was frozen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow.compute as pc

from services.analytics.cohort.export import words
from services.analytics.cohort.export.frozen import Frozen, Step
from services.analytics.cohort.export.part import Part, text
from services.analytics.cohort.export.table import Content

Say = Callable[[str], str]
_RULES = {"include": "to be included", "exclude": "to be excluded"}
DISCLAIMER = (
    "Findings are those that the datasets state; a finding that nobody stated is unknown, not absent. Days may have "
    "been shifted per patient by the datasets or on import. Hilum is a tool for research and no medical device; "
    "similarity between films is no diagnosis."
)


def parts(content: Content) -> Iterator[Part]:
    """METHODS.md and METHODS.txt, which say the same."""
    frozen, gone = content.frozen, content.gone
    about = "a paragraph for the methods section"
    marked = "# Methods\n\n" + "\n\n".join(paragraphs(frozen, gone, words.markdown, words.code)) + "\n"
    yield Part("METHODS.md", about, text(marked))
    yield Part("METHODS.txt", f"{about}, as plain text", text("\n\n".join(paragraphs(frozen, gone)) + "\n"))


def paragraphs(frozen: Frozen, gone: int, say: Say = words.line, code: Say = words.line) -> list[str]:
    """say, code: how a user's text is put into prose, and a filter.  gone: films that the archive has no more."""
    return [" ".join(_films(frozen, gone, say, code)), " ".join(_software(frozen, code)), DISCLAIMER]


def _films(frozen: Frozen, gone: int, say: Say, code: Say) -> Iterator[str]:
    first, *rest = frozen.steps
    title = f" ({say(frozen.title)})" if frozen.title else ""
    yield (
        f"The cohort {code(frozen.name)}{title} was selected on {frozen.created_at[:10]} with Hilum from an archive of "
        f"{first.left}, by a written specification whose steps were applied in this order."
    )
    for number, step in enumerate(rest, 1):
        yield f"({number}) {_step(step, say, code)}"
    yield f"The frozen cohort has {frozen.count}."
    yield from _match(frozen)
    yield from _target(frozen, say)
    yield from _split(frozen)
    if gone:
        yield f"{gone:,} of these films have left the archive since and are not in this export."


def _step(step: Step, say: Say, code: Say) -> str:
    rule = _RULES.get(step.kind)
    if step.name.casefold() == step.test.casefold():
        said = code(step.name) if rule else say(step.name)
    else:
        said = f"{say(step.name)} ({code(step.test)})" if step.test else say(step.name)
    told = f"{said}, {rule}" if rule else f"{_KINDS.get(step.kind, '')}{said}"
    return f"{told}: {step.removed} were removed, {step.left} remained."


_KINDS = {"cap": "Cap: ", "match": "Matching: ", "sample": "Sample: "}


def _match(frozen: Frozen) -> Iterator[str]:
    told = frozen.draws.get("match")
    if told:
        apart = [abs(line["difference_matched"]) for line in told["balance"] if line["difference_matched"] is not None]
        worst = (
            f" The largest absolute standardised mean difference after matching was {max(apart):.3f}." if apart else ""
        )
        yield (
            f"{told['matched']:,} of {told['cases']:,} cases were matched with {told['controls']:,} controls in "
            f"{told['pairs']:,} pairs ({told['how']}).{worst}"
        )


def _target(frozen: Frozen, say: Say) -> Iterator[str]:
    for name, far in (frozen.draws.get("target") or {}).get("targets", {}).items():
        yield (
            f"The Jensen-Shannon distance from the target of {say(name)} was {far['distance_before']:.3f} before the "
            f"draw and {far['distance_after']:.3f} after it."
        )


def _split(frozen: Frozen) -> Iterator[str]:
    if "split" not in frozen.films.column_names:
        return
    counted = pc.value_counts(frozen.films["split"].combine_chunks()).to_pylist()
    sides = sorted((str(one["values"]), one["counts"]) for one in counted if one["values"] is not None)
    told = ", ".join(f"{name} {films:,} films" for name, films in sides)
    audit = [one for one in (frozen.draws.get("split") or {}).get("audit", []) if one["looked"]]
    apart = [one["kind"] for one in audit if not one["groups"]]
    held = f" No two parts share any of these, as an audit found: {', '.join(apart)}." if apart else ""
    yield f"It was divided into {told}, patients whole.{held}"


def _software(frozen: Frozen, code: Say) -> Iterator[str]:
    used = "; ".join(f"{one.name}, fingerprint {code(one.fingerprint)}" for one in frozen.models)
    yield f"Encoders that had a part in the selection: {used}." if used else "No encoder had a part in the selection."
    yield f"The seed of everything drawn was {frozen.spec.get('seed', 0)}."
    yield f"The sorted image ids have the SHA-256 {code(frozen.ids_sha256)}; the run is {code(frozen.run_id)}."
    named = _versions(frozen, ("hilum", "python", "numpy", "scipy", "scikit-learn", "pyarrow"))
    if named:
        yield f"Software: {named}."


def _versions(frozen: Frozen, names: Sequence[str]) -> str:
    return ", ".join(
        f"{name} {frozen.versions[name]}" for name in names if frozen.versions.get(name, "absent") != "absent"
    )
