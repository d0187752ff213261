"""The command line. It parses options and prints; all the work is done by the calls that it names."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from turnparse._cells import LOSSES
from turnparse._codes import CODES, PRESETS
from turnparse._convert import convert as convert_sources
from turnparse._dialect import DEFAULT, Dialect, resolve, shipped_names
from turnparse._engines import ENGINES
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
from turnparse._signals import EXIT_SIGNAL, StoppedError, stoppable
from turnparse._sinks import FORMATS
from turnparse._sources import STDIN
from turnparse._summary import Summary
from turnparse._target import SIDES, broken_targets, target_named, targets
from turnparse._urls import is_url
from turnparse._version import __version__

CONTROL_POLICY: Final = "control-token"
"""The policy that ``--control-tokens`` sets."""

QUIET: Final = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_VERBOSITY": "error"}
"""What keeps the Hub's library from writing to standard error: bars into ours, and of each new try a URL that may be signed."""

EXIT_INCOMPLETE: Final = 1
EXIT_USAGE: Final = 2


def _fail(message: str, code: int) -> NoReturn:
    click.echo(f"turnparse: {message}", err=True)
    sys.exit(code)


@contextmanager
def _reported() -> Iterator[None]:
    """Turn turnparse's errors into a message and an exit code."""
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except StoppedError as stopped:
        _fail(
            f"stopped by {stopped.name}; no output was left half-written, and those that were finished are kept: "
            "run the same command with --resume to go on",
            EXIT_SIGNAL + stopped.number,
        )
    except IncompleteError as error:
        _echo_summary(error.summary)
        _fail(str(error), EXIT_INCOMPLETE)
    except FaultError as error:
        _fail(str(error), EXIT_INCOMPLETE)
    except (OptionError, DialectError, SourceError) as error:
        _fail(str(error), EXIT_USAGE)
    except TurnparseError as error:
        _fail(str(error), EXIT_INCOMPLETE)
    except OSError as error:
        # Standard output is full, or its reader has gone. What is left in its buffer must not fail once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        _fail(f"expected to write to standard output, found: {escape(str(error))}", EXIT_INCOMPLETE)


_dialect_option = click.option(
    "--dialect",
    metavar="NAME|FILE",
    default=DEFAULT,
    show_default=True,
    help=f"A shipped dialect ({', '.join(shipped_names())}), or a Lark grammar of your own, a file that ends in .lark.",
)

_label_option = click.option(
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


def _dialect(name: str, labels: dict[str, list[str]]) -> Dialect:
    """Return the dialect of that name, with *labels* in place of its own."""
    dialect = resolve(name)
    return dialect.with_labels(**labels) if labels else dialect


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="turnparse")
def main() -> None:
    """Parse and normalize conversation transcripts: preference data to chat messages, every row accounted for.

    \b
    Example:
      turnparse convert train.jsonl.gz --to trl --output train.trl.jsonl
    """


def _policy(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    if bad := [name for name, sign, _ in pairs if not sign]:
        msg = f"expected NAME=VALUE, as in same-speaker=merge, found {escape(bad[0])!r}"
        raise click.BadParameter(msg)
    return {name: value for name, _, value in pairs}


@main.command()
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option("--to", metavar="TARGET", default="trl", show_default=True, help="See `turnparse targets`.")
@click.option(
    "--output",
    "-o",
    required=True,
    help=f"A file that ends in {', '.join('.' + ending for ending in FORMATS)}; a folder, for an output a source; "
    "or - for standard output.",
)
@click.option("--format", type=click.Choice(FORMATS), help="What is written into a folder.  [default: jsonl]")
@click.option(
    "--workers",
    type=click.IntRange(1),
    metavar="N",
    help="Threads that convert; the output is the same.  [default: one a core]",
)
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="local",
    show_default=True,
    help="What does the work: the threads of this machine, or tasks of Ray, one a source.",
)
@click.option("--ray-address", metavar="ADDR", help="A Ray cluster.  [default: RAY_ADDRESS, or one started here]")
@click.option(
    "--preset", type=click.Choice(PRESETS), default="default", show_default=True, help="See `turnparse codes`."
)
@click.option(
    "--policy",
    "policies",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_policy,
    help="Override one policy of the preset.",
)
@click.option(
    "--control-tokens",
    type=click.Choice(CODES[CONTROL_POLICY].choices),
    help="What to do with content that holds control tokens of chat templates, such as <|im_start|>: "
    f"the same as --policy {CONTROL_POLICY}=...",
)
@click.option("--set-aside", help="A file for rows that are not written. [default: OUTPUT.set-aside.jsonl]")
@click.option(
    "--max-row-bytes",
    type=click.IntRange(1),
    metavar="N",
    default=MAX_ROW_BYTES,
    show_default=True,
    help="Set longer rows aside.",
)
@click.option(
    "--max-expansion",
    type=click.IntRange(1),
    metavar="N",
    default=MAX_EXPANSION,
    show_default=True,
    help="Read no more than so many times its own bytes from a compressed file, beyond 64 MiB.",
)
@click.option("--summary", help="A file for the summary as JSON.")
@click.option("--force", is_flag=True, help="Write over outputs that are there.")
@click.option(
    "--resume",
    is_flag=True,
    help="Leave outputs that an earlier run has finished, if nothing has changed since; write all others anew.",
)
@click.option(
    "--card",
    is_flag=True,
    help="Write a dataset card, README.md, into the folder of the output: sources, options, counts, intended use, with "
    "metadata for the Hugging Face Hub. A README.md of anybody else's is never written over.",
)
@click.option("--no-manifest", is_flag=True, help="Write no manifest; --resume needs one.")
@click.option(
    "--diagnostics",
    type=click.Choice(["structural", "all"]),
    default="structural",
    show_default=True,
    help="Which codes to look for and count.",
)
@click.option("--keep-columns", is_flag=True, help="Let columns that are not read travel along.")
@click.option("--provenance", is_flag=True, help="Add to each row where it was read: source and line.")
@click.option(
    "--from",
    "from_",
    metavar="TARGET",
    help="The format of the sources, if they are no transcripts: a target that keeps all of them, such as messages.",
)
@click.option("--system", metavar="TEXT", help="A system prompt to add to every conversation.")
@click.option(
    "--loss",
    type=click.Choice(LOSSES),
    help="Mark the messages that a trainer learns from, where the target has a key for it.",
)
@click.option("--side", type=click.Choice(SIDES), default="chosen", show_default=True, help="For targets of one side.")
@click.option("--chosen", metavar="COL", help="The column of the preferred side. [default: chosen]")
@click.option("--rejected", metavar="COL", help="The column of the other side. [default: rejected]")
@click.option("--transcript", metavar="COL", help="The column of single dialogues. [default: transcript]")
@_dialect_option
@_label_option
def convert(
    sources: tuple[str, ...],
    policies: dict[str, str],
    control_tokens: str | None,
    dialect: str,
    labels: dict[str, list[str]],
    *,
    no_manifest: bool,
    **options: Any,
) -> None:
    """Convert files of transcripts to the format of one consumer.

    A SOURCE is a file of JSON lines or one JSON array, compressed with gzip or zstd or not, of Parquet or Arrow;
    a folder of such files, a pattern such as 'data/*.jsonl.gz', or - for standard input. Files, folders and patterns
    may be elsewhere too, as in hf://, s3://, gs:// or https://, and outputs in all of these but the last. Each row is
    recognised by its columns: chosen and rejected, or transcript, or text. A row is written, or set
    aside in a file of its own with the reason; none is lost.

    \b
    Examples:
      turnparse convert train.jsonl.gz --to trl --output train.trl.jsonl
      turnparse convert a.jsonl b.jsonl --preset strict --output clean.jsonl.gz --summary counts.json
      turnparse convert red_team_attempts.jsonl.gz --to messages --output red-team.jsonl
      turnparse convert train.jsonl.gz --control-tokens escape --output escaped.jsonl
      turnparse convert chats.jsonl --label user=User --label assistant=Bot --output chats.trl.jsonl
      turnparse convert train.trl.jsonl --from trl --to hh --output train.jsonl
    """
    if control_tokens is not None and policies.setdefault(CONTROL_POLICY, control_tokens) != control_tokens:
        found = f"--control-tokens {control_tokens} and --policy {CONTROL_POLICY}={escape(policies[CONTROL_POLICY])}"
        raise click.UsageError(f"expected one value for control tokens, found {found}")
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    with _reported(), stoppable():
        with _noted(), _progress(sources) as on_bytes:
            summary = convert_sources(
                sources,
                policies=policies,
                dialect=_dialect(dialect, labels),
                on_bytes=on_bytes,
                manifest=not no_manifest,
                **options,
            )
        _echo_summary(summary)


@contextmanager
def _noted() -> Iterator[None]:
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
def _progress(sources: tuple[str, ...]) -> Iterator[Callable[[int], object] | None]:
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


def _echo_summary(summary: Summary) -> None:
    counts = summary.as_dict()
    totals = {name: count for name, count in counts.items() if isinstance(count, int)}
    lines = [", ".join(f"{name.replace('_', ' ')}: {count:,}" for name, count in totals.items())]
    for title, found in (("relations", counts["relations"]), ("rows by code", counts["diagnostics"])):
        if found:
            lines.append(f"{title}: " + ", ".join(f"{name} {count:,}" for name, count in found.items()))
    if summary.near_labels is not None:
        lines.append(f"near misses: {summary.near_labels.message}")
    click.echo("\n".join(lines), err=True)


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, *rows]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@main.command()
@_dialect_option
@_label_option
@_reported()
def codes(dialect: str, labels: dict[str, list[str]]) -> None:
    """List the diagnostic codes: what each means, and what each preset does about it.

    A policy has the name of its code, and may be set to any value of its row.

    \b
    Example:
      turnparse codes
    """
    _dialect(dialect, labels)  # the codes are those of every dialect, but a dialect there must be
    rows = [
        (code.name, code.severity, code.scope, *(code.presets or ("", "", "")), " | ".join(code.choices), code.meaning)
        for code in CODES.values()
    ]
    _table(("code", "severity", "of a", *PRESETS, "policy values", "meaning"), rows)


@main.command(name="targets")
@click.argument("name", metavar="[TARGET]", required=False)
@_dialect_option
@_label_option
@_reported()
def list_targets(name: str | None, dialect: str, labels: dict[str, list[str]]) -> None:
    """List the targets, the formats that `convert --to` can write; or tell all about one of them.

    \b
    Examples:
      turnparse targets
      turnparse targets llama-factory-sharegpt
    """
    written = _dialect(dialect, labels)
    if name is None:
        rows: list[tuple[str, ...]] = [
            (t.name, ", ".join(t.takes), ", ".join(t.columns), t.about) for t in targets().values()
        ]
        _table(("target", "rows it takes", "columns", "about"), rows)
        for broken, reason in broken_targets().items():
            click.echo(f"turnparse: note: {escape(broken)} is left out: {reason}", err=True)
        return
    from turnparse._target_page import page

    click.echo(page(target_named(name), written), nl=False)
