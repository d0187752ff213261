"""What turnparse is measured against, each in its best form: the plain loop, and what pip gives today.

An adapter returns the function that is timed. It imports lazily, and calls nothing of a peer but the peer's own function.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

MARKER = re.compile(r"\n\n(Human|Assistant):")

ROLES = {"Human": "user", "Assistant": "assistant"}

Turns = list[tuple[str, str]]
Messages = list[dict[str, str]]
Parts = tuple[Messages, Messages, Messages]
"""The prompt and both tails."""


def plain_loop(chosen: str, rejected: str) -> tuple[Turns, Turns, Turns]:
    """Return the shared turns and both tails as (speaker, content): what everybody writes, done right.

    Split at the markers, strip, compare turn by turn; the last turn of a side is never shared.
    """
    sides = []
    for text in (chosen, rejected):
        parts = MARKER.split(text)
        sides.append([(speaker, content.strip()) for speaker, content in zip(parts[1::2], parts[2::2], strict=True)])
    left, right = sides
    shared, limit = 0, min(len(left), len(right)) - 1
    while shared < limit and left[shared] == right[shared]:
        shared += 1
    return left[:shared], left[shared:], right[shared:]


def plain_messages(chosen: str, rejected: str) -> Parts:
    """Return prompt, chosen and rejected as chat messages: the same loop, as a converter to messages has it."""
    sides = []
    for text in (chosen, rejected):
        parts = MARKER.split(text)
        pairs = zip(parts[1::2], parts[2::2], strict=True)
        sides.append([{"role": ROLES[speaker], "content": content.strip()} for speaker, content in pairs])
    left, right = sides
    shared, limit = 0, min(len(left), len(right)) - 1
    while shared < limit and left[shared] == right[shared]:
        shared += 1
    return left[:shared], left[shared:], right[shared:]


# In memory: two texts, or a row of them, to prompt, chosen and rejected.

Call = Callable[..., Any]


def turnparse_table() -> Call:
    from turnparse import convert_table

    return lambda table: convert_table(table, to="trl", preset="faithful")


def turnparse_rows() -> Call:
    from turnparse import parse_pair

    def call(chosen: str, rejected: str) -> Any:
        pair = parse_pair(chosen, rejected)
        return tuple([turn.message() for turn in turns] for turns in (pair.shared, pair.chosen, pair.rejected))

    return call


def pychatml_sides() -> Call:
    from pychatml.anthropic_converter import Anthropic

    to_chatml = Anthropic().to_chatml
    return lambda chosen, rejected: (to_chatml(chosen), to_chatml(rejected))


def trl_maybe_extract_prompt() -> Call:
    import trl.data_utils

    call: Call = trl.data_utils.maybe_extract_prompt
    return call


def trl_extract_prompt() -> Call:
    import trl.data_utils

    call: Call = trl.data_utils.extract_prompt
    return call


def torchtune_messages() -> Call:
    import torchtune.data

    call: Call = torchtune.data.ChosenRejectedToMessages()
    return call


# Files: gzipped JSON lines to Parquet, by one reader (isal) and one writer where there is a choice.

SIDES = ("chosen", "rejected")
PARTS = ("prompt", *SIDES)
CHUNK = 1 << 20
ROWS_AT_ONCE = 200  # of 200, 1,000 and 20,000 the fastest: fewer objects for the garbage collector to walk
ROWS_PER_GROUP = 20_000


def write_parquet(path: str, schema: Any, pieces: Iterable[Any], roles: Sequence[str] = ()) -> None:
    """Write tables in row groups of about 20,000 rows: zstd level 3, a dictionary for *roles* alone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    options = {"compression": "zstd", "compression_level": 3, "use_dictionary": list(roles) or False}
    with pq.ParquetWriter(path, schema, **options) as out:
        waiting: list[Any] = []
        for piece in pieces:
            waiting.append(piece)
            if sum(map(len, waiting)) >= ROWS_PER_GROUP:
                out.write_table(pa.concat_tables(waiting))
                waiting.clear()
        if waiting:
            out.write_table(pa.concat_tables(waiting))


def plain_files(source: str, output: str) -> None:
    """Read by isal and by orjson, line by line; run the plain loop; have Arrow convert the Python objects."""
    import orjson
    import pyarrow as pa
    from isal import igzip

    messages = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    schema = pa.schema([(part, messages) for part in PARTS])

    def pieces() -> Iterator[Any]:
        with igzip.open(source, "rb") as lines:  # type: ignore[no-untyped-call]
            while rows := [orjson.loads(line) for line in islice(lines, ROWS_AT_ONCE)]:
                made = [plain_messages(row["chosen"], row["rejected"]) for row in rows]
                columns = [pa.array(column, messages) for column in zip(*made, strict=True)]
                yield pa.Table.from_arrays(columns, schema=schema)

    write_parquet(output, schema, pieces(), [f"{part}.list.element.role" for part in PARTS])


def copy_files(source: str, output: str) -> None:
    """Copy the strings, nothing parsed: what reading and writing cost by themselves."""
    import pyarrow as pa
    import pyarrow.json as pj
    from isal import igzip

    schema = pa.schema([(side, pa.string()) for side in SIDES])
    parsing = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")

    def pieces() -> Iterator[Any]:
        with igzip.open(source, "rb") as file:  # type: ignore[no-untyped-call]
            rest = b""
            while piece := file.read(CHUNK):
                rest += piece
                end = rest.rfind(b"\n") + 1
                lines, rest = rest[:end], rest[end:]
                if lines:
                    reading = pj.ReadOptions(use_threads=False, block_size=end + 1)
                    yield pj.read_json(pa.BufferReader(lines), reading, parsing)

    write_parquet(output, schema, pieces())


def datasets_files(source: str, output: str, processes: int) -> None:
    """Run the plain loop in `datasets`; its cache is in `HF_HOME`, a new folder for each run."""
    from datasets import Features, Value, load_dataset

    def convert(rows: dict[str, list[str]]) -> dict[str, Any]:
        made = map(plain_messages, rows["chosen"], rows["rejected"])
        return dict(zip(PARTS, map(list, zip(*made, strict=True)), strict=True))

    features = Features({part: [{"role": Value("string"), "content": Value("string")}] for part in PARTS})
    data = load_dataset("json", data_files=source, split="train")
    # Of 200, 1,000 and 10,000 rows at once, kept in memory or not, none was faster; streaming took ten times as long.
    some = None if processes == 1 else processes  # with 1 it starts a process, which is a little slower
    data.map(convert, batched=True, batch_size=1000, num_proc=some, features=features).to_parquet(output)
