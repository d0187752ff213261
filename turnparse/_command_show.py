"""The command `turnparse show`."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Final

import click

from turnparse._ascii_json import ascii_json
from turnparse._cli_parts import (
    EXIT_INCOMPLETE,
    EXIT_USAGE,
    column_options,
    dialect_of,
    dialect_option,
    from_option,
    label_option,
    limit_options,
    listed_names,
    reported,
)
from turnparse._errors import SourceError, escape
from turnparse._job import Job
from turnparse._limits import Limits
from turnparse._places import Wanted
from turnparse._show_json import as_object
from turnparse._signals import EXIT_SIGNAL, stoppable
from turnparse._views import RELATIONS, Filters, View, views

PIPED_WIDTH: Final = 100
"""Cells of a line where no terminal says how many it has."""

LESS: Final = "FRX"
"""What `less` is told, as git does: end if all fits on the screen, let colours through, and leave the screen as it is."""


@click.command()
@click.argument("sources", metavar="SOURCE[:LINE]...", nargs=-1, required=True)
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True, help="What to print."
)
@click.option(
    "--grep",
    metavar="REGEX",
    help="Only rows with this in a transcript or the metadata: an expression of RE2, which no text can keep busy for long.",
)
@click.option(
    "--code",
    "codes",
    metavar="CODE,...",
    multiple=True,
    callback=listed_names,
    help="Only rows with one of these codes.",
)
@click.option(
    "--relation",
    "relations",
    metavar="NAME,...",
    multiple=True,
    callback=listed_names,
    help=f"Only pairs of one of these: {', '.join(RELATIONS)}.",
)
@click.option(
    "--turns",
    metavar="A..B",
    help="Only rows of so many turns, as in 2, 2..6, 6.. or ..6; of a pair the longer side counts.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N of them.")
@click.option(
    "--width", type=click.IntRange(1), metavar="N", help="Cells of a line.  [default: the terminal's, or 100]"
)
@click.option("--no-pager", is_flag=True, help="Print at once, also on a terminal.")
@limit_options
@from_option
@column_options
@dialect_option
@label_option
def show(
    sources: tuple[str, ...],
    *,
    format_: str,
    grep: str | None,
    codes: list[str],
    relations: list[str],
    turns: str | None,
    limit: int | None,
    width: int | None,
    no_pager: bool,
    max_row_bytes: int,
    max_expansion: int,
    from_: str | None,
    chosen: str | None,
    rejected: str | None,
    transcript: str | None,
    dialect: str,
    labels: dict[str, list[str]],
) -> None:
    """Show rows: what both sides of a pair share once, then the two answers side by side, with the words that differ.

    A SOURCE is as for `turnparse convert`. SOURCE:LINE is the row that begins in that line, from 1, as `turnparse check`
    prints it; SOURCE#ROW the row of that number, from 0, where there are no lines. A file of that very name comes first.
    Codes stand in the margin. On a terminal it is shown in the pager that PAGER names; NO_COLOR is followed.
    What does not print is shown as an escape, and rows that cannot be read with their reason.

    \b
    Examples:
      turnparse show train.jsonl.gz
      turnparse show train.jsonl.gz:38
      turnparse show train.jsonl.gz --code empty-response,identical
      turnparse show train.jsonl.gz --relation uneven --turns 4.. --grep '(?i)tea' --limit 5
      turnparse show train.jsonl.gz:38 --format json
    """
    with reported(), stoppable():
        job = Job.of(
            to="messages", preset="faithful", policies=None, dialect=dialect_of(dialect, labels), diagnostics="all", side="chosen",
            chosen=chosen, rejected=rejected, transcript=transcript, keep_columns=False, from_=from_,
        )  # fmt: skip
        filters = Filters.of(codes, relations, turns, grep)
        failures: list[SourceError] = []
        wanted = [Wanted.of(source) for source in sources]
        found = islice(views(wanted, job, Limits.of(max_row_bytes, max_expansion), filters, failures), limit)
        pages = not no_pager and format_ == "text" and _is_terminal()
        shown = _Shown(found)
        try:
            _print(_printed(shown, format_, width), pages=pages)
        except BrokenPipeError:
            # Who has seen enough, as `head` has, is told nothing.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.exit(EXIT_INCOMPLETE)
        if not shown.count and not failures:
            click.echo("turnparse: note: no row was found that is to be shown", err=True)
    for failure in failures:
        click.echo(f"turnparse: {escape(str(failure), 600)}", err=True)
    if failures:
        sys.exit(EXIT_INCOMPLETE if shown.count else EXIT_USAGE)


class _Shown:
    """Rows that are counted as they are shown."""

    def __init__(self, found: Iterator[View]) -> None:
        self._found = found
        self.count = 0

    def __iter__(self) -> Iterator[View]:
        for view in self._found:
            self.count += 1
            yield view


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def _printed(shown: _Shown, format_: str, width: int | None) -> Iterator[str]:
    """Yield the text of each row."""
    if format_ == "json":
        for view in shown:
            yield ascii_json(as_object(view)) + "\n"
        return
    from turnparse._show_text import as_lines

    cells = width or shutil.get_terminal_size((PIPED_WIDTH, 24)).columns
    color = _is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    for view in shown:
        # What the terminal has no letters for is better shown as an escape than not at all.
        yield as_lines(view, cells, color=color).encode(encoding, "backslashreplace").decode(encoding)


def _print(texts: Iterator[str], *, pages: bool) -> None:
    if pages:
        os.environ.setdefault("LESS", LESS)
        # A pager has a use of its own for Ctrl-C, and click waits for it then: it must not be left behind on the terminal.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            click.echo_via_pager(texts)
        except KeyboardInterrupt:
            sys.exit(EXIT_SIGNAL + signal.SIGINT)
        finally:
            signal.signal(signal.SIGINT, before)
        return
    for text in texts:
        click.echo(text, nl=False)
