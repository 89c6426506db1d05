"""``hilum cohort export``: a cohort as files, and its original films."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from hilum.exporting import Exported
from hilum.folder import Folder
from hilum.v1 import jobs_pb2
from services.app import local, output
from services.app.commands import Data, Json, names
from services.core.errors import ErrorCode, HilumError, invalid

DICOM = "dicom"


def export(
    name: Annotated[str, typer.Argument(help="The cohort.")],
    to: Annotated[Path, typer.Option(help="A folder to write to, or a file that ends in .zip.")],
    formats: Annotated[
        str,
        typer.Option(
            "--format",
            help="csv, parquet, ids, tables, omop, methods, croissant, jpg (kept pictures, 512 px), dicom (originals, "
            "with --source); comma-separated. Default: csv, parquet, tables, methods, croissant.",
        ),
    ] = "",
    source: Annotated[
        Path | None, typer.Option(help="With dicom: a folder on this machine that holds the original films.")
    ] = None,
    right: Annotated[
        str,
        typer.Option(help="By which right films are handed on where their licences do not say it, in your words."),
    ] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Write a frozen cohort: tables, OMOP, Croissant, a methods paragraph, pictures. Interrupted, the same command goes
    on where this stopped."""
    asked = names(formats)
    with output.errors():
        if (DICOM in asked) != (source is not None):
            raise invalid("originals need both: --format dicom and --source FOLDER, where they lie")
        rest = [one for one in asked if one != DICOM] or (["parquet"] if asked else [])
        if source is not None and "parquet" not in rest:
            rest.append("parquet")
        missing: dict[str, int] = {}
        with local.client(data) as client, output.progress(f"export {name}") as seen:

            def told(progress: jobs_pb2.JobProgress) -> None:
                eta = progress.eta_seconds if progress.HasField("eta_seconds") else None
                seen(progress.done, progress.total, eta=eta)

            if source is None:
                done = client.export_cohort(name, to, rest, right=right, seen=told)
            else:
                with _originals(source, data, right, seen, missing) as more:
                    done = client.export_cohort(name, to, rest, right=right, seen=told, more=more)
    _say(done, missing, json)


@contextmanager
def _originals(
    source: Path, data: str | None, right: str, seen: Callable[..., None], missing: dict[str, int]
) -> Iterator[Callable[[Folder], None]]:
    """What puts originals into the folder. missing: told why originals are not there → films."""
    import pyarrow.parquet as pq

    from services.analytics.cohort.export.handing_on import reason
    from services.app.originals import Originals, wanted
    from services.core.ids import load_secret
    from services.ingest.decode_pool import DecodePool

    settings = local.settings(data)
    if not (settings.data_dir / "secret").is_file():
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            "originals get the pseudonyms of the archive, whose key is in its data folder: give the command there, or "
            "name the folder by --data",
        )
    secret, pool = load_secret(settings.data_dir), DecodePool(settings.decode_workers)

    def more(folder: Folder) -> None:
        table = pq.read_table(folder.home / "films.parquet")
        films = list(wanted(table.to_pylist(), lambda licence, written: reason(licence, written, right)))
        originals = Originals(films, source, secret, pool, seen)
        originals.into(folder)
        missing.update(originals.missing)

    try:
        yield more
    finally:
        pool.close()


def _say(done: Exported, missing: dict[str, int], json: bool) -> None:
    if json:
        output.emit({
            "to": str(done.to), "written": done.written, "kept": done.kept, "left_out": done.left_out,
            "gone": done.gone, "missing": missing,
        })  # fmt: skip
        return
    output.out.print(f"{done.written} files written, {done.kept} were there already: {done.to}")
    for what, reasons in (("pictures", done.left_out), ("originals", missing)):
        for why, films in reasons.items():
            output.err.print(f"note: {what} left out, {why}: {films:,} films")
    if done.gone:
        output.err.print(f"note: {done.gone:,} films of the cohort have left the archive since it was frozen")
    if missing or done.left_out:
        output.err.print("note: look for names in pixels before you give films away; research use only")
