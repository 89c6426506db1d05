"""``hilum cohort``: films chosen by a specification, and what becomes of them."""

from __future__ import annotations

import typer

from services.app.commands.cohort import export

app = typer.Typer(no_args_is_help=True, help="Cohorts by a specification: build, look, export.", rich_markup_mode=None)
app.command("export")(export.export)
