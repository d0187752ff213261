"""The command `turnparse stats`."""

from __future__ import annotations

import re
import sys
from typing import Any, Final

import click

from turnparse._cli_parts import (
    EXIT_INCOMPLETE,
    column_options,
    dialect_of,
    dialect_option,
    from_option,
    label_option,
    limit_options,
    noted,
    progress,
    reported,
)
from turnparse._errors import escape
from turnparse._places import LONGEST_PATH
from turnparse._signals import stoppable
from turnparse._sinks import failure
from turnparse._stats import LEAST_MEMORY, MEMORY
from turnparse._stats import stats as stats_of
from turnparse._stats_formats import FORMATS, as_json, as_parquet, as_text
from turnparse._stores import write_whole

BYTES: Final = re.compile(r"(?P<number>[0-9]{1,15})(?P<unit>[KMGT]?)(?:i?B)?", re.IGNORECASE)
UNITS: Final = ("", "K", "M", "G", "T")


def _bytes(_: click.Context, __: click.Parameter, value: str | None) -> int:
    """Return how many bytes an option says, as in 512M."""
    if value is None:
        return MEMORY
    found = BYTES.fullmatch(value)
    if found is None:
        raise click.BadParameter(f"expected a number of bytes, as in 512M or 2G, found {escape(value)!r}")
    number = int(found["number"]) << 10 * UNITS.index(found["unit"].upper())
    if number < LEAST_MEMORY:
        raise click.BadParameter(f"expected at least {LEAST_MEMORY:,} bytes, found {escape(value)!r}")
    return number


@click.command()
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="How to write the figures.  [default: as the file of --output ends, or text]",
)
@click.option("-o", "--output", metavar="FILE", help="Write them to this file; Parquet needs one.")
@click.option("--force", is_flag=True, help="Replace that file, if it is there.")
@click.option(
    "--tokenizer",
    metavar="FILE|NAME",
    help="Count tokens too: by a tokenizer.json (which needs the package tokenizers), or by a tokenizer that transformers "
    "has on this machine. Nothing is fetched.",
)
@click.option(
    "--memory",
    metavar="BYTES",
    callback=_bytes,
    help="What finding duplicates may take, as in 512M or 4G: 16 bytes a distinct row or prompt, twice while they are "
    "sorted. More goes to disk.  [default: 1G]",
)
@limit_options
@from_option
@column_options
@dialect_option
@label_option
def stats(
    sources: tuple[str, ...],
    dialect: str,
    labels: dict[str, list[str]],
    *,
    format_: str | None,
    output: str | None,
    force: bool,
    **options: Any,
) -> None:
    """Count what is in files of transcripts: lengths, where pairs part, length bias, duplicates, overlap of train and test.

    A SOURCE is as for `turnparse convert`. The data are counted as they are, in one pass: nothing is mended before. Rows that
    cannot be read count as such, and `turnparse check` tells where they stand. The exit code is 1 if a source could not be
    read to its end. Nothing of the data is printed but types of models and tags of red-team attempts.

    \b
    Examples:
      turnparse stats train.jsonl.gz
      turnparse stats data/ --memory 4G
      turnparse stats data/ --format json
      turnparse stats train.jsonl.gz -o figures.parquet
    """
    if format_ is None:
        format_ = next((name for name in FORMATS if output is not None and output.endswith(f".{name}")), "text")
    if format_ == "parquet" and output is None:
        raise click.UsageError("expected a file for --format parquet, found none: name it with --output")
    with reported(), stoppable():
        with noted(), progress(sources) as on_bytes:
            result = stats_of(sources, dialect=dialect_of(dialect, labels), on_bytes=on_bytes, **options)
        made = as_parquet(result) if format_ == "parquet" else {"text": as_text, "json": as_json}[format_](result)
        if output is None:
            click.echo(made, nl=False)
        else:
            data = made if isinstance(made, bytes) else made.encode("utf-8", "backslashreplace")
            try:
                write_whole(output, data, new=not force)
            except (OSError, ValueError) as error:
                raise failure(error, output) from None
        for failed in result.failures:
            click.echo(f"turnparse: {escape(str(failed), 2 * LONGEST_PATH)}", err=True)
    if result.failures:
        sys.exit(EXIT_INCOMPLETE)
