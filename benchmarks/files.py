"""How fast a file becomes a file: gzipped JSON lines to Parquet, each contender a process, round after round, checked."""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs

from benchmarks import measure
from benchmarks.baselines import PARTS, SIDES
from benchmarks.contenders import FILES
from benchmarks.memory import missing
from benchmarks.reference import key, parts, tally

MODULE: Final = "benchmarks.files"
TURNPARSE, TURNPARSE_ALONE = "turnparse convert", "turnparse convert, --workers 1"
CHECKED: Final = "each row checked for oddities, none lost"
OPTIONS: Final = ("--to", "trl", "--preset", "faithful")


@attrs.frozen
class Command:
    """A command that converts a file.

    Attributes:
        name: what the table calls it.
        words: the command, the source and the output left out.
        between: what stands between the source and the output.
        note: what a reader must know to compare it.
        absent: why it cannot run.
    """

    name: str
    words: tuple[str, ...]
    between: tuple[str, ...] = ()
    note: str = ""
    absent: str = ""


def commands() -> Iterator[Command]:
    """Yield the contenders: turnparse as anybody runs it, and each baseline in a process of its own."""
    convert = (sys.executable, "-m", "turnparse", "convert")
    yield Command(TURNPARSE, convert, (*OPTIONS, "--output"), note=CHECKED)
    yield Command(TURNPARSE_ALONE, convert, (*OPTIONS, "--workers", "1", "--output"), note=CHECKED)
    for place, contender in enumerate(FILES):
        words = (sys.executable, "-m", MODULE, "convert", str(place))
        yield Command(contender.name, words, note=contender.note, absent=missing(contender.needs))


def compare(source: Path, rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Return {contender: what each round measured, or one record that says why there is none}."""
    found: dict[str, list[dict[str, Any]]] = {}
    for number in range(rounds):
        for command in commands():
            records = found.setdefault(command.name, [])
            if records and "failure" in records[-1]:
                continue
            print(f"files, round {number + 1} of {rounds}: {command.name}", file=sys.stderr, flush=True)
            records.append(_round(source, command, records[-1] if records else None))
    return found


def _round(source: Path, command: Command, before: dict[str, Any] | None) -> dict[str, Any]:
    """Return what one run took and made; bytes that were checked *before* are not checked again."""
    if command.absent:
        return {"failure": command.absent}
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out.parquet"
        usage = measure.run(
            [*command.words, str(source), *command.between, str(output)], {"HF_HOME": str(Path(folder) / "hf")}
        )
        if usage.failure:
            return {"failure": usage.failure}
        record: dict[str, Any] = {"wall": usage.wall, "cpu": usage.cpu, "rss": usage.rss, "pss": usage.pss}
        record["sha256"] = digest(output)
        if before is not None and before["sha256"] == record["sha256"]:
            return before | record
        checked = Path(folder) / "checked.json"
        usage = measure.run([sys.executable, "-m", MODULE, "check", str(source), str(output), str(checked)])
        return record | (json.loads(checked.read_text()) if not usage.failure else {"failure": usage.failure})


def digest(*paths: Path) -> str:
    """Return one digest of the bytes of all files, that two runs can be seen to agree."""
    found = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()


def check(source: Path, output: Path) -> dict[str, Any]:
    """Return what became of the rows of *source* in *output*, read by Arrow."""
    with gzip.open(source, "rb") as lines:
        pairs = [(row["chosen"], row["rejected"]) for row in map(json.loads, lines)]
    rows = _written(output)
    first = next(rows, {})
    parsed = "prompt" in first
    expected = [key(parts(*pair) if parsed else pair) for pair in pairs]
    columns = PARTS if parsed else SIDES

    def made() -> Iterator[bytes]:
        for row in (first, *rows) if first else ():
            yield key(tuple(row[column] for column in columns))

    return attrs.asdict(tally(expected, made())) | {"rows": len(pairs)}


def _written(output: Path) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(output) as file:
        for batch in file.iter_batches(batch_size=1000):
            yield from batch.to_pylist()


if __name__ == "__main__":
    TASK, *GIVEN = sys.argv[1:]
    if TASK == "convert":
        FILES[int(GIVEN[0])].convert(*GIVEN[1:])
    else:
        Path(GIVEN[2]).write_text(json.dumps(check(Path(GIVEN[0]), Path(GIVEN[1]))))
