"""``hilum cohort``: films chosen by a specification, and what becomes of them."""

from __future__ import annotations

import typer

from services.app.commands.cohort import build, export, look

app = typer.Typer(no_args_is_help=True, help="Cohorts by a specification: build, look, export.", rich_markup_mode=None)
app.command("build")(build.build)
app.command("preview")(build.preview)
app.command("list")(look.list_cohorts)
app.command("show")(look.show)
app.command("rerun")(build.rerun)
app.command("diff")(look.diff)
app.command("delete")(look.delete)
app.command("export")(export.export)
