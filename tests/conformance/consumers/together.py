"""Together: the checker of training files in OpenAI's formats that its client runs before it uploads one."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from conformance.check import Check, Consumer, Record
from conformance.consumers._records import each, lines, whole


def _checked(take: Callable[[Record], Any], folder: Path, record: Record) -> Any:
    os.environ["TOGETHER_DISABLE_TQDM"] = "true"  # else it draws a bar for every record
    from together.lib.utils.files import check_file  # type: ignore[import-not-found] # only where it is installed

    # It stops at the first fault of a file: a file a record, to know of every one.
    path = folder / "one.jsonl"
    path.write_text(json.dumps(record) + "\n", "utf-8")
    report = check_file(path)
    if not report["is_check_passed"]:
        raise ValueError(report["message"])
    return take(record)


def _read(take: Callable[[Record], Any], path: Path) -> Sequence[Any]:
    with TemporaryDirectory() as folder:
        return each(lines(path), functools.partial(_checked, take, Path(folder)))


def _chat(record: Record) -> Any:
    # A weight says what is learnt from, and is checked; what is said is compared without it.
    return [{key: value for key, value in message.items() if key != "weight"} for message in record["messages"]]


def _preference(record: Record) -> Any:
    return record["input"]["messages"], record["preferred_output"], record["non_preferred_output"]


CONSUMER = Consumer(
    name="together",
    version="2.14.0",  # of 2.15, 2.19, 2.20, 2.42, 3.0 and 3.1 none looks into a message: the server does
    requirements=("together==2.14.0",),
    checks=(
        Check(
            target="openai",
            function="together.lib.utils.files.check_file",
            read=functools.partial(_read, _chat),
            expected=lambda meant: [whole(meant)],
            mutate=lambda record: {"messages": [{**message, "weight": 0.5} for message in record["messages"]]},
        ),
        Check(
            target="openai-preference",
            function="together.lib.utils.files.check_file",
            read=functools.partial(
                _read,
                lambda record: (
                    record["input"]["messages"],
                    record["preferred_output"],
                    record["non_preferred_output"],
                ),
            ),
            expected=lambda meant: [(meant.prompt, meant.chosen, meant.rejected)],
            mutate=lambda record: {**record, "preferred_output": record["preferred_output"] * 2},
        ),
    ),
)
