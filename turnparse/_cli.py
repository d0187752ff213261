"""The command line. It parses options and prints; all the work is done by the calls that it names."""

from __future__ import annotations

import logging
import os
from typing import Any, Final

import click

from turnparse._cells import LOSSES
from turnparse._cli_parts import (
    column_options,
    dialect_of,
    dialect_option,
    from_option,
    label_option,
    limit_options,
    noted,
    progress,
    reported,
    table,
)
from turnparse._codes import CODES, PRESETS, Code
from turnparse._command_check import check
from turnparse._command_show import show
from turnparse._command_stats import stats
from turnparse._convert import convert as convert_sources
from turnparse._engines import ENGINES
from turnparse._errors import OptionError, escape, shown
from turnparse._signals import stoppable
from turnparse._sinks import FORMATS
from turnparse._summary import Summary
from turnparse._target import SIDES, broken_targets, target_named, targets
from turnparse._version import __version__

CONTROL_POLICY: Final = "control-token"
"""The policy that ``--control-tokens`` sets."""

QUIET: Final = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_VERBOSITY": "error"}
"""What keeps the Hub's library from writing to standard error: bars into ours, and of each new try a URL that may be signed."""

LOGGERS: Final = ("aiobotocore", "fsspec", "gcsfs", "s3fs")
"""Who would write pages of tracebacks for what is told in a line."""

RESUMABLE: Final = "no output was left half-written, and those that were finished are kept: run the same command with --resume to go on"
"""What is said to whoever stopped a conversion."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="turnparse")
def main() -> None:
    """Parse and normalize conversation transcripts: preference data to chat messages, every row accounted for.

    \b
    Example:
      turnparse convert train.jsonl.gz --to trl --output train.trl.jsonl
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)


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
@limit_options
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
@from_option
@click.option("--system", metavar="TEXT", help="A system prompt to add to every conversation.")
@click.option(
    "--loss",
    type=click.Choice(LOSSES),
    help="Mark the messages that a trainer learns from, where the target has a key for it.",
)
@click.option("--side", type=click.Choice(SIDES), default="chosen", show_default=True, help="For targets of one side.")
@column_options
@dialect_option
@label_option
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
    with reported(RESUMABLE, _echo_summary), stoppable():
        with noted(), progress(sources) as on_bytes:
            summary = convert_sources(
                sources,
                policies=policies,
                dialect=dialect_of(dialect, labels),
                on_bytes=on_bytes,
                manifest=not no_manifest,
                **options,
            )
        _echo_summary(summary)


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


@main.command()
@click.argument("name", metavar="[CODE]", required=False)
@dialect_option
@label_option
@reported()
def codes(name: str | None, dialect: str, labels: dict[str, list[str]]) -> None:
    """List the diagnostic codes, what each means and what each preset does about it; or tell what to do about one of them.

    A policy has the name of its code, and may be set to any value of its row.

    \b
    Examples:
      turnparse codes
      turnparse codes same-speaker
    """
    dialect_of(dialect, labels)  # the codes are those of every dialect, but a dialect there must be
    if name is None:
        rows = [(code.name, code.severity, code.scope, *_policy_of(code), code.meaning) for code in CODES.values()]
        table(("code", "severity", "of a", *PRESETS, "policy values", "meaning"), rows)
        return
    if name not in CODES:
        raise OptionError(f"expected a code ({', '.join(CODES)}), found {shown(name)}")
    code = CODES[name]
    click.echo(f"{code.name}: {code.severity}, of a {code.scope}\n{code.meaning}\n{code.advice}")
    for preset, value in zip((*PRESETS, "policy values"), _policy_of(code), strict=True):
        if value:
            click.echo(f"{preset}: {value}")


def _policy_of(code: Code) -> tuple[str, ...]:
    """Return what each preset does about a code, and what may be chosen; blank where there is nothing to choose."""
    return (*(code.presets or ("",) * len(PRESETS)), " | ".join(code.choices))


@main.command(name="targets")
@click.argument("name", metavar="[TARGET]", required=False)
@dialect_option
@label_option
@reported()
def list_targets(name: str | None, dialect: str, labels: dict[str, list[str]]) -> None:
    """List the targets, the formats that `convert --to` can write; or tell all about one of them.

    \b
    Examples:
      turnparse targets
      turnparse targets llama-factory-sharegpt
    """
    written = dialect_of(dialect, labels)
    if name is None:
        rows: list[tuple[str, ...]] = [
            (t.name, ", ".join(t.takes), ", ".join(t.columns), t.about) for t in targets().values()
        ]
        table(("target", "rows it takes", "columns", "about"), rows)
        for broken, reason in broken_targets().items():
            click.echo(f"turnparse: note: {escape(broken)} is left out: {reason}", err=True)
        return
    from turnparse._target_page import page

    click.echo(page(target_named(name), written), nl=False)


main.add_command(check)
main.add_command(show)
main.add_command(stats)
