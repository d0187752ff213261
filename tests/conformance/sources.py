"""What is converted: files of JSON lines, and what each of their rows means by the reference's reading."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.reference import messages, parts
from conformance.check import Meant, Record

SAMPLES: Final = Path(__file__).resolve().parents[2] / "turnparse" / "samples"


def sources(data: Path | None, folder: Path) -> list[Path]:
    """Return the files to convert: the samples that are shipped, and the files of pairs in *data*.

    Args:
        data: a folder with ``*.jsonl.gz``, if there is one.
        folder: where the red-team sample is written as JSON lines, for it is one array.
    """
    attempts = folder / "red_team.jsonl"
    rows = json.loads((SAMPLES / attempts.name).read_bytes())
    attempts.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return [SAMPLES / "pairs.jsonl", attempts, *(sorted(data.glob("*.jsonl.gz")) if data else ())]


def rows_of(source: Path) -> Iterator[Record]:
    """Yield the rows of a file of JSON lines, zipped or not: one a line."""
    opened: Any = gzip.open if source.suffix == ".gz" else open
    with opened(source, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def meant(row: Record) -> Meant:
    """Return what a row says."""
    if "chosen" not in row:
        said = messages(row["transcript"])
        last = len(said) - (bool(said) and said[-1]["role"] == "assistant")
        return Meant(prompt=said[:last], chosen=said[last:], rejected=None, row=row)
    prompt, chosen, rejected = parts(row["chosen"], row["rejected"])
    return Meant(prompt=prompt, chosen=chosen, rejected=rejected, row=row)
