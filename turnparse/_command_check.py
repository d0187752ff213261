"""The command `turnparse check`."""

from __future__ import annotations

import sys
from typing import Any, Final

import click

from turnparse._check import PLACES
from turnparse._check import check as check_sources
from turnparse._check_formats import (
    FORMATS,
    MOST_ANNOTATIONS,
    MOST_RESULTS,
    as_github,
    as_json,
    as_sarif,
    as_statistics,
    as_text,
    shown_failures,
)
from turnparse._cli_parts import (
    EXIT_INCOMPLETE,
    column_options,
    dialect_of,
    dialect_option,
    from_option,
    label_option,
    limit_options,
    listed_names,
    noted,
    progress,
    reported,
)
from turnparse._codes import PRESETS
from turnparse._signals import stoppable

USUAL_PLACES: Final = {"text": PLACES, "json": PLACES, "github": MOST_ANNOTATIONS, "sarif": MOST_RESULTS}
"""{format: places of each code that are told if nothing else is said}."""


@click.command()
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), default="text", show_default=True, help="What to print."
)
@click.option(
    "--select",
    metavar="CODE,...",
    multiple=True,
    callback=listed_names,
    help="The codes to look for, or structural, or advisory.  [default: all]",
)
@click.option(
    "--ignore",
    metavar="CODE,...",
    multiple=True,
    callback=listed_names,
    help="Codes to leave out of them, named likewise.",
)
@click.option("--statistics", is_flag=True, help="Print counts only.")
@click.option(
    "--preset",
    type=click.Choice(PRESETS),
    default="default",
    show_default=True,
    help="A code is an error if this preset of convert sets its rows aside; see `turnparse codes`.",
)
@click.option(
    "--places",
    type=click.IntRange(0),
    metavar="N",
    help="Tell so many places of each code at most.  [default: 3; github 10, sarif 5000]",
)
@limit_options
@from_option
@column_options
@dialect_option
@label_option
def check(
    sources: tuple[str, ...],
    dialect: str,
    labels: dict[str, list[str]],
    *,
    format_: str,
    select: list[str],
    ignore: list[str],
    statistics: bool,
    places: int | None,
    **options: Any,
) -> None:
    """Look through files of transcripts for what is odd about them: the codes, the rows of each, and where the first stand.

    A SOURCE is as for `turnparse convert`. Nothing is written, and the data are judged as they are, without a target. The
    exit code is 1 if a code of the level error was found, or a source could not be read to its end. Nothing
    of the data is printed; `turnparse show` takes the places as they stand here.

    \b
    Examples:
      turnparse check train.jsonl.gz
      turnparse check data/ --select structural --statistics
      turnparse check data/ --preset strict --ignore same-speaker --format github
      turnparse check data/ --format sarif
    """
    if statistics and format_ not in {"text", "json"}:
        raise click.UsageError(f"expected --statistics with --format text or json, found {format_}")
    with reported(), stoppable():
        with noted(), progress(sources) as on_bytes:
            result = check_sources(
                sources,
                select=select or None,
                ignore=ignore,
                dialect=dialect_of(dialect, labels),
                places=USUAL_PLACES[format_] if places is None else places,
                on_bytes=on_bytes,
                **options,
            )
        if format_ == "json":
            report = as_json(result, counts_only=statistics)
        elif statistics:
            report = as_statistics(result)
        else:
            report = {"text": as_text, "github": as_github, "sarif": as_sarif}[format_](result)
        click.echo(report, nl=False)
        for failure in shown_failures(result):
            click.echo(f"turnparse: {failure}", err=True)
    if result.failed:
        sys.exit(EXIT_INCOMPLETE)
