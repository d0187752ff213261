"""What the commands have in common: options, how errors are told, and the bar that shows how far they are."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NoReturn

import click

from turnparse._dialect import DEFAULT, Dialect, resolve, shipped_names
from turnparse._errors import (
    DialectError,
    FaultError,
    IncompleteError,
    IntendedUseWarning,
    NotTakenWarning,
    OptionError,
    SourceError,
    TurnparseError,
    escape,
)
from turnparse._limits import MAX_EXPANSION, MAX_ROW_BYTES
from turnparse._markers import ROLES
from turnparse._shards import shards_of
from turnparse._signals import EXIT_SIGNAL, StoppedError
from turnparse._sources import STDIN
from turnparse._summary import Summary
from turnparse._text_table import table_lines
from turnparse._urls import is_url

Command = Callable[..., None]

EXIT_INCOMPLETE: Final = 1
EXIT_USAGE: Final = 2


def fail(message: str, code: int) -> NoReturn:
    click.echo(f"turnparse: {message}", err=True)
    sys.exit(code)


@contextmanager
def reported(
    stopped: str = "run the same command again", told: Callable[[Summary], object] | None = None
) -> Iterator[None]:
    """Turn turnparse's errors into a message and an exit code.

    Args:
        stopped: what is said to whoever stopped the command.
        told: called with the counts of what could be done, if not all could.
    """
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except StoppedError as signal:
        fail(f"stopped by {signal.name}; {stopped}", EXIT_SIGNAL + signal.number)
    except IncompleteError as error:
        if told is not None:
            told(error.summary)
        fail(str(error), EXIT_INCOMPLETE)
    except FaultError as error:
        fail(str(error), EXIT_INCOMPLETE)
    except (OptionError, DialectError, SourceError) as error:
        fail(str(error), EXIT_USAGE)
    except TurnparseError as error:
        fail(str(error), EXIT_INCOMPLETE)
    except OSError as error:
        # Standard output is full, or its reader has gone. What is left in its buffer must not fail once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        fail(f"expected to write to standard output, found: {escape(str(error))}", EXIT_INCOMPLETE)


dialect_option = click.option(
    "--dialect",
    metavar="NAME|FILE",
    default=DEFAULT,
    show_default=True,
    help=f"A shipped dialect ({', '.join(shipped_names())}), or a Lark grammar of your own, a file that ends in .lark.",
)

label_option = click.option(
    "--label",
    "labels",
    metavar="ROLE=LABEL",
    multiple=True,
    callback=lambda _, __, values: _labels(values),
    help="A label of that dialect in place of its own, as in user=User; roles are user, assistant and system.",
)


def _labels(values: tuple[str, ...]) -> dict[str, list[str]]:
    labels: dict[str, list[str]] = {}
    for value in values:
        role, sign, label = value.partition("=")
        if not sign:
            raise click.BadParameter(f"expected ROLE=LABEL, as in user=User, found {escape(value)!r}")
        if role not in ROLES.values():
            raise click.BadParameter(f"expected a role ({', '.join(ROLES.values())}), found {escape(role)!r}")
        labels.setdefault(role, []).append(label)
    return labels


def dialect_of(name: str, labels: dict[str, list[str]]) -> Dialect:
    """Return the dialect of that name, with *labels* in place of its own."""
    dialect = resolve(name)
    return dialect.with_labels(**labels) if labels else dialect


from_option = click.option(
    "--from",
    "from_",
    metavar="TARGET",
    help="The format of the sources, if they are no transcripts: a target that keeps all of them, such as messages.",
)


def column_options(command: Command) -> Command:
    """Give a command the options that name the columns of texts."""
    for option in reversed(
        (
            click.option("--chosen", metavar="COL", help="The column of the preferred side. [default: chosen]"),
            click.option("--rejected", metavar="COL", help="The column of the other side. [default: rejected]"),
            click.option("--transcript", metavar="COL", help="The column of single dialogues. [default: transcript]"),
        )
    ):
        command = option(command)
    return command


def limit_options(command: Command) -> Command:
    """Give a command the options that say how much a source may ask for."""
    for option in reversed(
        (
            click.option(
                "--max-row-bytes",
                type=click.IntRange(1),
                metavar="N",
                default=MAX_ROW_BYTES,
                show_default=True,
                help="Set longer rows aside.",
            ),
            click.option(
                "--max-expansion",
                type=click.IntRange(1),
                metavar="N",
                default=MAX_EXPANSION,
                show_default=True,
                help="Read no more than so many times its own bytes from a compressed file, beyond 64 MiB.",
            ),
        )
    ):
        command = option(command)
    return command


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print *rows* below *header*, each column as wide as it must be."""
    click.echo("\n".join(table_lines(header, rows)))


@contextmanager
def noted() -> Iterator[None]:
    """Tell on standard error what is warned of, when all else is done."""
    with warnings.catch_warnings(record=True) as notes:
        for category in (RuntimeWarning, IntendedUseWarning, NotTakenWarning):
            warnings.simplefilter("always", category)
        try:
            yield
        finally:
            for note in notes:
                click.echo(f"turnparse: note: {note.message}", err=True)


@contextmanager
def progress(sources: tuple[str, ...]) -> Iterator[Callable[[int], object] | None]:
    """Show a bar on standard error while bytes are read, if that is a terminal; else nothing."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    total = None
    # To ask stores elsewhere for what is asked again in a moment would take its time.
    if STDIN not in sources and not any(map(is_url, sources)):
        with suppress(TurnparseError, OSError, ValueError):
            # What is wrong with them is told when they are opened.
            total = sum(Path(shard.path).stat().st_size for shard in shards_of(sources)) or None
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda count: progress.advance(task, count)


def listed_names(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> list[str]:
    """Return the names of an option that may be given several times, and takes several with commas between them."""
    return [name.strip() for value in values for name in value.split(",") if name.strip()]
