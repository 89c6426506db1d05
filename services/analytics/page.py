"""The report of a run: one HTML file that needs nothing else, and its tables in words for the shell.

    page = Page("Hubs", "What crowds the neighbourhoods.")
    page.heading("By model", "How often a film is among the 15 nearest of others.")
    page.table(("model", "skewness"), [("rad-dino", Estimate(2.1, 1.9, 2.4))])
    page.plot(figure.lines([Line("rad-dino", xs, ys)], x="k", y="skewness"), "Longer tails at small k.")
    bench.finish(metrics, page)

Everything given is escaped; there is no script in a page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup, escape

from services.analytics.atlas import NOTE
from services.analytics.estimate import Estimate

Cell = Estimate | float | int | str | None


class Page:
    """title: of the report.  about: one paragraph on what it answers."""

    def __init__(self, title: str, about: str = "") -> None:
        self._title, self._about = title, about
        self._parts: list[Markup] = []
        self._heading = ""
        self.tables: list[dict[str, Any]] = []

    def heading(self, text: str, about: str = "") -> None:
        """A section, and what its figures mean."""
        self._heading = text
        self._parts.append(Markup("<h2>{}</h2>").format(text))
        if about:
            self.text(about)

    def text(self, words: str) -> None:
        """A paragraph."""
        self._parts.append(Markup("<p>{}</p>").format(words))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Cell]], title: str = "") -> None:
        """A table; the first cell of a row is its name. Estimates come with their intervals, floats with 3 decimals."""
        kept = [list(row) for row in rows]
        words = [[_words(cell) for cell in row] for row in kept]
        self.tables.append({"title": title or self._heading, "columns": list(columns), "rows": words})
        head = Markup("").join(Markup("<th>{}</th>").format(column) for column in columns)
        body = Markup("").join(
            Markup("<tr><th>{}</th>{}</tr>\n").format(
                _html(row[0]), Markup("").join(Markup("<td>{}</td>").format(_html(cell)) for cell in row[1:])
            )
            for row in kept
        )
        caption = Markup("<caption>{}</caption>").format(title) if title else Markup("")
        self._parts.append(
            Markup("<table>{}<thead><tr>{}</tr></thead><tbody>\n{}</tbody></table>").format(caption, head, body)
        )

    def plot(self, svg: Markup, caption: str = "") -> None:
        """A drawing of `services.analytics.figure`."""
        self._parts.append(Markup("<figure>{}<figcaption>{}</figcaption></figure>").format(svg, caption))

    def pictures(self, urls: Sequence[tuple[str, str]], size: int = 112) -> None:
        """A sheet of pictures: (data URL, caption) each."""
        sheet = Markup("").join(
            Markup('<figure><img alt="{}" width="{}" src="{}"><figcaption>{}</figcaption></figure>').format(
                caption, size, url, caption
            )
            for url, caption in urls
        )
        columns = f"grid-template-columns:repeat(auto-fill,{size + 16}px)"
        self._parts.append(Markup('<div class="sheet" style="{}">{}</div>').format(columns, sheet))

    def legend(self, colours: Sequence[tuple[str, str]]) -> None:
        """What colours mean: (``#rrggbb``, words) each."""
        keys = Markup("").join(
            Markup('<span><i style="background:{}"></i>{}</span>').format(paint, words) for paint, words in colours
        )
        self._parts.append(Markup('<p class="legend">{}</p>').format(keys))

    def html(self, manifest: Mapping[str, Any]) -> str:
        """The whole document. manifest: as `Bench.manifest` makes it."""
        rooms = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
        )
        asked = manifest["asked"]
        facts = [
            ("films", f"{manifest['films']:,}"), ("patients", f"{manifest['patients']:,}"),
            ("filter", asked["filter"] or "every film"), ("k", asked.get("k")), ("seed", asked["seed"]),
            ("sample", manifest["sample_sha256"][:12]), ("made", manifest["finished_at"]),
        ]  # fmt: skip
        known = [fact for fact in facts if fact[1] is not None]
        return rooms.get_template("page.html").render(
            title=self._title, about=self._about, run=manifest, note=NOTE, facts=known, parts=self._parts
        )


def _words(cell: Cell) -> str:
    """As text: what a terminal shows."""
    if cell is None or (isinstance(cell, float) and not np.isfinite(cell)):
        return "–"
    if isinstance(cell, float | np.floating):
        return f"{cell:.3f}"
    if isinstance(cell, int | np.integer) and not isinstance(cell, bool):
        return f"{int(cell):,}"
    return str(cell)


def _html(cell: Cell) -> Markup:
    if isinstance(cell, Estimate) and cell.known:
        return Markup("{:.3f} <small>{:.3f} to {:.3f}</small>").format(cell.value, cell.low, cell.high)
    return escape(_words(cell))
