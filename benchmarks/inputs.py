"""What the benchmarks read: the user's own files, or rows made from the shipped sample."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Iterator, Sequence
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any, Final

from turnparse import Pair, parse, parse_pair, read

FILES_VARIABLE = "TURNPARSE_BENCHMARK_FILES"
"""Paths of preference files, separated as in PATH, to measure instead of the sample."""

SAMPLE: Final = files("turnparse") / "samples" / "pairs.jsonl"
"""The shipped sample."""

ODD_SHARE: Final = 0.008
"""The share of odd rows that is drawn: 36 of the 4,666 rows of the two published test files are odd."""

ODD_KINDS: Final = {
    "cut-off-marker", "earlier", "empty-response", "empty-turn", "ends-on-human", "extends", "identical", "same-speaker",
    "uneven",
}  # fmt: skip
"""The oddities that published files have; the sample has others as well, of damaged and derived copies."""

EXCHANGES: Final = {1: 29, 2: 26, 3: 25, 4: 15, 5: 3, 6: 2}
"""{exchanges of a dialogue: how many of a hundred dialogues have them}, as in the published test files."""

CURLY_SHARE: Final = 0.34
"""The share of dialogues that get a curly apostrophe: with those of the sample, 73 % are not ASCII, as published ones."""

SHORT, LONG = (6, 4), (5, 3, 2)
"""Of ten turns of a Human, six are one text of the sample and four are two; of ten of an Assistant, two are three."""

LINES_SHARE: Final = 0.03
"""The share of an Assistant's turns of several lines: a tenth of the published rows has one, of the sample's far more."""

ROWS_PER_BATCH: Final = 20_000


def read_pairs(paths: Sequence[str | os.PathLike[str]]) -> list[tuple[str, str]]:
    """Return (chosen, rejected) of every pair of *paths*."""
    return [
        (str(item.chosen_transcript), str(item.rejected_transcript))
        for path in paths
        for item in read(Path(path))
        if isinstance(item, Pair)
    ]


def sample_pairs() -> list[tuple[str, str]]:
    """Return (chosen, rejected) of every pair of the user's files, or of the shipped sample."""
    given = os.environ.get(FILES_VARIABLE)
    return read_pairs(given.split(os.pathsep) if given else [str(SAMPLE)])


def unique_pairs(count: int, pairs: Sequence[tuple[str, str]] | None = None) -> Iterator[tuple[str, str]]:
    """Yield *count* pairs: *pairs* or `sample_pairs` over and over, each made unique by a number in its first content.

    What is odd about a pair stays as odd; a side without any content has no place for a number.
    """
    pairs = sample_pairs() if pairs is None else pairs
    places = [tuple(map(_first_content, pair)) for pair in pairs]
    for number in range(count):
        pair, at = pairs[number % len(pairs)], places[number % len(pairs)]
        chosen, rejected = (
            text if begin is None else f"{text[:begin]}{number} {text[begin:]}"
            for text, begin in zip(pair, at, strict=True)
        )
        yield chosen, rejected


def _first_content(text: str) -> int | None:
    """Return where the first content of a turn begins, or None if there is none."""
    for turn in parse(text).turns:
        if turn.content:
            return turn.start + str(turn).index(turn.content, len(turn.marker))
    return None


def dialogues(count: int, odd_share: float = ODD_SHARE) -> Iterator[tuple[str, str]]:
    """Yield *count* pairs as long as published ones, made of the sample's turns; all are unique, and the same each time.

    A dialogue is as many exchanges as published ones have; a turn is one sample turn or several, joined. Of a hundred
    thousand rows, 800 are odd rows of the sample.
    """
    draw = random.Random(0)  # noqa: S311 (a benchmark wants the same rows each time)
    pairs = [parse_pair(*pair) for pair in sample_pairs()]
    odd = [pair for pair in pairs if pair.diagnostics and ODD_KINDS.issuperset(_codes(pair))]
    numbered_odd = unique_pairs(count, [(str(pair.chosen_transcript), str(pair.rejected_transcript)) for pair in odd])
    turns = [turn for pair in pairs if not pair.diagnostics for turn in (*pair.shared, *pair.chosen, *pair.rejected)]
    said = {
        (role, lines): [turn.content for turn in turns if turn.role == role and ("\n" in turn.content) == lines]
        for role in ("user", "assistant")
        for lines in (False, True)
    }

    def content(role: str, weights: tuple[int, ...]) -> str:
        """Return one text of a role, or several: *weights* are those of one, two, three."""
        lines = role == "assistant" and draw.random() < LINES_SHARE
        count = 1 if lines else draw.choices(range(1, len(weights) + 1), weights)[0]
        return " ".join(draw.choices(said[role, lines], k=count))

    for number in range(count):
        if draw.random() < odd_share:
            yield next(numbered_odd)
            continue
        exchanges = draw.choices(list(EXCHANGES), list(EXCHANGES.values()))[0]
        shared = f"\n\nHuman: {number} {content('user', SHORT)}"
        for _ in range(exchanges - 1):
            shared += f"\n\nAssistant: {content('assistant', LONG)}\n\nHuman: {content('user', SHORT)}"
        if draw.random() < CURLY_SHARE:
            shared += " Don\u2019t you think?"
        chosen = rejected = content("assistant", LONG)
        while rejected == chosen:
            rejected = content("assistant", LONG)
        yield f"{shared}\n\nAssistant: {chosen}", f"{shared}\n\nAssistant: {rejected}"


def _codes(pair: Pair) -> set[str]:
    return {found.code for found in pair.diagnostics}


def _is_utf8(text: str) -> bool:
    """Tell whether Arrow can hold *text*: it has no lone surrogate."""
    return text.isascii() or text.encode("utf-8", "replace") == text.encode("utf-8", "surrogatepass")


def write(folder: Path, paths: Sequence[str], rows: int | None, megabytes: float | None) -> dict[str, Any]:
    """Write `pairs.arrow` and `pairs.jsonl.gz`, the same rows twice, into *folder*; return what they are.

    There are *rows*, or as many as make *megabytes* of text, counted in batches.
    """
    import orjson
    import pyarrow as pa
    from isal import igzip

    given = [pair for pair in read_pairs(paths) if all(map(_is_utf8, pair))]
    if paths and not given:
        raise SystemExit("benchmarks: the files hold no pairs")
    most = rows or sys.maxsize
    pairs = unique_pairs(most, given) if given else dialogues(most)
    schema = pa.schema([("chosen", pa.string()), ("rejected", pa.string())])
    count = size = 0
    with (
        pa.ipc.new_file(str(folder / "pairs.arrow"), schema) as table,
        igzip.open(folder / "pairs.jsonl.gz", "wb", compresslevel=2) as lines,  # type: ignore[no-untyped-call]
    ):
        while (not megabytes or size < megabytes * 1e6) and (batch := list(islice(pairs, ROWS_PER_BATCH))):
            columns = [pa.array(column, pa.string()) for column in zip(*batch, strict=True)]
            table.write_batch(pa.record_batch(columns, schema=schema))
            rows_of_json = ({"chosen": chosen, "rejected": rejected} for chosen, rejected in batch)
            lines.writelines(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows_of_json)
            count += len(batch)
            size += sum(len(text.encode()) for row in batch for text in row)
    return {
        "rows": count,
        "bytes": size,
        "bytes_per_transcript": round(size / count / 2),
        "made_of": f"{len(given):,} pairs of the user's files" if given else "turns of the shipped sample",
        "odd_rows": "as they are in the files" if given else f"{ODD_SHARE:.1%}, as in the published files",
    }


if __name__ == "__main__":  # in a process of its own, so that the one that measures others stays small
    FOLDER, ROWS, MEGABYTES, *PATHS = sys.argv[1:]
    print(json.dumps(write(Path(FOLDER), PATHS, json.loads(ROWS), json.loads(MEGABYTES))))
