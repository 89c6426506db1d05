"""``hilum ingest --reconcile``: a source held against the dataset that came from it."""

from __future__ import annotations

from typing import Any

from hilum.v1 import jobs_pb2
from services.app import local, output
from services.core.dicomweb import is_address

_SHOWN = 200  # rows for a person; --json has all
_MEANING = {
    "gone": "stored, but its file is not there",
    "not_stored": "a file that is no stored film: new, or refused",
    "vector_without_facts": "in the engine alone",
    "facts_without_vector": "the engine lacks its vector",
    "no_thumbnail": "its picture is not stored",
}


def reconcile(source: str, dataset: str, data: str | None, apply: bool, json: bool, **plan: Any) -> None:
    """Tell differences; file names are put to their references here, where the folder and the secret are."""
    from services.core.ids import load_secret
    from services.ingest.sources.refs import resolve_refs

    with output.errors(), local.client(data) as client:
        with output.progress(f"reconcile {dataset}") as bar:

            def seen(progress: jobs_pb2.JobProgress) -> None:
                bar(progress.done, progress.total, progress.stage)

            found = client.reconcile(source, dataset, apply=apply, seen=seen, **plan)
        secret = load_secret(local.settings(data).data_dir)
        named = {d.ref for d in found.differences if d.ref and not is_address(source)}
        files = resolve_refs(source, secret, named) if named else {}
        rows = [
            {"difference": d.kind, "file": files.get(d.ref, d.ref), "image_id": d.image_id, "model": d.model}
            for d in found.differences
        ]
        restored = output.follow(client.job(found.job_id), "restoring").state if found.job_id else ""
    if json:
        output.emit({
            "counts": found.counts, "removed": found.removed, "restoring": found.job_id, "state": restored,
            "differences": rows,
        })  # fmt: skip
        return
    if rows:
        columns = ("difference", "file", "image_id", "model")
        output.table("", columns, [[row[name] for name in columns] for row in rows[:_SHOWN]])
        if len(rows) > _SHOWN:
            output.out.print(f"… and {len(rows) - _SHOWN} more: --json has all")
    for kind, count in found.counts.items():
        output.out.print(f"{count} {kind}" + (f": {_MEANING[kind]}" if kind in _MEANING else ""))
    if apply:
        output.out.print(f"{found.removed} films removed" + (f"; restoring {restored}" if restored else ""))
    elif any(found.counts.get(kind) for kind in ("gone", "vector_without_facts", "facts_without_vector")):
        output.out.print("nothing was changed; --apply removes what is gone and restores what lacks")
