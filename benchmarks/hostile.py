"""Whether a text can be so shaped that a byte of it takes far longer than a byte of a regular row."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, Final

from benchmarks import measure
from benchmarks.baselines import plain_messages, turnparse_table

MODULE: Final = "benchmarks.hostile"
SECONDS: Final = 300.0
"""After this long a shape is given up, and said to be."""

Pairs = list[tuple[str, str]]


def regular(size: int) -> Pairs:
    from benchmarks.inputs import dialogues

    return list(islice(dialogues(size, odd_share=0), max(1, size // 660)))


def every_row_odd(size: int) -> Pairs:
    return [(f"\n\nHuman: Hello.{a}", f"\n\nHuman: Hello.{b}") for a, b in regular(size)]


def one_row(body: str, size: int) -> Pairs:
    """Return one pair of *size* bytes on each side, of *body* over and over, that differs in its last turn alone."""
    shared = "\n\nHuman: Begin.\n\nAssistant: Here." + body * max(1, size // len(body.encode()))
    return [(f"{shared}\n\nAssistant: Yes.", f"{shared}\n\nAssistant: No.")]


def one_transcript(size: int) -> Pairs:
    return one_row("".join(chosen for chosen, _ in regular(min(size, 1_000_000))), 2 * size)


SHAPES: Final[dict[str, Callable[[int], Pairs]]] = {
    "regular rows": regular,
    "every row odd": every_row_odd,
    "one transcript": one_transcript,
    "a turn every 24 bytes, in one": lambda size: one_row("\n\nHuman: a\n\nAssistant: b", size // 4),
    "newlines only": lambda size: one_row("\n", size),
    "labels without a colon": lambda size: one_row("\n\nHuman", size),
}
"""{shape: pairs of about so many bytes on a side}; a transcript is twice as long, and turns are a million at 50 MB."""


def compare(megabytes: float) -> list[dict[str, Any]]:
    """Return what a byte of each shape takes, of about *megabytes* on a side."""
    found: list[dict[str, Any]] = []
    for name in SHAPES:
        print(f"hostile shapes: {name}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            result = Path(folder) / "result.json"
            command = [sys.executable, "-m", MODULE, name, str(megabytes), str(result)]
            usage = measure.run(command, measure.ONE_CORE, SECONDS, pages=False)
            figures = {"failure": usage.failure} if usage.failure else json.loads(result.read_text())
        if found and "failure" not in found[0] and not usage.failure:
            figures["times regular"] = figures["ns/byte"] / found[0]["ns/byte"]
        found.append({"shape": name} | figures)
    return found


def measured(name: str, megabytes: float) -> dict[str, Any]:
    """Return the CPU time of one call on a shape, that of the plain loop, and the memory that the call took."""
    import pyarrow as pa

    pairs = SHAPES[name](int(megabytes * 1e6))
    size = sum(len(text.encode()) for pair in pairs for text in pair)
    table = pa.table([pa.array(side, pa.string()) for side in zip(*pairs, strict=True)], ["chosen", "rejected"])
    call = turnparse_table()
    call(table.slice(0, 1) if len(table) > 1 else pa.table({"chosen": [""], "rejected": [""]}))
    before = measure.forget_peak()
    start = time.process_time()
    made = call(table)
    seconds = time.process_time() - start
    peak = measure.peak()
    start = time.process_time()
    for pair in pairs:
        plain_messages(*pair)
    plain = time.process_time() - start
    return {
        "MB": size / 1e6,
        "rows": len(pairs),
        "regular": made.regular,
        "rows out": len(made.rows),
        "CPU s": seconds,
        "ns/byte": seconds / size * 1e9,
        "plain loop ns/byte": plain / size * 1e9,
        "MB above input": peak - before,
    }


if __name__ == "__main__":
    SHAPE, MEGABYTES, RESULT = sys.argv[1:]
    Path(RESULT).write_text(json.dumps(measured(SHAPE, float(MEGABYTES))))
