"""The conversion by Ray: what the local runner makes, byte by byte, whatever dies on the way."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import turnparse
from engines.loopback import addresses, family, reachable
from engines.rows import SAMPLES
from turnparse._dialect import resolve
from turnparse._job import Job
from turnparse._limits import USUAL
from turnparse._ray import RETRIES, _task
from turnparse._shards import shards_of
from turnparse._tasks import tasks_of
from turnparse._unit import Unit
from turnparse.targets import Messages, Target
from written import all_in

COMMAND = [sys.executable, "-m", "turnparse", "convert"]

TEXT = "\n\nHuman: What is it?\n\nAssistant: "


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Return a folder with sources of every kind, one of them damaged, one empty."""
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    pairs = (SAMPLES / "pairs.jsonl").read_bytes()
    for name, data in {"a.jsonl": pairs, "deep/b.jsonl": pairs * 3, "deep/c.jsonl": b"", "d.json": b"["}.items():
        (folder / name).write_bytes(data)
    (folder / "red.jsonl").write_bytes((SAMPLES / "red_team.jsonl").read_bytes())
    (folder / "broken.jsonl").write_bytes((SAMPLES / "damaged.jsonl").read_bytes())
    turnparse.convert(folder / "a.jsonl", folder / "deep" / "e.parquet", to="hh", manifest=False)
    (folder / "deep" / "e.parquet.set-aside.jsonl").unlink()
    return folder


def _large(folder: Path, count: int) -> Path:
    """Write sources that take a worker a while."""
    folder.mkdir()
    for index in range(count):
        row = json.dumps({"chosen": f"{TEXT}{index}", "rejected": f"{TEXT}no"}).encode() + b"\n"
        (folder / f"{index}.jsonl").write_bytes(row * 150_000)
    return folder


@contextmanager
def _watching(folder: Path, seen: Callable[[int, str], bool]) -> Iterator[None]:
    """Tell *seen* of each process that writes into *folder*, and what; it is asked no more once it says so."""
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for path in folder.glob(".*.part"):
                found = re.fullmatch(r"\.(.+)\.(\d+)\.part", path.name)
                if found is not None and seen(int(found[2]), found[1]):
                    return
            time.sleep(0.005)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("ending", ["jsonl.gz", "parquet"])
def test_the_bytes_are_those_of_the_local_runner(ray: Any, sources: Path, tmp_path: Path, ending: str) -> None:
    """Outputs, rows set aside, manifest and counts are the same, and so is what is said of a source that cannot be read."""
    assert ray.is_initialized()
    made = {}
    for engine in ("local", "ray"):
        with pytest.raises(turnparse.IncompleteError) as caught:
            turnparse.convert(sources, f"{tmp_path / engine}/", format=ending, engine=engine)
        made[engine] = (str(caught.value), caught.value.summary, all_in(tmp_path / engine))

    assert made["ray"] == made["local"]
    assert len(made["ray"][2]) > 8
    assert ray.is_initialized()


def test_a_folder_is_resumed(ray: Any, sources: Path, tmp_path: Path) -> None:
    """What is done already is left as it is, what is not is done, and the result is that of one run."""
    assert ray.is_initialized()
    (sources / "d.json").unlink()
    whole = turnparse.convert(sources, f"{tmp_path / 'whole'}/")
    turnparse.convert(sources, f"{tmp_path / 'out'}/", engine="ray")
    (tmp_path / "out" / "deep" / "b.jsonl").unlink()
    kept = (tmp_path / "out" / "a.jsonl").stat()
    read: list[int] = []
    counts = turnparse.convert(sources, f"{tmp_path / 'out'}/", engine="ray", resume=True, on_bytes=read.append)

    assert counts == whole
    assert all_in(tmp_path / "out") == all_in(tmp_path / "whole")
    assert (tmp_path / "out" / "a.jsonl").stat() == kept
    assert sum(read) == sum(path.stat().st_size for path in sources.rglob("*") if path.is_file())


def test_what_a_call_brings_travels_along(ray: Any, tmp_path: Path) -> None:
    """A dialect and a target that only the caller has are known to the workers."""
    assert ray.is_initialized()
    (tmp_path / "a.jsonl").write_bytes(json.dumps({"text": "\n\nUser: Hi\n\nBot: Hello."}).encode() + b"\n")
    target = Target("mine", "Mine.", "https://example.org", ("transcript",), {"said": Messages("conversation")})
    dialect = resolve("hh").with_labels(user=["User"], assistant=["Bot"])
    turnparse.convert(tmp_path / "a.jsonl", f"{tmp_path / 'out'}/", to=target, dialect=dialect, engine="ray")

    record = json.loads((tmp_path / "out" / "a.jsonl").read_bytes())
    assert [message["content"] for message in record["said"]] == ["Hi", "Hello."]


def test_a_worker_is_killed(ray: Any, tmp_path: Path) -> None:
    """A unit whose worker is killed in the middle is done by another: the result is complete and identical, and nothing is left."""
    assert ray.is_initialized()
    sources = _large(tmp_path / "in", 3)
    counts = turnparse.convert(sources, f"{tmp_path / 'whole'}/")
    killed: list[int] = []

    def kill(pid: int, _: str) -> bool:
        os.kill(pid, signal.SIGKILL)
        killed.append(pid)
        return True

    (tmp_path / "out").mkdir()
    with _watching(tmp_path / "out", kill):
        again = turnparse.convert(sources, tmp_path / "out", engine="ray")

    assert len(killed) == 1
    assert killed[0] != os.getpid()
    assert again == counts
    assert all_in(tmp_path / "out") == all_in(tmp_path / "whole")


def test_a_unit_that_kills_all_its_workers_is_a_fault(ray: Any, tmp_path: Path) -> None:
    """Of a source over which every worker dies there is no output, and a message; the others are converted; to resume mends it."""
    assert ray.is_initialized()
    sources = _large(tmp_path / "in", 2)
    turnparse.convert(sources, f"{tmp_path / 'whole'}/")
    killed: set[int] = set()

    def kill(pid: int, name: str) -> bool:
        if name == "0.jsonl" and pid not in killed:
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)
        return len(killed) > RETRIES

    (tmp_path / "out").mkdir()
    with _watching(tmp_path / "out", kill), pytest.raises(turnparse.IncompleteError, match=r"0\.jsonl: .*--resume"):
        turnparse.convert(sources, tmp_path / "out", engine="ray")
    assert len(killed) == RETRIES + 1
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"1.jsonl", "turnparse-manifest.json"}

    turnparse.convert(sources, tmp_path / "out", engine="ray", resume=True)
    assert all_in(tmp_path / "out") == all_in(tmp_path / "whole")


def test_an_output_that_cannot_be_written_ends_the_run(ray: Any, tmp_path: Path) -> None:
    """The error is that of the local runner, and nothing is left of what was under way."""
    assert ray.is_initialized()
    sources = _large(tmp_path / "in", 2)
    (tmp_path / "out").mkdir()

    def put(_: int, name: str) -> bool:
        (tmp_path / "out" / name).write_bytes(b"somebody else's")
        return True

    with _watching(tmp_path / "out", put), pytest.raises(turnparse.OutputError, match="--force"):
        turnparse.convert(sources, tmp_path / "out", engine="ray", workers=1)
    assert [path.read_bytes() for path in (tmp_path / "out").glob("[.a-z0-9]*l")] == [b"somebody else's"]
    assert not list((tmp_path / "out").glob("*.part"))


def test_a_worker_with_another_version_refuses() -> None:
    """A worker that has another version than the caller does nothing, and says which is needed."""
    job = Job.of(
        to="trl", preset="default", policies=None, dialect="hh", diagnostics="structural", side="chosen", chosen=None,
        rejected=None, transcript=None, keep_columns=False,
    )  # fmt: skip
    (task,) = tasks_of(shards_of(str(SAMPLES / "pairs.jsonl")), "/nowhere/", None, None)
    refused = _task(pickle.dumps(job), Unit(task, USUAL), "/", "0.0.0")

    assert isinstance(refused, turnparse.OptionError)
    assert "0.0.0" in str(refused)


def test_units_are_told_whole() -> None:
    """What a worker is given is all that it needs, and comes out of a pickle as it went in."""
    tasks = tasks_of(shards_of(str(SAMPLES)), "/nowhere/", None, "parquet")
    units = [Unit(task, USUAL) for task in tasks]

    assert pickle.loads(pickle.dumps(units)) == units  # noqa: S301  # our own


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--engine", "ray", "-o", "one.jsonl"], "expected a folder for output"),
        (["--engine", "ray", "-o", "out/", "-"], "no worker can read it"),
        (["--ray-address", "127.0.0.1:1", "-o", "out/"], "expected the engine ray"),
    ],
)
def test_what_ray_cannot_do_is_refused(tmp_path: Path, arguments: list[str], said: str) -> None:
    """What no task of Ray can do is a mistake in the call, told before anything is begun."""
    done = subprocess.run(
        [*COMMAND, str(SAMPLES / "pairs.jsonl"), *arguments], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_cluster_that_is_not_there_is_told(tmp_path: Path) -> None:
    """An address without a cluster is a mistake in the call, in one line."""
    pytest.importorskip("ray")
    command = [*COMMAND, str(SAMPLES / "pairs.jsonl"), "-o", "out/", "--engine", "ray", "--ray-address", "127.0.0.1:1"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)

    assert done.returncode == 2, done.stderr
    assert "turnparse: expected a Ray cluster at 127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_is_out_of_reach_and_can_be_stopped(tmp_path: Path) -> None:
    """A Ray that the command starts listens on loopback only; when it is stopped neither processes nor half a file are left."""
    pytest.importorskip("ray")
    sources = _large(tmp_path / "in", 6)
    (tmp_path / "out").mkdir()
    before = {*Path(os.environ.get("TMPDIR", "/tmp")).glob("ray-*")}  # noqa: S108  # where Ray keeps what it keeps
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    process = subprocess.Popen(
        [*COMMAND, str(sources), "-o", str(tmp_path / "out"), "--engine", "ray"],
        stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    while not list((tmp_path / "out").glob(".*.part")) and process.poll() is None:
        time.sleep(0.01)
    pids = family(process.pid)
    listening, open_to_all = addresses(pids), reachable(pids)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)

    assert len(listening) >= 3
    assert open_to_all == []
    assert process.returncode == 130, said
    assert said.startswith("turnparse: stopped by SIGINT")
    assert not list((tmp_path / "out").glob(".*"))
    assert {*Path(os.environ.get("TMPDIR", "/tmp")).glob("ray-*")} <= before  # noqa: S108  # as above
    left = [pid for pid in pids if Path(f"/proc/{pid}").exists() and "zombie" not in _state(pid)]
    assert left == []

    shutil.rmtree(sources)
    assert not [path for path in (tmp_path / "out").iterdir() if path.suffix == ".part"]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return "zombie"
