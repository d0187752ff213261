"""The dataset card: a README.md beside the outputs, that says what they are, of what and how they were made, and what for."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

import attrs

from turnparse._card_metadata import CardFile, as_yaml, metadata
from turnparse._codes import CODES
from turnparse._command import GRAMMAR, command, last_name
from turnparse._errors import OptionError, OutputError, escape
from turnparse._intended_use import DATASET, DISCLAIMER, NOTICES, SOURCE, misused
from turnparse._job import PROVENANCE, Job
from turnparse._outcome import Done
from turnparse._red_team import METADATA
from turnparse._side_files import shown
from turnparse._sinks import STDOUT, failure
from turnparse._stores import beside, folder_of, inside, joined, store_of, write_whole
from turnparse._summary import Summary
from turnparse._target import targets
from turnparse._tasks import Task
from turnparse._urls import redacted
from turnparse._version import __version__

NAME: Final = "README.md"

MARK: Final = "# turnparse-card sha256:"
"""What a comment in the metadata begins with that holds the digest of all after it: so a card that somebody changed is theirs."""

LONGEST: Final = 1 << 26
"""Bytes of a file that is looked at: no card is longer."""

MOST_LISTED: Final = 200
"""Outputs, and sources of one, that are listed; of others it says how many there are."""

MARKDOWN: Final = re.compile(r"([\\`*_\[\]<>|&~#])")


@attrs.frozen
class Run:
    """What a card tells of.

    Attributes:
        job: what was done with each row.
        sources: the sources, as they were named.
        output: the output, as it was named.
        options: {option of `turnparse.convert`: value}, of those that change an output.
        done: what became of it.
    """

    job: Job
    sources: Sequence[str]
    output: str
    options: Mapping[str, object]
    done: Done

    @property
    def counts(self) -> Summary:
        """The counts of the whole run."""
        return self.done.counts

    @property
    def placed(self) -> list[tuple[Task, Summary]]:
        """The outputs that are in their place, with their counts."""
        return [(task, outcome.counts) for task, outcome in self.done.there]

    @property
    def in_folder(self) -> bool:
        """Whether the output is a folder."""
        return self.done.each[0][0].in_folder


def card_path(tasks: Sequence[Task], output: str) -> str:
    """Return where the card of *tasks* is, whose *output* is a file or a folder.

    Raises:
        OptionError: if that is standard output.
    """
    if tasks[0].out.name == STDOUT:
        raise OptionError("expected a file or a folder as output, for a card beside it, found standard output")
    return joined(output, NAME) if tasks[0].in_folder else beside(output, NAME)


def require_own(path: str) -> None:
    """Check that *path* is not there, or is a card as it was written.

    Raises:
        OptionError: if it is anything else: that is never written over.
    """
    try:
        is_there = store_of(path).exists(path)
    except OSError as error:
        raise failure(error, path, "the card") from None
    if is_there and not _is_own(path):
        msg = f"expected no {NAME}, or a card as turnparse wrote it, found another: {escape(redacted(path), 300)!r}"
        raise OptionError(f"{msg}; move it away, or leave the card out")


def _is_own(path: str) -> bool:
    try:
        store = store_of(path)
        # A pipe has no size, and would be waited for.
        if store.size(path) > LONGEST:
            return False
        file = io.BytesIO(store.read(path))
    except (OSError, ValueError):
        return False
    begin, mark, rest = file.readline(), file.readline(), file.read()
    return (begin, mark) == _head(rest)


def _head(rest: bytes) -> tuple[bytes, bytes]:
    """Return the first two lines of a card, before *rest*."""
    digest = hashlib.sha256(rest).hexdigest()
    return b"---\n", f"{MARK}{digest} (it is written over only while it is as it was written)\n".encode()


def write_card(path: str, run: Run) -> None:
    """Write the card of *run*, if there is any output that it could be about.

    Raises:
        OutputError: if it cannot be written, or somebody else's has come meanwhile.
    """
    if not run.placed:
        return
    rest = ("\n".join(_lines(path, run)) + "\n").encode("utf-8", "backslashreplace")
    try:
        require_own(path)
        write_whole(path, b"".join((*_head(rest), rest)))
    except OptionError as error:
        raise OutputError(error.message) from None
    except (OSError, ValueError) as error:
        raise failure(error, path, "the card") from None


def _lines(path: str, run: Run) -> Iterator[str]:
    files = _files(path, run)
    target = run.job.target
    # The folders above it are nobody else's business.
    name = last_name(run.output)
    output = f"{name}/" if run.in_folder else name
    attempts = ["red-team"] if "red-team" in target.takes and run.counts.kinds["red-team"] else []
    tags = ["turnparse", "conversational", *filter(None, [target.trains]), *attempts]
    # A card does not commend the data for what it says that they are not meant for.
    tasks = [] if misused(target, run.counts) or not target.trains else ["text-generation"]
    sources = [shard.path for task, _ in run.placed for shard in task.shards]
    found = metadata(files, sources, tags, tasks, alike=not run.job.keep_columns)
    yield from as_yaml(found)
    yield "---"
    yield ""
    yield f"# {_plain(name)}: rows for {_plain(target.name)}"
    yield ""
    yield f"[{_plain(target.about)}](<{target.link}>)"
    yield ""
    yield from _columns(run)
    yield from _loading(files, found.get("configs", []), run)
    yield from _intended_use(run)
    yield from _outputs(files, run)
    yield from _reasons(run.counts)
    yield from _findings(run)
    yield "## How it was made"
    yield ""
    yield f"With turnparse {__version__}; the same sources and versions give the same bytes."
    if not run.job.dialect.origin:
        yield f"{_code(GRAMMAR)} stands for the grammar {_code(run.job.dialect.name)}, which was given as text."
    if targets().get(target.name) != target:
        yield f"The command knows the target {_code(target.name)} where it is registered."
    yield ""
    yield from _fenced("bash", command(run.sources, output, run.job.dialect, run.options))


def _files(path: str, run: Run) -> list[CardFile]:
    folder = folder_of(path)
    return [
        CardFile(
            PurePath(inside(task.out.name, folder)).as_posix(),
            counts.records_out,
            has_more=run.job.target.metadata and counts.kinds["red-team"] > 0,
        )
        for task, counts in run.placed
    ]


def _columns(run: Run) -> Iterator[str]:
    target = run.job.target
    columns = [*target.columns, *(PROVENANCE if run.job.provenance else ())]
    told = f"Columns: {', '.join(map(_code, columns))}"
    if target.metadata and run.counts.kinds["red-team"]:
        told += f"; of red-team attempts also {', '.join(map(_code, METADATA))}"
    if run.job.keep_columns:
        told += "; and the columns of the sources that were not read"
    yield f"{told}."
    if target.second is not None:
        yield "There are two records for each row."
    yield ""


def _loading(files: Sequence[CardFile], configs: Sequence[Mapping[str, Any]], run: Run) -> Iterator[str]:
    names = [config["config_name"] for config in configs]
    yield "## Loading"
    yield ""
    if not names:
        yield "There are no records that `datasets` could load."
        yield ""
        return
    asked = "" if "default" in names else f', "{names[0]}"'
    yield from _fenced(
        "python",
        f'from datasets import load_dataset\n\ndataset = load_dataset("path/to/this/folder"{asked})',
    )
    if len(names) > 1:
        yield f"A second argument names one of its parts: {', '.join(map(_code, names))}."
        listed, all_files = _in_default(configs), sum(file.is_loadable for file in files)
        if "default" in names and listed < all_files:
            yield f"Without one it loads those {listed:,} of {all_files:,} files that have the same columns."
        yield ""
    left = [_code(file.path) for file in files if not file.is_loadable]
    if left:
        more = f" and {len(left) - MOST_LISTED:,} more" if len(left) > MOST_LISTED else ""
        yield f"Left out, for want of records or of a name that `datasets` can read: {', '.join(left[:MOST_LISTED])}{more}."
        yield ""
    first = next(file.path for file in files if file.is_loadable)
    if run.job.target.loading:
        yield f"A single file, here {_code(first)}, as the target's consumer loads it:"
        yield ""
        yield from _fenced("", shown(run.job.target.loading, first, first))


def _in_default(configs: Sequence[Mapping[str, Any]]) -> int:
    """Return how many files are loaded where no part is named."""
    found = [
        split["path"] for config in configs if config["config_name"] == "default" for split in config["data_files"]
    ]
    return sum(1 if isinstance(paths, str) else len(paths) for paths in found)


def _intended_use(run: Run) -> Iterator[str]:
    notices = [(notice, run.counts.kinds[kind]) for kind, notice in NOTICES.items() if run.counts.kinds[kind]]
    if not notices:
        return
    yield "## Intended use"
    yield ""
    yield f"Of the rows that were read, some are of kinds that [{DATASET}]({SOURCE}) publishes."
    yield "Where they are from there, or from a copy of it, what its card says holds for them too:"
    yield ""
    for notice, count in notices:
        yield f"- {notice.name.capitalize()} ({count:,} rows here) are {notice.meant}; they are {notice.unmeant}."
    yield ""
    if misused(run.job.target, run.counts):
        yield f"The format of these files is for {run.job.target.trains} training: do not use it for that."
        yield ""
    yield DISCLAIMER
    yield ""


def _outputs(files: Sequence[CardFile], run: Run) -> Iterator[str]:
    yield "## Sources and counts"
    yield ""
    rows = []
    for file, (task, counts) in list(zip(files, run.placed, strict=True))[:MOST_LISTED]:
        sources = [_code(redacted(shard.path)) for shard in task.shards[:MOST_LISTED]]
        if len(task.shards) > MOST_LISTED:
            sources.append(f"{len(task.shards) - MOST_LISTED:,} more")
        rows.append((_code(file.path), ", ".join(sources), *_counts(counts)))
    if len(files) > MOST_LISTED:
        rows.append((f"{len(files) - MOST_LISTED:,} more", "", "", "", "", ""))
    if len(files) > 1:
        rows.append(("all", "", *_counts(run.counts)))
    yield from _table(("output", "source", "rows in", "rows out", "rows set aside", "records"), rows)
    yield "Rows in are rows out and rows set aside, always. The manifest beside the outputs, if it was kept, has the digests of all files."
    yield ""


def _counts(counts: Summary) -> tuple[str, ...]:
    return tuple(f"{n:,}" for n in (counts.rows_in, counts.rows_out, counts.rows_set_aside, counts.records_out))


def _reasons(counts: Summary) -> Iterator[str]:
    yield "## What was set aside, and why"
    yield ""
    if not counts.rows_set_aside:
        yield "Nothing."
        yield ""
        return
    rows = [
        (_code(code), f"{counts.reasons[code]:,}", _plain(CODES[code].meaning))
        for code in CODES
        if counts.reasons[code]
    ]
    yield from _table(("code", "rows", "meaning"), rows)
    yield "Each is kept, as it was read and with its reason, in a file of rows set aside; of several reasons the first counts here."
    yield ""


def _findings(run: Run) -> Iterator[str]:
    diagnostics = run.counts.diagnostics
    if diagnostics:
        yield "## What was found"
        yield ""
        policies = run.job.policies
        rows = [
            (_code(code), f"{diagnostics[code]:,}", policies.get(code, ""), _plain(CODES[code].meaning))
            for code in CODES
            if diagnostics[code]
        ]
        yield from _table(("code", "rows", "policy", "meaning"), rows)
    relations = {name: count for name, count in run.counts.as_dict()["relations"].items() if count}
    if relations:
        yield "## Relations of pairs"
        yield ""
        yield from _table(("relation", "pairs"), [(_code(name), f"{count:,}") for name, count in relations.items()])


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(row)} |"
    yield ""


def _fenced(language: str, text: str) -> Iterator[str]:
    """Yield *text* between fences that are longer than any in it."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    yield fence + language
    yield from text.splitlines()
    yield fence
    yield ""


def _code(text: str) -> str:
    """Return *text* as a span of code, in which nothing means anything but backticks, and, in tables, pipes."""
    printable = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return f"`{printable.replace('`', chr(92) + 'x60').replace('|', chr(92) + 'x7c')}`"


def _plain(text: str) -> str:
    """Return *text* so that Markdown takes no character for its own."""
    return MARKDOWN.sub(r"\\\1", escape(text, 1000))
