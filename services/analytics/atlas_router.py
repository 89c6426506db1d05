"""Runs in the browser: the atlas of each model, live from the run's folder, and the run's report.

/v1/runs/{run_id}/atlas/            the models of the run (straight to the atlas when there is one)
/v1/runs/{run_id}/atlas/{model}/…   Embedding Atlas' front end over this model's snapshot
/v1/runs/{run_id}/report            the run's report
/v1/runs/{run_id}/linked            maps of several models, linked by film
/v1/runs/{run_id}/files/{name}      a file of the run, to keep
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse

from services.analytics import atlas, manifest, seen
from services.core.access import ALL, Access
from services.core.errors import ErrorCode, HilumError
from services.core.security import confine

# Scripts, workers and WebAssembly of our own and nothing from anywhere else, neither code nor data; no eval. The front
# end styles elements directly, hence 'unsafe-inline' for styles.
CSP = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' blob:; worker-src 'self' blob:;"
    " connect-src 'self' blob: data:; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline';"
    " font-src 'self' data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
REPORT_CSP = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'; base-uri 'none'"
_HEADERS = {"content-security-policy": CSP, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}
_TYPES = {".js": "text/javascript", ".wasm": "application/wasm", ".parquet": "application/octet-stream"}
_DATA = {"data/dataset.parquet": "dataset.parquet", "data/metadata.json": "metadata.json"}


def build(data_dir: Path, access: Access = ALL) -> APIRouter:
    """A router over the finished runs below `data_dir`, as far as they may be seen."""
    router = APIRouter(include_in_schema=False)
    runs = manifest.runs_dir(data_dir)

    def folder(run_id: str) -> Path:
        return seen.folder(runs, run_id, access)

    @router.get("/v1/runs/{run_id}/report")
    def report(run_id: str) -> Response:
        page = (folder(run_id) / "report.html").read_text()
        return HTMLResponse(page, headers={**_HEADERS, "content-security-policy": REPORT_CSP})

    @router.api_route("/v1/runs/{run_id}/files/{name}", methods=["GET", "HEAD"])
    def kept(run_id: str, name: str) -> Response:
        folder(run_id)
        path = manifest.file(runs, run_id, name)
        headers = {**_HEADERS, "content-security-policy": REPORT_CSP, "cache-control": "private, max-age=3600"}
        return FileResponse(path, media_type=manifest.TYPES[path.suffix], filename=name, headers=headers)

    @router.get("/v1/runs/{run_id}/linked")
    def linked_maps(run_id: str) -> Response:
        page = manifest.file(runs, folder(run_id).name, "linked.html").read_text()
        headers = {**_HEADERS, "content-security-policy": linked_csp()}
        return HTMLResponse(page, headers=headers)

    @router.get("/v1/runs/{run_id}/atlas")
    def without_slash(run_id: str) -> Response:
        return RedirectResponse("atlas/")

    @router.get("/v1/runs/{run_id}/atlas/")
    def index(run_id: str) -> Response:
        names = atlas.models(folder(run_id))
        if len(names) == 1:
            return RedirectResponse(f"{names[0]}/")
        several = "../linked" if "linked.html" in manifest.files(runs, run_id) else ""
        page = atlas.contents_page(run_id, names, "../report", several)
        return HTMLResponse(page, headers={**_HEADERS, "content-security-policy": REPORT_CSP})

    @router.get("/v1/runs/{run_id}/atlas/{model}")
    def model_without_slash(run_id: str, model: str) -> Response:
        atlas.atlas_of(folder(run_id), model)
        return RedirectResponse(f"{model}/")

    @router.api_route("/v1/runs/{run_id}/atlas/{model}/{path:path}", methods=["GET", "HEAD"])
    def file(run_id: str, model: str, path: str, request: Request) -> Response:
        snapshot = atlas.atlas_of(folder(run_id), model)
        if path in ("", "index.html"):
            page = atlas.index_page(model, run_id, atlas.about(snapshot))
            return HTMLResponse(page, headers=_HEADERS | {"cache-control": "no-cache"})
        if path in _DATA:
            return _file(snapshot / _DATA[path], "private, max-age=3600")  # a run never changes
        if path.removeprefix("assets/") in atlas.SCRIPTS:
            return _file(atlas.SCRIPTS[path.removeprefix("assets/")], "no-cache")
        hashed = path.startswith("assets/")  # its file names change with their content
        keep = "public, max-age=31536000, immutable" if hashed else "no-cache"
        if path == f"assets/{atlas.main_script()[0]}":
            headers = _HEADERS | {"cache-control": keep}
            return Response(atlas.main_script()[1], media_type=_TYPES[".js"], headers=headers)
        return _file(_static(path), keep)

    return router


@cache
def linked_csp() -> str:
    """Lets a page of linked maps run the script that it is made with, and no other."""
    page = (Path(__file__).parent / "compare" / "linked.html").read_text()
    script = page[page.rindex("<script>") + len("<script>") : page.rindex("</script>")]
    script = script.replace("{{ selection | safe }}", atlas.SCRIPTS["selection.js"].read_text())
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )


def _static(path: str) -> Path:
    """A file of the front end. Raises NOT_FOUND for anything outside of it."""
    found = confine(atlas.frontend(), path)
    if found is None or not found.is_file():
        raise HilumError(ErrorCode.NOT_FOUND, "the atlas has no such file")
    return found


def _file(path: Path, cache: str) -> Response:
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return FileResponse(path, media_type=kind, headers=_HEADERS | {"cache-control": cache})
