"""``hilum analyze``: one command for each kind of analysis, and what came of them."""

from __future__ import annotations

import typer

from services.app.commands.analyze import (
    again,
    align,
    calibrate,
    clinical,
    compare,
    eda,
    hubs,
    labels,
    map,
    outliers,
    probe,
    retrieval,
    runs,
    sample,
    shift,
    structure,
    studies,
)

app = typer.Typer(no_args_is_help=True, help="Analyses of an archive.", rich_markup_mode=None)
app.command("eda")(eda.eda)
app.command("sample")(sample.sample)
app.command("run")(map.run)
app.command("retrieval")(retrieval.retrieval)
app.command("probe")(probe.probe)
app.command("calibrate")(calibrate.calibrate)
app.command("hubs")(hubs.hubs)
app.command("align")(align.align)
app.command("structure")(structure.structure)
app.command("compare")(compare.compare)
app.command("outliers")(outliers.outliers)
app.command("labels")(labels.labels)
app.command("shift")(shift.shift)
app.command("clinical")(clinical.clinical)
app.command("studies")(studies.studies)
app.command("again")(again.again)
app.command("list")(runs.list_runs)
app.command("show")(runs.show_run)
app.command("report")(runs.report)
app.command("files")(runs.files)
