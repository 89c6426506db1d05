"""``hilum models``: which encoders there are, where they come from, and whether they are what they claim."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from services.app import local, output
from services.app.commands import Data, Json, promote, tune
from services.core.errors import ErrorCode, HilumError, invalid

app = typer.Typer(
    no_args_is_help=True, help="Encoders: what is here, what can be had, install, verify.", rich_markup_mode=None
)
app.command("tune")(tune.tune)
promote.attach(app)

Name = Annotated[str, typer.Argument(help="The encoder's name.")]
Variant = Annotated[str, typer.Option(help="A variant that the catalogue has of it.")]


@app.command("list")
def list_models(
    catalog: Annotated[bool, typer.Option("--catalog", help="Also what can be pulled or added.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Which encoders are here, what they answer, and how many films each has. Starts nothing and loads none."""
    from services.app.models import at_hand, to_get

    with output.errors():
        if os.environ.get("HILUM_URL") and not data:
            with local.client(data) as client:
                rows = [
                    {"name": m.name, "from": "server" if m.available else "archive", "dim": m.dim, "text": m.text,
                     "images": m.images, "fingerprint": m.fingerprint[:16], "collection": m.collection}
                    for m in client.models()
                ]  # fmt: skip
        else:
            rows = at_hand(local.settings(data))
        if catalog:
            rows += to_get({row["name"] for row in rows})
        if json:
            output.emit(rows)
            return
        shown = ("name", "from", "dim", "text", "images", "licence", "note")
        output.table("", shown, [[_said(row.get(column)) for column in shown] for row in rows])


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help="A name of the catalogue: `hilum models list --catalog`.")],
    variant: Variant = "default",
    revision: Annotated[str, typer.Option(help="Branch, tag or commit (default: the catalogue's).")] = "",
    accept_licence: Annotated[bool, typer.Option("--accept-licence", help="You have read and accept it.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Download without asking.")] = False,
    as_: Annotated[str, typer.Option("--as", help="Install under another name, beside another variant.")] = "",
    data: Data = None,
) -> None:
    """Fetch an encoder from its hub at one commit, check every byte, try it, and install it."""
    from services.encoders import hub, install
    from services.encoders.known import named
    from services.encoders.manifest import Manifest, Origin

    with output.errors():
        entry, target, home = named(name), as_ or name, local.settings(data).models_home
        options = entry.options(variant)
        install.refuse_taken(home, target)
        commit = hub.resolve(entry, revision)
        _present(commit, target, variant)
        _agree(accept_licence, yes, commit.size)
        origin = Origin(entry.source.repo, commit.revision)
        with install.adding(home, target) as staging, output.progress(f"pull {target}") as bar:
            files = hub.fetch(commit, staging, _megabytes(bar))
            draft = Manifest(target, entry.family, origin, entry.licence, files, variant=variant, options=options)
            output.err.print("trying it …")
            manifest, checks = install.install(home, draft, staging)
        _installed(manifest, checks)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="A name of the catalogue, or one of your own with --family.")],
    path: Annotated[Path, typer.Option(help="The folder with the checkpoint's files.")],
    family: Annotated[str, typer.Option(help="What reads it, for a model that the catalogue does not know.")] = "",
    option: Annotated[list[str] | None, typer.Option(help="A setting of the family: KEY=VALUE.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with settings of the family.")] = None,
    in_place: Annotated[bool, typer.Option("--in-place", help="Leave the files there instead of copying.")] = False,
    variant: Variant = "default",
    data: Data = None,
) -> None:
    """Install an encoder from a folder, without a network: a download, a model of your own, or one carried over from
    another Hilum's models folder."""
    from services.encoders import install
    from services.encoders.known import known

    with output.errors():
        with output.progress(f"add {name}") as bar:
            output.err.print("reading it, then trying it …")
            manifest, checks = install.add(
                local.settings(data).models_home, name, path, family, _options(option or [], config),
                known().get(name), variant, in_place, _megabytes(bar),
            )  # fmt: skip
        _installed(manifest, checks)


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Default: every encoder here.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Compare files with what was added, load, and encode: are they what they claim? Exits 1 when one is not."""
    from services.app.models import shelf
    from services.encoders.verify import Check
    from services.encoders.verify import verify as asked

    with output.errors():
        here = shelf(local.settings(data))
        unknown = set(names or ()) - here.models.keys() - here.damaged.keys()
        if unknown:
            raise HilumError(ErrorCode.UNKNOWN_MODEL, "no such encoder is installed; see `hilum models list`")
        chosen = names or [*here.models, *here.damaged]
        found = {
            name: asked(here.models[name]) if name in here.models else [Check("manifest", False, here.damaged[name])]
            for name in chosen
        }
        if json:
            output.emit({name: [vars_of(check) for check in checks] for name, checks in found.items()})
        else:
            _table(found)
        if not all(check.ok for checks in found.values() for check in checks):
            raise typer.Exit(output.FAILED)


@app.command()
def remove(name: Name, data: Data = None) -> None:
    """Forget an installed encoder and delete its files, unless they were added in place. Films keep their vectors."""
    from services.encoders.installed import remove as removed
    from services.encoders.memory import told

    with output.errors():
        freed = removed(local.settings(data).models_home, name)
        output.out.print(f"{name} is removed ({told(freed)}); films keep the vectors it has made")


def vars_of(check: Any) -> dict[str, Any]:
    """A check for machines."""
    return {"check": check.what, "ok": check.ok, "seen": check.seen}


def _present(commit: Any, target: str, variant: str) -> None:
    """What would be fetched and on what terms, before anything is."""
    from services.encoders.memory import told

    entry = commit.entry
    rows = [
        ("what", entry.summary),
        ("searches", "films by words, similar cases" if entry.text else "similar cases; it reads no words"),
        ("from", f"{entry.source.repo} at {commit.revision[:12]}"),
        ("files", f"{len(commit.files)}, {told(commit.size)}"),
        ("licence", f"{entry.licence.name}  {entry.licence.url}"),
        ("use", f"{entry.licence.use}; not a medical device"),
    ]
    if commit.gated or entry.licence.gated:
        how = entry.licence.access or f"accept the terms at https://huggingface.co/{entry.source.repo}"
        rows.append(("access", f"gated: {how}; then `hf auth login` or HF_TOKEN"))
    if entry.package:
        rows.append(("needs", f"pip install 'hilum[{entry.package}]'"))
    if commit.absent:
        rows.append(("not there", ", ".join(commit.absent)))
    if variant != "default":
        rows.append(("variant", variant))
    for what, value in rows:
        output.err.print(f"{what:<10}{value}", markup=False, soft_wrap=True)
    if target != entry.name:
        output.err.print(f"{'as':<10}{target}", markup=False)


def _agree(accepted: bool, yes: bool, size: int) -> None:
    """Raises FAILED_PRECONDITION when nobody is there to accept the licence."""
    from services.encoders.memory import told

    if not accepted:
        if not sys.stdin.isatty():
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION, "read the licence, then say --accept-licence; nothing was downloaded"
            )
        if not typer.confirm("Do you accept the licence and the use it allows?", err=True):
            output.fail("not accepted; nothing was downloaded")
    if not yes and sys.stdin.isatty() and not typer.confirm(f"Download {told(size)}?", default=True, err=True):
        output.fail("nothing was downloaded")


def _options(given: Sequence[str], config: Path | None) -> dict[str, Any]:
    """Settings of a family from a YAML file and from the command line, which wins. Raises INVALID_ARGUMENT."""
    import yaml

    options: dict[str, Any] = {}
    try:
        if config:
            options = yaml.safe_load(config.read_text(encoding="utf-8")) or {}
        for pair in given:
            key, is_pair, value = pair.partition("=")
            if not is_pair or not key:
                raise invalid("--option is KEY=VALUE")
            options[key] = yaml.safe_load(value)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError) as error:
        raise invalid("--config or --option cannot be read as YAML") from error
    if not isinstance(options, dict) or not all(isinstance(key, str) for key in options):
        raise invalid("--config is a YAML file of KEY: VALUE")
    return options


def _installed(manifest: Any, checks: Sequence[Any]) -> None:
    """Say how an encoder did, and leave with 1 when it was not installed."""
    _table({manifest.name: checks})
    if not all(check.ok for check in checks):
        output.fail(f"{manifest.name} is not installed: it is of no use as it is")
    spec = manifest.spec
    output.out.print(
        f"{spec.name} is installed: {spec.collection}, {'films and words' if spec.text_space else 'films only'}. "
        "A Hilum that runs sees it, too; from its next start it is used where nobody names a model."
    )


def _table(found: Mapping[str, Sequence[Any]]) -> None:
    rows = [(name, c.what, "ok" if c.ok else "PROBLEM", c.seen) for name, checks in found.items() for c in checks]
    output.table("", ("model", "check", "", "seen"), rows)


def _megabytes(bar: Any) -> Any:
    """Progress in megabytes, which people read, from bytes."""
    return lambda done, total: bar(done // 1_000_000, max(total // 1_000_000, 1), note="MB")


def _said(value: object) -> object:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
