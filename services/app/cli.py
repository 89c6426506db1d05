"""``hilum``: every command. Heavy imports happen inside commands, so that ``--help`` is quick."""

from __future__ import annotations

import typer

from services.app.commands import (
    analyze,
    atlas,
    classify,
    cohort,
    deidentify,
    demo,
    doctor,
    duplicates,
    embeddings,
    explain,
    forget,
    ingest,
    jobs,
    mcp,
    models,
    phantom,
    plan,
    quality,
    reports,
    search,
    serve,
    sets,
    side,
    study,
    teach,
    up,
)
from services.app.commands.search.options import Panelled
from services.app.version import VERSION

app = typer.Typer(
    name="hilum",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Embedding vector database for chest X-rays: similar cases, films by words, maps of an archive. Research use.",
    pretty_exceptions_show_locals=False,
)
app.command("up")(up.up)
app.command("serve")(serve.serve)
app.command("ingest")(ingest.ingest)
app.command("embeddings")(embeddings.embeddings)
app.command("search", cls=Panelled)(search.search)
app.add_typer(search.kept.app, name="searches")
app.command("deidentify")(deidentify.deidentify)
app.command("quality")(quality.quality)
app.command("explain")(explain.explain)
app.command("classify")(classify.classify)
app.add_typer(analyze.app, name="analyze")
app.add_typer(atlas.app, name="atlas")
app.add_typer(models.app, name="models")
app.add_typer(reports.app, name="reports")
app.add_typer(jobs.app, name="jobs")
app.add_typer(sets.app, name="sets")
app.add_typer(cohort.app, name="cohort")
app.add_typer(side.app, name="side")
app.add_typer(study.app, name="study")
app.add_typer(teach.app, name="teach")
app.command("mcp")(mcp.mcp)
app.command("duplicates")(duplicates.duplicates)
app.command("forget")(forget.forget)
app.command("doctor")(doctor.doctor)
app.command("plan")(plan.plan)
app.command("phantom")(phantom.phantom)
app.command("demo")(demo.demo)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(VERSION)


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
