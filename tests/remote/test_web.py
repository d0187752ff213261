"""Files on web servers, of every kind that there are."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import turnparse
from remote.conftest import BUCKET, commanded
from remote.hub import Hub
from turnparse import FaultError, IncompleteError, OptionError, SourceError
from written import all_in, as_lines, files_in, pairs

Web = Callable[[str], str]


def served(hub: Hub, **files: bytes) -> None:
    """Put files on the web server; a name's ``_`` stands for a point."""
    hub.files["web/site"] = {name.replace("_", "."): data for name, data in files.items()}


def parquet(rows: list[dict[str, Any]], **options: Any) -> bytes:
    """Return *rows* as a file of Parquet."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink, **options)
    data: bytes = sink.getvalue().to_pybytes()
    return data


@pytest.mark.parametrize("sizes", [True, False], ids=["sizes", "no sizes"])
@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
@pytest.mark.parametrize("name", ["x_jsonl", "x_jsonl_gz"])
def test_lines_are_read_of_any_server(
    hub: Hub, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, *, sizes: bool, ranges: bool
) -> None:
    """Whether it tells how long a file is or not, and gives parts of it or not, what is read is what the file holds."""
    monkeypatch.setattr("turnparse._remote_files.BLOCK", 1000)
    rows = as_lines(pairs(200))
    served(hub, **{name: gzip.compress(rows) if name.endswith("gz") else rows})
    hub.sizes, hub.ranges = sizes, ranges
    (tmp_path / "in.jsonl").write_bytes(rows)
    turnparse.convert(tmp_path / "in.jsonl", tmp_path / "expected.jsonl", to="trl")
    turnparse.convert(web(name.replace("_", ".")), tmp_path / "o.jsonl", to="trl")

    assert (tmp_path / "o.jsonl").read_bytes() == (tmp_path / "expected.jsonl").read_bytes()


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
def test_parquet_is_read_of_servers_that_tell_sizes(
    hub: Hub, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, ranges: bool
) -> None:
    """A server that gives no parts is asked for the whole again where Arrow goes back."""
    monkeypatch.setattr("turnparse._remote_files.BLOCK", 1000)
    served(hub, x_parquet=parquet(pairs(500), row_group_size=50))
    hub.ranges = ranges
    turnparse.convert(web("x.parquet"), tmp_path / "o.jsonl", to="trl")
    assert (tmp_path / "o.jsonl").read_bytes().count(b"\n") == 500


def test_parquet_is_refused_where_it_can_be_read_from_its_start_only(hub: Hub, web: Web, tmp_path: Path) -> None:
    """The message says what to do."""
    served(hub, x_parquet=parquet(pairs(5)))
    hub.sizes = hub.ranges = False
    with pytest.raises(SourceError, match="save it first"):
        turnparse.convert(web("x.parquet"), tmp_path / "o.jsonl", to="trl")


def test_parquet_is_read_of_every_store(hub: Hub, s3: Any, tmp_path: Path) -> None:
    """Of the Hub and S3 as of a file here."""
    data = parquet(pairs(20))
    hub.files["me/in"] = {"x.parquet": data}
    s3.pipe_file(f"{BUCKET}/x.parquet", data)
    (tmp_path / "x.parquet").write_bytes(data)
    found = set()
    for number, source in enumerate(
        [str(tmp_path / "x.parquet"), "hf://datasets/me/in/x.parquet", f"s3://{BUCKET}/x.parquet"]
    ):
        turnparse.convert(source, tmp_path / f"{number}.jsonl", to="trl")
        found.add((tmp_path / f"{number}.jsonl").read_bytes())
    assert len(found) == 1


def test_outputs_are_named_for_the_file_and_not_for_what_is_asked(hub: Hub, web: Web, tmp_path: Path) -> None:
    """Neither a query nor what stands for a slash gets into the name of an output."""
    served(hub, x_jsonl=as_lines(pairs(1)))
    hub.files["web/site"]["a/../../y.jsonl"] = as_lines(pairs(1))
    sources = [f"{web('x.jsonl')}?sig=verysecret", f"{web('')}a%2F..%2F..%2Fy.jsonl"]
    turnparse.convert(sources, f"{tmp_path / 'out'}/", to="trl")
    assert set(files_in(tmp_path)) == {"out/x.jsonl", "out/y.jsonl"}
    assert not any(b"verysecret" in data for data in all_in(tmp_path).values())


def test_a_source_that_is_changed_while_it_is_read_is_a_fault(hub: Hub, web: Web, tmp_path: Path) -> None:
    """It shows by what the server tells of it."""
    served(hub, x_jsonl=as_lines(pairs(2)))
    hub.on_read = lambda _: served(hub, x_jsonl=as_lines(pairs(2, 5)))
    with pytest.raises(IncompleteError, match="expected the source to stay as it is"):
        turnparse.convert(web("x.jsonl"), tmp_path / "o.jsonl", to="trl")


def test_two_versions_are_not_mixed_where_sizes_are_not_told(hub: Hub, web: Web) -> None:
    """A file that was cut off and changed since is not read on."""
    rows = as_lines(pairs(3000))
    served(hub, x_jsonl=rows)
    hub.sizes = hub.ranges = False
    hub.trouble("GET /datasets/web", "cut", 3)
    gets: list[str] = []

    def change(path: str) -> None:
        gets.append(path)
        if len(gets) == 4:
            served(hub, x_jsonl=as_lines(pairs(3000, 9)))

    hub.on_read = change
    with pytest.raises(FaultError):
        list(turnparse.read(web("x.jsonl")))


@pytest.mark.parametrize(
    "output", ["https://h/out/", "http://h/x.jsonl", "https://me:verysecret@h/x.txt?sig=verysecret"]
)
def test_nothing_is_written_to_a_web_server(tmp_path: Path, output: str) -> None:
    """It is refused before anything is read, without what it must not tell."""
    with pytest.raises(OptionError, match="web server") as caught:
        turnparse.convert(tmp_path / "missing", output, to="trl")
    assert "verysecret" not in str(caught.value)
    with pytest.raises(OptionError, match="web server"):
        turnparse.convert(tmp_path / "missing", tmp_path / "o.jsonl", to="trl", set_aside=output)
    with pytest.raises(OptionError, match="web server"):
        turnparse.convert(tmp_path / "missing", tmp_path / "o.jsonl", to="trl", summary=output)


SECRETS = {"user": "verysecretuser", "password": "verysecretpassword", "query": "verysecretquery"}


@pytest.mark.parametrize("what", ["there", "missing", "forbidden", "failing", "damaged", "no json"])
def test_secrets_of_a_url_are_shown_nowhere(hub: Hub, web: Web, tmp_path: Path, what: str) -> None:
    """Neither outputs nor messages hold who asked, or the query, whatever became of it."""
    rows = as_lines(pairs(2)) + b"{\n"
    served(hub, x_jsonl={"damaged": gzip.compress(rows * 3)[:-9], "no json": b"\xff\xfe"}.get(what, rows))
    if what == "missing":
        hub.files.clear()
    if what in ("forbidden", "failing"):
        hub.trouble("/datasets/web", {"forbidden": "403", "failing": "503"}[what], 1000)
    url = web("x.jsonl").replace("://", "://{user}:{password}@".format(**SECRETS)) + "?sig={query}".format(**SECRETS)
    program = (
        "import sys, turnparse._retries; turnparse._retries.FIRST_WAIT = 0.001\n"
        "from turnparse._cli import main; main(sys.argv[1:])"
    )
    arguments = [
        "convert",
        url,
        "--to",
        "messages",
        "--provenance",
        "--summary",
        tmp_path / "s",
        "--output",
        tmp_path / "o.jsonl",
    ]
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )
    expected = {"there": 0, "missing": 2, "forbidden": 2, "failing": 1, "damaged": 1, "no json": 2}
    assert done.returncode == expected[what], done.stderr
    shown = [done.stdout.encode(), done.stderr.encode(), *all_in(tmp_path).values()]
    assert not any(secret.encode() in data for data in shown for secret in SECRETS.values())
    if what == "there":
        assert sum(b"127.0.0.1" in data for data in shown) == 3  # the rows, those set aside, and the manifest
    with suppress(SourceError):
        _read(url, shown)
    assert not any(secret.encode() in data for data in shown for secret in SECRETS.values())


def _read(url: str, shown: list[bytes]) -> None:
    """Read rows one by one, and note all that is said."""
    try:
        shown += [
            repr(row).encode() for row in turnparse.read(url, on_error=lambda error: shown.append(str(error).encode()))
        ]
    except SourceError as error:
        shown.append(f"{error}{error!r}".encode())
        raise


def test_an_unknown_scheme_is_told(tmp_path: Path) -> None:
    """It is a mistake in the call, of a source and of an output."""
    done = commanded("s4://x/y.jsonl", "--output", tmp_path / "o.jsonl")
    assert (done.returncode, "s4" in done.stderr) == (2, True)
    done = commanded(tmp_path / "x.jsonl", "--output", "s4://x/")
    assert (done.returncode, "s4" in done.stderr) == (2, True)
