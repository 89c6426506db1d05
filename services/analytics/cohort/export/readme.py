"""The README of an export: what is in it, under which terms, how to check it, and what it is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from services.analytics.cohort.export import handing_on, words
from services.analytics.cohort.export.part import Part, text
from services.analytics.cohort.export.table import Content
from services.core.licences import remark


def part(
    content: Content, made: Iterable[Part], pictures: int, left_out: Mapping[str, int], right: str, asked: Sequence[str]
) -> Part:
    """README.md. pictures: how many there are.  left_out: reason → films without one."""
    told = "\n".join(
        [*_head(content), *_files(made, pictures), *_terms(content), *_rest(asked, pictures, left_out, right)]
    )
    return Part("README.md", "this text", text(told + "\n"))


def _head(content: Content) -> list[str]:
    frozen = content.frozen
    gone = f" {content.gone:,} of the frozen films have left the archive since." if content.gone else ""
    title = [words.markdown(frozen.title), ""] if frozen.title else []
    return [
        f"# Cohort {words.code(frozen.name)}", "", *title,
        f"Frozen on {frozen.created_at[:10]} with {frozen.count}; this export has {content.count}.{gone}",
        f"SHA-256 of the sorted ids as frozen: `{frozen.ids_sha256}`. Run: `{frozen.run_id}`.", "",
        "**Research use only.** No medical device; similarity is no diagnosis. Ids of patients, studies and films are "
        "pseudonyms or the datasets' own. Pictures and vectors of chests can still identify people: treat all of this "
        "as patient data.", "",
    ]  # fmt: skip


def _files(made: Iterable[Part], pictures: int) -> list[str]:
    rows = [f"| `{one.name}` | {one.about} |" for one in made if not one.each]
    rows += [f"| `pictures/` | {pictures:,} pictures, named by image id |"] if pictures else []
    rows += ["| `SHA256SUMS` | checksums of all other files: `sha256sum -c SHA256SUMS` |"]
    return ["## Files", "", "| file | what it is |", "|---|---|", *rows, ""]


def _terms(content: Content) -> list[str]:
    rows = [
        f"| {' | '.join(map(words.markdown, (t.dataset, t.licence or 'not stated', t.attribution)))} "
        f"| {t.films:,} | {t.says.value} | {remark(t.licence)} |"
        for t in handing_on.terms(content)
    ]
    return [
        "## Licences and attributions", "",
        "Keep to them, and carry them along. Handing on is judged by the licence's name alone; no legal advice.", "",
        "| dataset | licence | attribution | films | handing on | conditions |", "|---|---|---|---|---|---|", *rows, "",
    ]  # fmt: skip


def _rest(asked: Sequence[str], pictures: int, left_out: Mapping[str, int], right: str) -> list[str]:
    told = []
    if "jpg" in asked:
        told += [
            "## Pictures", "",
            f"{pictures:,} pictures: those that the archive keeps, at most 512 pixels on the longer side, 8 bits, as "
            "the film asks to be shown; originals are larger and deeper. `pictures.csv` says which film is which.", "",
            *(f"- left out, {reason}: {films:,} films" for reason, films in sorted(left_out.items())), "",
        ]  # fmt: skip
        if right:
            told += [f"The right to hand on films, as stated by who made this export: {words.markdown(right)}", ""]
    told += [
        "## Reading the tables", "",
        "- An empty cell is unknown. `labels.<finding>`: what sources say together; those that contradict each other "
        "make it uncertain. `labels.csv` and `labels.parquet` have each statement.",
        "- In CSV, a text that a spreadsheet would run as a formula has an apostrophe before it. Parquet has texts as "
        "they are.",
        "- `cohort.<name>`: what this cohort says of a film, as its split; `split` is the dataset's own.",
        "- `bytes_sha256`, `pixel_sha256`: of the original file and its decoded pixels. Who holds the originals can "
        "tell which they are.",
    ]  # fmt: skip
    return told
