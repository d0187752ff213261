"""Many files at once: folders and patterns, an output for each, threads that change nothing, and runs that are stopped."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import json_files
from turnparse import IncompleteError, OptionError, OutputError, SourceError
from turnparse._cli import main
from written import FORMATS, SET_ASIDE, adds_up, as_lines, convert, files_in, pairs, read_back, run, talks, zstd


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all examples of a property may write to."""
    return tmp_path_factory.mktemp("shards")


def tree(folder: Path, *names: str) -> Path:
    """Return a folder with files of these names, two rows and a bad one in each."""
    for number, name in enumerate(names):
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rows: list[Any] = [*talks(2, 10 * number), b"{" + name.encode()]
        if name.endswith(".parquet"):
            pq.write_table(pa.Table.from_pylist(talks(2, 10 * number)), path)
        else:
            zip_up = {".gz": gzip.compress, ".zst": zstd}.get(path.suffix, bytes)
            path.write_bytes(zip_up(as_lines(rows)))
    return folder / "data"


NAMES = ["a.jsonl", "b/c.json", "b/d/e.ndjson.gz", "b/d/f.jsonl.zst", "b-g.jsonl", "z.parquet"]
"""In the order in which they are read."""
LEFT_OUT = [".hidden.jsonl", ".hidden/x.jsonl", "b/.x.jsonl", "a.jsonl.set-aside.jsonl", "notes.txt", "b/x.jsonl.bak"]


def sources_in(path: Path, data: Path) -> list[str]:
    """Return the sources that the rows of an output say they come from, each once, in order."""
    names = [row["source"] for row in read_back(path)]
    return [str(Path(name).relative_to(data)) for name in dict.fromkeys(names)]


# Folders and patterns.


def test_a_folder_is_its_files_in_order(tmp_path: Path) -> None:
    """A folder is read to its bottom, sorted, without what is hidden, was set aside or is of another kind."""
    data = tree(tmp_path, *NAMES, *LEFT_OUT)
    summary = convert(data, tmp_path / "out.jsonl", to="messages", provenance=True)

    assert sources_in(tmp_path / "out.jsonl", data) == NAMES
    assert summary.rows_in == 3 * len(NAMES) - 1


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jsonl", {"a.jsonl", "b-g.jsonl"}),
        ("**/*.jsonl*", {"a.jsonl", "b-g.jsonl", "b/d/f.jsonl.zst"}),
        ("b/**/[ef].*", {"b/d/e.ndjson.gz", "b/d/f.jsonl.zst"}),
        ("?.*", {"a.jsonl", "z.parquet"}),
        ("**/d/*", {"b/d/e.ndjson.gz", "b/d/f.jsonl.zst"}),
    ],
)
def test_a_pattern_is_the_files_that_fit(tmp_path: Path, pattern: str, expected: set[str]) -> None:
    """A pattern names the files that fit it, sorted, hidden ones left out."""
    data = tree(tmp_path, *NAMES, *LEFT_OUT[:3], "notes.txt")
    convert(str(data / pattern), tmp_path / "out.jsonl", to="messages", provenance=True)

    assert sources_in(tmp_path / "out.jsonl", data) == sorted(expected, key=lambda name: Path(name).parts)


def test_a_pipe_in_a_folder_is_no_source(tmp_path: Path) -> None:
    """What is no file is not waited for, whatever its name."""
    data = tree(tmp_path, "a.jsonl")
    os.mkfifo(data / "b.jsonl")
    convert(data, tmp_path / "out.jsonl", to="messages", provenance=True)

    assert sources_in(tmp_path / "out.jsonl", data) == ["a.jsonl"]


def test_a_file_of_the_name_of_a_pattern_comes_first(tmp_path: Path) -> None:
    """A file whose name looks like a pattern is that file."""
    data = tree(tmp_path, "[ab].jsonl", "a.jsonl")
    convert(data / "[ab].jsonl", tmp_path / "out.jsonl", to="messages", provenance=True)

    assert sources_in(tmp_path / "out.jsonl", data) == ["[ab].jsonl"]


def test_sources_keep_the_order_in_which_they_are_named(tmp_path: Path) -> None:
    """Only what one folder or pattern names is sorted; a source named twice is read twice."""
    data = tree(tmp_path, *NAMES)
    sources = [data / "z.parquet", data / "b" / "d", data / "a.jsonl", data / "a.jsonl"]
    summary = convert(sources, tmp_path / "out.jsonl", to="messages", provenance=True)

    assert sources_in(tmp_path / "out.jsonl", data) == ["z.parquet", "b/d/e.ndjson.gz", "b/d/f.jsonl.zst", "a.jsonl"]
    assert summary.rows_in == 14


@pytest.mark.parametrize("name", ["nothing", "data/*.csv", "data/.hidden"])
def test_a_folder_or_pattern_without_files_is_refused(tmp_path: Path, name: str) -> None:
    """Sources that name no file are an error before anything is written."""
    tree(tmp_path, "a.txt", ".hidden/.x.jsonl")
    before = files_in(tmp_path)
    with pytest.raises(SourceError):
        convert(tmp_path / name, tmp_path / "out.jsonl")
    assert files_in(tmp_path) == before


# An output for each source.


@pytest.mark.parametrize("ending", [None, *FORMATS])
@pytest.mark.parametrize("aside", [False, True])
def test_each_source_has_its_output(tmp_path: Path, ending: str | None, *, aside: bool) -> None:
    """Into a folder each source is written under its own name and place, its rows set aside beside it or elsewhere."""
    data = tree(tmp_path, *NAMES)
    place = f"{tmp_path}/aside/" if aside else None
    convert(data, f"{tmp_path}/out/", to="messages", format=ending, set_aside=place, provenance=True)

    stems = ["a", "b/c", "b/d/e", "b/d/f", "b-g", "z"]
    outputs = {f"out/{stem}.{ending or 'jsonl'}" for stem in stems}
    if aside:
        others = {f"aside/{stem}{SET_ASIDE}" for stem in stems[:-1]}
    else:
        others = {f"out/{stem}.{ending or 'jsonl'}{SET_ASIDE}" for stem in stems[:-1]}
    assert {name for name in files_in(tmp_path) if not name.startswith("data/")} == outputs | others
    for stem, name in zip(stems, NAMES, strict=True):
        assert sources_in(tmp_path / "out" / f"{stem}.{ending or 'jsonl'}", data) == [name]
    for name in others:
        (row,) = read_back(tmp_path / name)
        assert row["row"] == 2


def test_an_existing_folder_needs_no_slash(tmp_path: Path) -> None:
    """A folder that is there is one, slash or none, and files of others in it stay."""
    data = tree(tmp_path, "a.jsonl")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_bytes(b"x")
    convert(data, tmp_path / "out", to="messages")

    assert set(files_in(tmp_path / "out")) == {"a.jsonl", "a.jsonl.set-aside.jsonl", "mine.txt"}


@pytest.mark.parametrize(
    ("names", "options"),
    [
        (["a.jsonl", "a.jsonl.gz"], {}),
        (["a.jsonl", "a.parquet"], {"format": "arrow"}),
        (["a.jsonl"], {"set_aside": "one.jsonl"}),
        (["a.jsonl"], {"format": "csv"}),
        (["a.jsonl"], {"format": "jsonl", "output": "out.jsonl"}),
        (["a.jsonl"], {"output": "data/"}),
        (["a.jsonl"], {"output": "out/", "set_aside": "data/", "format": "jsonl", "names": ["a.set-aside.jsonl"]}),
        (["a.jsonl"], {"output": "data/a.jsonl"}),
        (["a.jsonl"], {"output": "b.jsonl", "set_aside": "data/a.jsonl"}),
        (["a.jsonl"], {"output": "b.jsonl", "summary": "data/a.jsonl"}),
        (["a.jsonl"], {"output": "out/", "summary": "out/a.jsonl"}),
        (["a.jsonl"], {"output": "link.jsonl"}),
    ],
)
def test_clashes_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], options: dict[str, Any]
) -> None:
    """Two outputs of one name, an output that is a source, and folders mixed with files are refused, nothing touched."""
    monkeypatch.chdir(tmp_path)
    tree(tmp_path, *names)
    Path("link.jsonl").symlink_to("data/a.jsonl")
    more = options.pop("names", [])
    tree(tmp_path, *more)
    before = files_in(tmp_path)
    with pytest.raises(OptionError):
        convert(["data", *(f"data/{name}" for name in more)], options.pop("output", "out/"), to="messages", **options)
    assert files_in(tmp_path) == before


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_damaged_and_missing_sources_cost_only_themselves(tmp_path: Path, workers: int, ending: str) -> None:
    """Beside good sources each that is damaged or missing is told by name, and has the output of what could be read."""
    data = tree(tmp_path, "a.jsonl", "b.jsonl", "c.jsonl")
    (data / "a2.jsonl.gz").write_bytes(gzip.compress(as_lines(talks(3))) + b"garbage")
    (data / "b2.parquet").write_bytes(b"PAR1 and nothing")
    with pytest.raises(IncompleteError) as caught:
        convert([data, tmp_path / "gone.jsonl"], f"{tmp_path}/out/", to="messages", format=ending, workers=workers)

    assert all(name in str(caught.value) for name in ("a2.jsonl.gz", "b2.parquet", "gone.jsonl"))
    adds_up(caught.value.summary)
    written = {
        name: len(read_back(tmp_path / "out" / name)) for name in files_in(tmp_path / "out") if "aside" not in name
    }
    assert written == {f"{name}.{ending}": rows for name, rows in (("a", 2), ("a2", 3), ("b", 2), ("c", 2))}


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "parquet"])
def test_an_output_that_cannot_be_written_stops_the_run(tmp_path: Path, workers: int, ending: str) -> None:
    """If one of many outputs cannot be written that is told, and each file that is there is whole."""
    data = tree(tmp_path, *(f"{number}.jsonl" for number in range(9)))
    (tmp_path / "out" / f"4.{ending}").mkdir(parents=True)
    with pytest.raises(OutputError, match=rf"4\.{ending}"):
        convert(data, f"{tmp_path}/out/", to="messages", format=ending, workers=workers)

    found = files_in(tmp_path / "out")
    assert not [name for name in found if name.endswith(".part") or name.startswith("4")]
    assert all(len(read_back(tmp_path / "out" / name)) == (1 if "aside" in name else 2) for name in found)


# Threads change nothing.


def some_sources(folder: Path) -> list[Path]:
    """Return sources of several kinds, with many chunks if chunks are small."""
    rows: list[Any] = pairs(100)
    rows[50:50] = [b"{", b"", {"chosen": "x", "rejected": 1}]
    rows[80] = {"text": "Be brief." + talks(1)[0]["text"]}
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(as_lines(rows))
    (folder / "b.json").write_bytes(json.dumps(pairs(40, 1000), indent=1).encode())
    (folder / "c.jsonl.gz").write_bytes(gzip.compress(as_lines(pairs(40, 2000), b"\r\n\n")))
    (folder / "d.jsonl.zst").write_bytes(zstd(as_lines([b"[", *pairs(40, 3000), b"]"])))
    pq.write_table(pa.Table.from_pylist([*pairs(40, 4000), {"chosen": None, "rejected": "x"}]), folder / "e.parquet")
    with pa.ipc.new_stream(folder / "f.arrow", pa.Table.from_pylist(pairs(1)).schema) as writer:
        writer.write_table(pa.Table.from_pylist(pairs(40, 5000)), 20)
    return sorted(folder.iterdir())


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("into_folder", [False, True])
@pytest.mark.parametrize("options", [{}, {"keep_columns": True, "provenance": True}])
def test_the_number_of_threads_changes_no_byte(
    tmp_path: Path, ending: str, options: dict[str, Any], *, into_folder: bool
) -> None:
    """From many sources, however many threads there are, and run after run, the same bytes come out."""
    sources = some_sources(tmp_path / "data")
    found = []
    with mock.patch("turnparse._chunks.CHUNK", 700):
        for number, workers in enumerate([1, 2, 5, 5]):
            output = tmp_path / str(number)
            output.mkdir()
            if into_folder:
                summary = convert(sources, output, format=ending, workers=workers, **options)
            else:
                summary = convert(sources, output / f"out.{ending}", workers=workers, **options)
            adds_up(summary)
            found.append((summary.as_dict(), files_in(output)))
    assert all(other == found[0] for other in found[1:])
    assert found[0][0]["rows_in"] == 102 + 4 * 40 + 41


@settings(max_examples=15)
@given(files=st.lists(json_files(), min_size=1, max_size=3), workers=st.sampled_from([2, 5]), ending=st.sampled_from(["jsonl", "parquet"]))  # fmt: skip
def test_threads_change_nothing_in_any_file(folder: Path, files: list[bytes], workers: int, ending: str) -> None:
    """The same holds of files that hold anything."""
    sources = [folder / f"in{number}" for number in range(len(files))]
    for source, data in zip(sources, files, strict=True):
        source.write_bytes(data)
    found: list[Any] = []
    with mock.patch("turnparse._chunks.CHUNK", 100):
        for threads in (1, workers):
            output = folder / f"out.{ending}"
            for path in (output, output.with_name(output.name + SET_ASIDE)):
                path.unlink(missing_ok=True)
            try:
                summary, failed = run(sources, output, to="messages", workers=threads, keep_columns=True)
            except SourceError as error:
                found.append(({}, str(error), files_in(folder)))
            else:
                found.append((summary.as_dict(), failed, files_in(folder)))
    assert found[0] == found[1]


# The command, and progress.


@pytest.mark.parametrize("into_folder", [False, True])
def test_the_options_of_the_command_reach_the_call(tmp_path: Path, *, into_folder: bool) -> None:
    """``--workers``, ``--format`` and ``--provenance`` are the arguments of the call."""
    output = "out/" if into_folder else "out.parquet"
    arguments = ["--workers", "3", "--provenance", *(["--format", "arrow"] if into_folder else [])]
    with mock.patch("turnparse._cli.convert_sources", side_effect=convert) as called:
        data = tree(tmp_path, "a.jsonl", "b.jsonl")
        result = CliRunner().invoke(
            main, ["convert", str(data), "--to", "messages", "-o", f"{tmp_path}/{output}", *arguments]
        )
    assert result.exit_code == 0, result.output
    options = called.call_args.kwargs
    assert (options["workers"], options["provenance"], options["format"]) == (3, True, "arrow" if into_folder else None)
    found = tmp_path / output / "a.arrow" if into_folder else tmp_path / output
    assert sources_in(found, data) == (["a.jsonl"] if into_folder else ["a.jsonl", "b.jsonl"])


@pytest.mark.parametrize(
    "arguments", [["--workers", "0"], ["--workers", "x"], ["--format", "csv"], ["--format", "jsonl"]]
)
def test_wrong_options_of_the_command_are_bad_usage(tmp_path: Path, arguments: list[str]) -> None:
    """A wrong number of threads or format, or a format without a folder, is exit code 2, and nothing is written."""
    data = tree(tmp_path, "a.jsonl")
    before = files_in(tmp_path)
    result = CliRunner().invoke(main, ["convert", str(data), "-o", f"{tmp_path}/out.jsonl", *arguments])

    assert result.exit_code == 2
    assert files_in(tmp_path) == before


def as_parquet(path: Path, table: Any) -> None:
    """Write Parquet of many row groups."""
    pq.write_table(table, path, row_group_size=3000)


def as_file(path: Path, table: Any) -> None:
    """Write a file of Arrow IPC of many batches."""
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, 3000)


def as_stream(path: Path, table: Any) -> None:
    """Write a stream of Arrow IPC of many batches."""
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table, 3000)


def as_zst(path: Path, table: Any) -> None:
    """Write zipped JSON lines."""
    path.write_bytes(zstd(as_lines(table.to_pylist())))


@pytest.mark.parametrize("write", [as_parquet, as_file, as_stream, as_zst])
@pytest.mark.parametrize("rows", [0, 3, 40_000])
@pytest.mark.parametrize("workers", [1, 2])
def test_progress_adds_up(tmp_path: Path, write: Callable[[Path, Any], None], rows: int, workers: int) -> None:
    """The bytes told are those of the file, and never more than there are, whatever it holds."""
    table = pa.table({"text": pa.array([row["text"] for row in talks(rows)], pa.string())})
    write(tmp_path / "in", table)
    told: list[int] = []
    convert(tmp_path / "in", tmp_path / "out.jsonl", to="messages", on_bytes=told.append, workers=workers)

    assert sum(told) == (tmp_path / "in").stat().st_size
    assert all(count >= 0 for count in told)


@pytest.mark.parametrize("error", [ValueError, OSError, EOFError])
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.parquet"])
@pytest.mark.parametrize("after", [0, 1])
def test_an_error_of_the_callback_is_the_callers(tmp_path: Path, error: type[Exception], name: str, after: int) -> None:
    """What `on_bytes` raises comes out as it is: it does not make a sound source a damaged one."""
    data = tree(tmp_path, name, "b.jsonl")
    calls = 0

    def fail(_: int) -> None:
        nonlocal calls
        calls += 1
        if calls > after:
            raise error("mine")

    with pytest.raises(error, match="mine") as caught:
        convert(data, tmp_path / "out.jsonl", to="messages", on_bytes=fail)
    assert caught.type is error
    assert not (tmp_path / "out.jsonl").exists()


# Runs that are stopped.


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("into", [*(f"out.{ending}" for ending in FORMATS), "out/"])
@pytest.mark.parametrize("name", ["%d.jsonl", "%d.jsonl.gz", "%d.jsonl.zst", "%d.parquet"])
@pytest.mark.parametrize("after", [0, 3])
def test_an_interrupt_leaves_no_half_file(tmp_path: Path, workers: int, into: str, name: str, after: int) -> None:
    """An interrupt comes out as it is; a single output is not there, one of many is not there or whole."""
    data = tree(tmp_path, *(name % number for number in range(6)))
    calls = 0

    def interrupt(_: int) -> None:
        nonlocal calls
        calls += 1
        if calls > after:
            raise KeyboardInterrupt

    with mock.patch("turnparse._chunks.CHUNK", 100), pytest.raises(KeyboardInterrupt):
        convert(data, f"{tmp_path}/{into}", to="messages", workers=workers, on_bytes=interrupt)

    found = {name: held for name, held in files_in(tmp_path).items() if not name.startswith("data/")}
    assert not [name for name in found if "part" in name]
    if into != "out/":
        assert found == {}
    assert all(len(read_back(tmp_path / name)) == (1 if "aside" in name else 2) for name in found)
