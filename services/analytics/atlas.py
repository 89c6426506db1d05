"""Embedding Atlas over a run's snapshots (`snapshot`): live from the run's folder, or as a folder of its own.

The front end is the static files inside the `embedding-atlas` package, found without importing it. It runs in ``wasm``
mode only: the browser holds the whole table and asks nobody; the package's server mode answers any SQL.
"""

from __future__ import annotations

import hashlib
import html
import importlib.util
import json
import re
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from services.analytics import manifest
from services.analytics.thumbnails import PICTURES
from services.core.errors import ErrorCode, HilumError

NOTE = "Research use only. Not a medical device; not for diagnosis."
_HEAD, _APP = "<title>Embedding Atlas</title>", '<div id="app"'
_STYLE = """<style>
  #app { position: fixed; inset: 36px 0 0 0; transform: translateZ(0); }
  .hilum { position: fixed; inset: 0 0 auto 0; height: 36px; box-sizing: border-box; padding: 0 12px; display: flex;
    gap: 1em; align-items: center; font: 13px/1 system-ui, sans-serif; white-space: nowrap; overflow: hidden;
    background: #12303a; color: #e8f1f2; }
  .hilum b { font-weight: 600; } .hilum > span { color: #f3c969; margin-left: auto; }
  .hilum > div { display: flex; gap: .5em; align-items: center; min-width: 0; }
  .hilum output { overflow: hidden; text-overflow: ellipsis; line-height: 1.4; }
  .hilum input, .hilum button { font: inherit; height: 24px; box-sizing: border-box; padding: 0 .6em; color: #12303a;
    border: 1px solid #7fa3a8; border-radius: 3px; background: #e8f1f2; }
  .hilum button { cursor: pointer; } .hilum button:disabled { cursor: default; opacity: .45; }
  @media (max-width: 1300px) {
    #app { inset: 66px 0 0 0; }
    .hilum { height: 66px; flex-wrap: wrap; align-content: space-around; gap: 0 1em; }
    .hilum > div { order: 1; flex-basis: 100%; }
  }
  @media (max-width: 720px) { .hilum > div { overflow-x: auto; } .hilum input { width: 8em; } }
</style>"""
# The component that the front end consists of tells of its selection whom its page passes; this page passes nobody.
_SEAM = re.compile(r"onPredicateChange:([\w$]+)\.onPredicateChange")
_TOLD = (
    r"onPredicateChange:\1.onPredicateChange??(predicate=>dispatchEvent(new CustomEvent("
    r'"hilum-selection",{detail:{predicate,coordinator:\1.coordinator}})))'
)
_MAIN = re.compile(r'src="\./assets/(index-[\w-]+\.js)"')
_VERSION = hashlib.sha256(_TOLD.encode()).hexdigest()[:8]  # or a browser takes the script that it kept unchanged
SCRIPTS = {name: Path(__file__).with_name(name) for name in ("selection.js", "atlas_selection.js")}


def about(snapshot: Path) -> str:
    """What a page must say of the pictures in it; empty where every film has one."""
    told = json.loads((snapshot / "metadata.json").read_text()).get("hilum")
    if not told or told["pictures"] == told["films"]:
        return ""
    return (
        f"Pictures of {told['pictures']:,} of {told['films']:,} films, {told['pixels']} pixels, to stay below"
        f" {PICTURES >> 20} MB"
    )


def frontend() -> Path:
    """The package's static files. Raises FAILED_PRECONDITION when it is not installed."""
    found = importlib.util.find_spec("embedding_atlas")
    for place in (found.submodule_search_locations or []) if found else []:
        static = Path(place) / "static"
        if (static / "index.html").is_file():
            return static.resolve()
    raise HilumError(
        ErrorCode.FAILED_PRECONDITION, "the atlas needs the package embedding-atlas: pip install 'hilum[analytics]'"
    )


def index_page(model: str, run_id: str, said: str = "", live: bool = True) -> str:
    """The front end's page under Hilum's name, with the note that it is for research, and with what becomes of a
    selection. said: of its pictures (`about`).  live: a service is behind it, which keeps sets."""
    page = (frontend() / "index.html").read_text()
    what = f"{html.escape(model)} · run {html.escape(run_id[:8])}"
    title = html.escape(f"Selected on the map of {model}, run {run_id[:8]}")
    selection = f'<div id="hilum-selection" data-about="{title}" data-live="{int(live)}"></div>'
    told = f"<small>{html.escape(said)}</small>" if said else ""
    bar = f'<div class="hilum"><b>Hilum atlas</b>{what}{told}{selection}<span>{NOTE}</span></div>\n'
    icon = '<link rel="icon" href="data:,">'  # or the browser asks the server's root for one
    page = page.replace(_HEAD, f"<title>Hilum atlas · {what}</title>{icon}{_STYLE}", 1)
    page = _MAIN.sub(rf'src="./assets/\1?{_VERSION}"', page, count=1)
    scripts = "".join(f'<script defer src="./assets/{name}"></script>' for name in SCRIPTS)
    return page.replace("</head>", f"{scripts}</head>", 1).replace(_APP, bar + _APP, 1)


@cache
def main_script() -> tuple[str, bytes]:
    """Name and text of the front end's own script, changed in one place so that the page hears of its selection.
    Raises FAILED_PRECONDITION for a version of the package that has no such place."""
    found = _MAIN.search((frontend() / "index.html").read_text())
    if found:
        text, changed = _SEAM.subn(_TOLD, (frontend() / "assets" / found[1]).read_text())
        if changed == 1:
            return found[1], text.encode()
    raise HilumError(
        ErrorCode.FAILED_PRECONDITION, "this version of embedding-atlas is not known: pip install 'hilum[analytics]'"
    )


def export_static(runs: Path, run_id: str, out: Path) -> Path:
    """A folder that any static web server can serve, without a network: front end, DuckDB for the browser, data.

    `runs` is where finished runs lie. ``out/index.html`` leads to the atlas of each model and to the report.
    Raises NOT_FOUND, and ALREADY_EXISTS when `out` holds something.
    """
    run = manifest.folder(runs, run_id)
    if out.exists() and any(out.iterdir()):
        raise HilumError(ErrorCode.ALREADY_EXISTS, "the folder to export into is not empty; name a new one")
    shutil.copytree(frontend() / "assets", out / "assets", dirs_exist_ok=True)
    name, script = main_script()
    (out / "assets" / name).write_bytes(script)
    for path in SCRIPTS.values():
        shutil.copy(path, out / "assets" / path.name)
    for model in models(run):
        shutil.copytree(run / "atlas" / model, out / model / "data")
        shutil.copytree(frontend() / "duckdb-wasm", out / model / "duckdb-wasm")  # looked for beside the page
        page = index_page(model, run.name, about(run / "atlas" / model), live=False)
        page = page.replace('"./assets/', '"../assets/')
        (out / model / "index.html").write_text(page)
    shutil.copy(run / "report.html", out / "report.html")
    (out / "index.html").write_text(contents_page(run.name, models(run), "report.html"))
    return out


def contents_page(run_id: str, names: Sequence[str], report: str, linked: str = "") -> str:
    """Where a run's atlases are: one for each model, its report, and its linked maps where it has some."""
    more = f' · <a href="{linked}">All maps, linked</a>' if linked else ""
    rows = "".join(f'<li><a href="{html.escape(name)}/">{html.escape(name)}</a></li>' for name in names)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Hilum atlas</title>'
        '<link rel="icon" href="data:,">'
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:3rem auto;padding:0 1rem;color:#12303a}"
        "a{color:#0b6e75}small{color:#6b5a1e}</style></head><body>"
        f"<h1>Atlas of run {html.escape(run_id[:8])}</h1><p>The same films in each model's space:</p><ul>{rows}</ul>"
        f'<p><a href="{report}">Report of this run</a>{more}</p><small>{NOTE}</small></body></html>'
    )


def models(run: Path) -> list[str]:
    """The models a finished run has an atlas of."""
    return sorted(path.parent.name for path in run.glob("atlas/*/metadata.json"))


def atlas_of(run: Path, model: str) -> Path:
    """The snapshot of one model. Raises NOT_FOUND."""
    if model not in models(run):
        raise HilumError(ErrorCode.NOT_FOUND, "this run has no such model; its atlas page lists those it has")
    return run / "atlas" / model
