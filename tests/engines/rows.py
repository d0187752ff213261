"""The rows that engines are given, and what the local runner makes of them."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import attrs
import orjson
import pyarrow as pa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import turnparse
from strategies import ODD_ROWS, PAIR_ROWS

SAMPLES = files("turnparse") / "samples"


@attrs.frozen
class Local:
    """Rows, and what the local runner makes of them.

    Attributes:
        table: the rows, as a `pyarrow.Table` of chosen, rejected and id.
        path: a file of JSON lines that holds them.
        written: {id: record}, of the rows that are written to ``trl``.
        aside: {id: why, as the column of a converter has it} of the others.
    """

    table: Any
    path: Path
    written: dict[int, dict[str, Any]]
    aside: dict[int, dict[str, Any]]

    def check(self, rows: list[dict[str, Any]], *, in_order: bool = True) -> None:
        """Assert that *rows*, which a converter with a column for reasons made, are these, each once."""
        if in_order:
            assert [row["id"] for row in rows] == [*range(len(self.table))]
        assert sorted(row["id"] for row in rows) == [*range(len(self.table))]
        for row in rows:
            reason, rest = row["set_aside"], {name: value for name, value in row.items() if name != "set_aside"}
            if row["id"] in self.aside:
                assert reason == self.aside[row["id"]]
                assert rest == {"prompt": None, "chosen": None, "rejected": None, "id": row["id"]}
            else:
                assert reason is None
                assert rest == self.written[row["id"]]


def drawn(strategy: st.SearchStrategy[list[Any]], examples: int) -> list[Any]:
    """Return all items of the lists that *strategy* gives first: the same in every process."""
    found: list[Any] = []

    @settings(max_examples=examples, derandomize=True, database=None, phases=[Phase.generate],
              suppress_health_check=[*HealthCheck])  # fmt: skip
    @given(strategy)
    def collect(items: list[Any]) -> None:
        found.extend(items)

    collect()
    return found


def made_locally(folder: Path) -> Local:
    """Return the rows of the sample and of the strategies, and what `turnparse.convert` makes of a file of them in *folder*."""
    sample = [json.loads(line) for line in (SAMPLES / "pairs.jsonl").read_bytes().splitlines()]
    pairs = [(row["chosen"], row["rejected"]) for row in sample]
    pairs += drawn(PAIR_ROWS, 60) + drawn(ODD_ROWS, 60)
    rows = [{"chosen": chosen, "rejected": rejected, "id": at} for at, (chosen, rejected) in enumerate(pairs)]
    path = folder / "rows.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    turnparse.convert(path, folder / "out.jsonl", keep_columns=True)
    written = [json.loads(line) for line in (folder / "out.jsonl").read_bytes().splitlines()]
    lines = (folder / "out.jsonl.set-aside.jsonl").read_bytes().splitlines()
    aside = {found["row"]: {key: found[key] for key in ("codes", "message", "raw")} for found in map(json.loads, lines)}
    assert len(rows) == len(written) + len(aside)
    assert len(rows) > 300
    assert len(aside) > 30
    return Local(pa.Table.from_pylist(rows), path, {row["id"]: row for row in written}, aside)
