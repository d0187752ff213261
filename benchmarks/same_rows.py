"""Whether two folders hold the same rows: one digest of them all, whatever their order, format and division into files."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.baselines import PARTS

BITS: Final = 128
MODULE: Final = "benchmarks.same_rows"
SET_ASIDE: Final = "set-aside"


def digest_of(folder: Path) -> dict[str, Any]:
    """Return how many rows the files in *folder* hold, how many of them were set aside, and the digest of the others.

    It is made in a process of its own: the one that measures others stays small.
    """
    command = [sys.executable, "-m", MODULE, str(folder)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def of_files(folder: Path) -> dict[str, Any]:
    """Return the same, made here."""
    rows = aside = total = 0
    for path in sorted(folder.rglob("*")):
        if path.name.endswith(f".{SET_ASIDE}.jsonl"):
            with path.open("rb") as lines:
                aside += sum(1 for _ in lines)
        for batch in _batches(path):
            if "set_aside" in batch.schema.names:
                aside += len(batch) - batch.column("set_aside").null_count
                batch = batch.filter(batch.column("set_aside").is_null())  # noqa: PLW2901  # what is left of it
            rows += len(batch)
            for text in _texts(batch).to_pylist():
                total += int.from_bytes(hashlib.blake2b(text, digest_size=BITS // 8).digest())
    # A sum knows no order, and unlike an exclusive or it is another where a row is there twice.
    return {"rows": rows, "set aside": aside, "digest": f"{total % (1 << BITS):032x}"}


def _batches(path: Path) -> Iterator[Any]:
    """Yield the rows of a file of Parquet or JSON lines; none of any other."""
    import pyarrow as pa
    import pyarrow.json as pj
    import pyarrow.parquet as pq

    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=10_000)
    elif path.suffix == ".jsonl" and SET_ASIDE not in path.name and path.stat().st_size:
        messages = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
        parsing = pj.ParseOptions(explicit_schema=pa.schema([(part, messages) for part in PARTS]))
        with pj.open_json(path, pj.ReadOptions(block_size=1 << 24), parsing) as file:
            yield from file


def _texts(batch: Any) -> Any:
    """Return all that a row says as one text, for each row: its parts, roles and contents kept apart by bytes that no text has."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = []
    for part in PARTS:
        messages = batch.column(part)
        lengths = pc.list_value_length(messages).to_numpy()
        offsets = pa.array([0, *lengths.cumsum()], pa.int32())
        flat = messages.flatten()
        for field in ("role", "content"):
            texts = flat.field(field).cast(pa.binary())
            columns.append(pc.binary_join(pa.ListArray.from_arrays(offsets, texts), b"\xff"))
    return pc.binary_join_element_wise(*columns, b"\xfe")


if __name__ == "__main__":
    print(json.dumps(of_files(Path(sys.argv[1]))))
