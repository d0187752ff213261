"""Hugging Face's datasets: the rows of the local runner, whole or streaming, and a cache that is hit when it should be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

import turnparse
from engines.rows import SAMPLES, Local
from strategies import DIALECTS
from turnparse._target import targets
from turnparse.targets import Messages


@pytest.fixture(scope="module")
def datasets() -> Any:
    """Return the library, quiet."""
    module: Any = pytest.importorskip("datasets")
    module.disable_progress_bars()
    return module


@pytest.fixture
def dataset(datasets: Any, local: Local, tmp_path: Path) -> Any:
    """Return the rows as a dataset whose cache is empty."""
    import pyarrow.parquet as pq

    pq.write_table(local.table, tmp_path / "rows.parquet")
    return datasets.Dataset.from_parquet(str(tmp_path / "rows.parquet"), cache_dir=str(tmp_path / "cache"))


CONVERTER = turnparse.Converter(keep_columns=True)


@pytest.mark.parametrize("workers", [None, 2])
def test_the_rows_are_those_of_the_local_runner(dataset: Any, local: Local, workers: int | None) -> None:
    """Rows are written and set aside as by `turnparse.convert`, in one process or two."""
    made = dataset.with_format("arrow").map(CONVERTER, batched=True, batch_size=64, num_proc=workers).with_format(None)

    local.check(made.to_list())
    assert made.features.arrow_schema.equals(CONVERTER.schema_for(local.table.schema))


def test_rows_of_a_stream_are_those_of_the_local_runner(datasets: Any, dataset: Any, local: Local) -> None:
    """A stream gives the same rows, with the same types if they are asked for, and so does what is left of it."""
    features = datasets.Features.from_arrow_schema(CONVERTER.schema_for(dataset.features.arrow_schema))
    stream = dataset.to_iterable_dataset(num_shards=3).with_format("arrow")
    made = stream.map(CONVERTER, batched=True, batch_size=50, features=features).with_format(None)

    local.check(list(made))
    assert made.features == features
    kept = made.filter(lambda row: row["set_aside"] is None).remove_columns(["set_aside"])
    assert list(kept) == [*local.written.values()]


@pytest.mark.parametrize("format_", [None, "numpy", "pandas"])
def test_other_formats_need_to_be_told_the_types(datasets: Any, dataset: Any, format_: str | None) -> None:
    """Lists, arrays and frames give the same rows; the types must be named, since a first batch may have no reasons in it.

    Of NumPy's texts of fixed width, which that format has, NUL at the end is lost before anybody is asked.
    """
    features = datasets.Features.from_arrow_schema(CONVERTER.schema_for(dataset.features.arrow_schema))
    made = dataset.with_format(format_).map(
        CONVERTER, batched=True, batch_size=50, remove_columns=dataset.column_names, features=features
    )
    expected = dataset.with_format("arrow").map(CONVERTER, batched=True).with_format(None)
    cut = {row["id"] for row in dataset if any(row[side].endswith("\0") for side in ("chosen", "rejected"))}
    cut = cut if format_ == "numpy" else set()

    assert [row for row in made.with_format(None).to_list() if row["id"] not in cut] == [
        row for row in expected.to_list() if row["id"] not in cut
    ]


def test_attempts(datasets: Any) -> None:
    """Attempts of red teams become messages, with their metadata beside them."""
    rows = json.loads((SAMPLES / "red_team.jsonl").read_bytes())
    dataset = datasets.Dataset.from_list(rows)
    converter = turnparse.Converter("messages", set_aside="raise", preset="faithful")
    made = dataset.with_format("arrow").map(converter, batched=True).with_format(None)

    expected = turnparse.convert_table(dataset.with_format("arrow")[:], "messages", "faithful").rows
    assert made.to_list() == expected.to_pylist()
    assert {"messages", "rating", "tags"} <= {*made.column_names}


def test_a_stream_must_not_be_told_to_remove_columns(dataset: Any) -> None:
    """With Arrow's format nothing is left to remove; of a stream datasets would remove them from what was just written."""
    columns = dataset.column_names
    whole = dataset.with_format("arrow").map(CONVERTER, batched=True, remove_columns=columns)
    stream = dataset.to_iterable_dataset().with_format("arrow")

    assert whole.column_names == dataset.with_format("arrow").map(CONVERTER, batched=True).column_names
    assert [*next(iter(stream.map(CONVERTER, batched=True, remove_columns=columns).with_format(None)))] == [
        "prompt",
        "set_aside",
    ]


def test_a_call_leaves_the_fingerprint_as_it_was(datasets: Any, dataset: Any) -> None:
    """The second map of a dataset is found in the cache: calls do not change what is hashed."""
    converter = turnparse.Converter(policies={"same-speaker": "merge"})
    before = datasets.fingerprint.Hasher.hash(converter)
    first = dataset.with_format("arrow").map(converter, batched=True)

    assert datasets.fingerprint.Hasher.hash(converter) == before
    assert dataset.with_format("arrow").map(converter, batched=True)._fingerprint == first._fingerprint  # noqa: SLF001  # what it is about


HASHES = """
import sys
import turnparse._version
turnparse._version.__version__ = sys.argv[1]
import attrs, datasets, pyarrow as pa, turnparse
from turnparse.targets import Messages, Target
hash_of = datasets.fingerprint.Hasher.hash
own = Target(name="own", about="a", link="b", takes=("pair",), columns={"talk": Messages("whole-chosen")})
made = [
    turnparse.Converter(),
    turnparse.Converter(preset="strict"),
    turnparse.Converter(policies={"same-speaker": "merge", "preamble": "drop"}),
    turnparse.Converter(set_aside="drop"),
    turnparse.Converter(own),
    turnparse.Converter(attrs.evolve(own, columns={"talk": Messages("whole-rejected")})),
    turnparse.Converter(dialect=sys.argv[2]),
    turnparse.Converter(dialect=turnparse.Dialect.named().with_labels(user=["User", "Human"], assistant="Bot")),
]
before = [hash_of(one) for one in made]
for one in made:
    one(pa.table({"chosen": ["\\n\\nHuman: q\\n\\nAssistant: a"], "rejected": ["\\n\\nHuman: q\\n\\nAssistant: b"]}))
assert before == [hash_of(one) for one in made]
print(*before)
"""


def hashes(version: str, grammar: Path, seed: str) -> list[str]:
    """Return what datasets call converters of several options in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-c", HASHES, version, str(grammar)]
    environment = os.environ | {"PYTHONHASHSEED": seed, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_fingerprints(datasets: Any, tmp_path: Path) -> None:  # noqa: ARG001  # skips
    """They are the same in every process, before and after a call, and others for other options, grammars and versions."""
    grammar = tmp_path / "mine.lark"
    text = (DIALECTS / "user_bot.lark").read_text(encoding="utf-8")
    grammar.write_text(text, encoding="utf-8")
    first = hashes("1", grammar, "0")
    assert len(set(first)) == len(first)
    assert hashes("1", grammar, "1") == first

    grammar.write_text(text.replace("Bot", "Robot"), encoding="utf-8")
    changed = [was != now for was, now in zip(first, hashes("1", grammar, "2"), strict=True)]
    assert changed == [False] * 6 + [True, False]
    assert set(hashes("2", grammar, "3")).isdisjoint(first)


MAPPED = """
import sys
import datasets, turnparse
ds = datasets.Dataset.from_parquet(sys.argv[1], cache_dir=sys.argv[2])
ds.with_format("arrow").map(turnparse.Converter("trl", "strict"), batched=True)
"""


def test_another_process_finds_the_result_in_the_cache(datasets: Any, local: Local, tmp_path: Path) -> None:  # noqa: ARG001  # skips
    """What one process has mapped, another does not map again."""
    import pyarrow.parquet as pq

    pq.write_table(local.table, tmp_path / "rows.parquet")
    command = [sys.executable, "-c", MAPPED, str(tmp_path / "rows.parquet"), str(tmp_path / "cache")]
    found = []
    for seed in ("1", "2"):
        subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True)
        found.append({path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("cache-*.arrow")})

    assert len(found[0]) == 1
    assert found[0] == found[1]


def test_a_target_of_ones_own_is_hashed_by_what_it_is(datasets: Any) -> None:
    """Two targets of the same words have one fingerprint, wherever they come from."""
    one, other = (
        attrs.evolve(targets()["trl"], name="own", columns={"talk": Messages("whole-chosen")}, rules=()) for _ in "12"
    )
    hash_of = datasets.fingerprint.Hasher.hash

    assert hash_of(turnparse.Converter(one)) == hash_of(turnparse.Converter(other))
    assert hash_of(turnparse.Converter(one)) != hash_of(turnparse.Converter(attrs.evolve(one, name="mine")))
