"""Texts of users and datasets inside documents of ours: they stay texts."""

from __future__ import annotations

import html
import re

_MARKS = re.compile(r"([\\`*_{}\[\]()#!|~])")


def line(text: str) -> str:
    """On one line, without control characters."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))


def markdown(text: str) -> str:
    """As prose of Markdown, in which it is neither markup nor HTML."""
    return _MARKS.sub(r"\\\1", html.escape(line(text), quote=False))


def code(text: str) -> str:
    """As code of Markdown: fenced by more backticks than it has in a row."""
    told = line(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", told)), default=0) + 1)
    pad = " " if told[:1] == "`" or told[-1:] == "`" else ""
    return f"{fence}{pad}{told}{pad}{fence}"
