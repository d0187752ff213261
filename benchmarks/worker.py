"""What the local runner takes and holds: each question of `benchmarks.stages` in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks import measure
from benchmarks.stage_clock import measured

MODULE: Final = "benchmarks.worker"


def answer(question: str, *given: object) -> dict[str, Any]:
    """Return what a process of its own has found."""
    words = [MODULE, question, *map(json.dumps, given)]
    done = subprocess.run([sys.executable, "-m", *words], check=True, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def memory(source: str, workers: int, chunk: int | None = None) -> dict[str, Any]:
    """Return the most memory of a conversion to JSON lines by so many workers; each reads *chunk* bytes at a time, if not as always."""
    from turnparse import _chunks, _sources, _streams, convert

    if chunk is not None:
        modules: list[Any] = [_chunks, _sources, _streams]
        for module in modules:
            module.CHUNK = chunk
    with tempfile.TemporaryDirectory() as folder:
        convert(source, f"{folder}/out.jsonl", workers=workers)
    return {"peak MB": measure.peak()}


def long_rows(size: int, count: int, path: str) -> dict[str, Any]:
    """Write so many rows of about *size* bytes each, made of usual turns."""
    import orjson

    from benchmarks.hostile import one_transcript

    # Two transcripts, each twice as long as what is asked for.
    row = dict(zip(("chosen", "rejected"), one_transcript(size // 4)[0], strict=True))
    line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
    Path(path).write_bytes(line * count)
    return {"row, MB": len(line) / 1e6}


def batches(table: str, rows: int) -> dict[str, Any]:
    """Return the CPU time of `turnparse.Converter` on a table in memory, by GB of its texts, in batches of so many rows."""
    import pyarrow as pa

    from turnparse import Converter

    with pa.OSFile(table) as file:
        whole = pa.ipc.open_file(file).read_all().combine_chunks()
    converter = Converter()
    converter(whole.slice(0, 1))
    given = whole.to_batches(max_chunksize=rows)
    start = time.process_time()
    for batch in given:
        converter(batch)
    return {"rows": rows, "CPU s by GB": (time.process_time() - start) / whole.nbytes * 1e9}


def manifest(source: str, outputs: int) -> dict[str, Any]:
    """Return what the manifest of so many outputs takes, each like that of *source*: bytes, and CPU seconds to write and to read it."""
    from turnparse import convert
    from turnparse._manifest import KEY, Manifest

    with tempfile.TemporaryDirectory() as folder:
        convert(source, f"{folder}/", format="jsonl.gz")
        path = Path(folder, "turnparse-manifest.json")
        ((output, entry),) = json.loads(path.read_bytes())[KEY].items()
        size, entries = entry["output"]["size"], {}
        for number in range(outputs):
            name = f"{number:06}-{output}"
            entries[name] = json.loads(json.dumps(entry).replace(output, name))
            # Of an output that is not there nothing is kept; a hole of its size takes no room.
            Path(folder, name).touch()
            os.truncate(f"{folder}/{name}", size)
        path.write_text(json.dumps({KEY: entries}))
        del entries
        before = measure.forget_peak()
        start = time.process_time()
        found = Manifest(str(path), entry["options"], replace=False)
        read = time.process_time()
        found.save(always=True)
        written = time.process_time()
        size = path.stat().st_size
        assert len(json.loads(path.read_bytes())[KEY]) == outputs
    return {
        "outputs": outputs,
        "MB": size / 1e6,
        "bytes an output": size / outputs,
        "to write, CPU s": written - read,
        "to read, CPU s": read - start,
        "MB held": measure.peak() - before,
    }


QUESTIONS: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    "stages": measured,
    "memory": memory,
    "long rows": long_rows,
    "batches": batches,
    "manifest": manifest,
}

if __name__ == "__main__":
    QUESTION, *GIVEN = sys.argv[1:]
    print(json.dumps(QUESTIONS[QUESTION](*map(json.loads, GIVEN))))
