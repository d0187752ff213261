"""The lines of the two tables: who takes part, what each is given, and how its output is read for the check."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, Literal

import attrs

from benchmarks import baselines
from benchmarks.baselines import Messages, Parts
from benchmarks.reference import messages


@attrs.frozen
class Contender:
    """One line of the table of calls.

    Attributes:
        name: what the table calls it.
        load: returns the function that is timed.
        given: what it takes: a table, two texts, a row of two texts, or a row of two lists of messages, parsed before.
        read: makes three lists of messages of what it returns, for the check alone.
        needs: what pip must have installed.
        note: what a reader must know to compare it.
        kept: how many results are held at a time; 0 drops each at once.
    """

    name: str
    load: Callable[[], Callable[..., Any]]
    given: Literal["table", "texts", "row", "messages"] = "texts"
    read: Callable[[Any], Parts] = lambda made: made
    needs: str = ""
    note: str = "Python strings to Python objects"
    kept: int = 0


def split_sides(left: Messages, right: Messages) -> Parts:
    """Return the shared messages and both tails: a service to peers that return whole conversations."""
    shared, limit = 0, min(len(left), len(right)) - 1
    while shared < limit and left[shared] == right[shared]:
        shared += 1
    return left[:shared], left[shared:], right[shared:]


def split_texts(row: dict[str, str]) -> Parts:
    """Return messages of a prompt and two answers that are texts still: a service to peers that parse no turns."""
    prompt = messages(row["prompt"])
    if prompt and prompt[-1] == {"role": "assistant", "content": ""}:
        prompt.pop()
    chosen, rejected = ([{"role": "assistant", "content": row[side].strip()}] for side in baselines.SIDES)
    return prompt, chosen, rejected


def bare(objects: list[Any]) -> Messages:
    """Return torchtune's messages as dicts."""
    return [{"role": message.role, "content": message.text_content} for message in objects]


def three(row: dict[str, Any]) -> Parts:
    """Return the three columns of a row that is as it should be."""
    return row["prompt"], row["chosen"], row["rejected"]


PRE_PARSED: Final = "no parse: is given messages"
CONTENDERS: Final = [
    Contender("turnparse convert_table", baselines.turnparse_table, "table", three, note="Arrow to Arrow"),
    Contender("turnparse parse_pair", baselines.turnparse_rows),
    Contender("plain loop", lambda: baselines.plain_messages),
    Contender("plain loop, 1,000 rows kept", lambda: baselines.plain_messages, kept=1000),
    Contender("pychatml to_chatml", baselines.pychatml_sides, "texts", lambda made: split_sides(*made), "pychatml",
              "two sides, no split into prompt and tails"),
    Contender("TRL maybe_extract_prompt", baselines.trl_maybe_extract_prompt, "row", split_texts, "trl",
              "slices of the raw strings, no messages"),
    Contender("TRL extract_prompt, raw strings", baselines.trl_extract_prompt, "row", split_texts, "trl",
              "slices of the raw strings, no messages"),
    Contender("TRL extract_prompt, messages", baselines.trl_extract_prompt, "messages", three, "trl", PRE_PARSED),
    Contender("torchtune ChosenRejectedToMessages", baselines.torchtune_messages, "messages",
              lambda made: split_sides(bare(made["chosen"]), bare(made["rejected"])), "torchtune", PRE_PARSED),
]  # fmt: skip


@attrs.frozen
class FileContender:
    """One line of the table of files.

    Attributes:
        name: what the table calls it.
        convert: a function of the path of a source and that of an output.
        needs: what pip must have installed.
        note: what a reader must know to compare it.
    """

    name: str
    convert: Callable[[str, str], None]
    needs: str = ""
    note: str = "the plain loop, line by line"


PLAIN_FILES: Final = FileContender("plain loop, orjson, isal", baselines.plain_files)
FILES: Final = [
    PLAIN_FILES,
    FileContender("copy", baselines.copy_files, note="no parse: the same strings in and out"),
    *(
        FileContender(
            f"datasets map, num_proc={processes}",
            partial(baselines.datasets_files, processes=processes),
            "datasets",
            "the plain loop, in batches; Parquet as datasets writes it",
        )
        for processes in (1, 2)
    ),
]
