"""``hilum teach``: teaching files."""

from __future__ import annotations

import typer

from services.app.commands import teach_export
from services.app.commands.teach import files, making, quizzes

app = typer.Typer(
    no_args_is_help=True, help="Teaching files: assembled, edited, published, tried as unknowns.", rich_markup_mode=None
)
app.command("assemble")(making.assemble)
app.command("new")(making.new)
app.command("import")(making.import_file)
app.command("export")(teach_export.export)
app.command("list")(files.list_files)
app.command("show")(files.show)
app.command("edit")(files.edit)
app.command("review")(files.review)
app.command("publish")(files.publish)
app.command("withdraw")(files.withdraw)
app.command("share")(files.share)
app.command("versions")(files.versions)
app.command("restore")(files.restore)
app.command("delete")(files.delete)
app.command("quiz")(quizzes.quiz)
app.command("quiz-results")(quizzes.results)

__all__ = ["app"]
