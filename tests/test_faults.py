"""Faults: whatever ends a run, no output is half-written, and the next run makes what an undisturbed one would have made."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

import turnparse
from turnparse import OutputError
from turnparse._whole import WholeFile
from written import FORMATS, all_in, as_lines, pairs, run, talks

KILLS = int(os.environ.get("TURNPARSE_KILLS", "9"))
"""Moments at which runs are killed: more are for who has the time."""

GOLDEN: Final = (5**0.5 - 1) / 2
"""Multiples of it fall evenly between whole numbers, however many there are."""

COMMAND = [sys.executable, "-m", "turnparse", "convert"]
SHARDS = 12


@attrs.frozen
class Case:
    """A conversion by the command.

    Attributes:
        folder: where its sources are, and its outputs, in ``out``.
        options: what it is called with.
    """

    folder: Path
    options: tuple[str, ...]

    @property
    def out(self) -> Path:
        """The folder of outputs."""
        return self.folder / "out"

    def clear(self) -> None:
        """Make that folder anew."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()

    def start(self, *more: str, **settings: Any) -> subprocess.Popen[bytes]:
        """Start it."""
        command = [*COMMAND, *self.options, *more]
        return subprocess.Popen(command, cwd=self.folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, **settings)

    def done(self, *more: str, **settings: Any) -> tuple[int, str]:
        """Run it to its end; return the exit code and what it said."""
        process = self.start(*more, **settings)
        _, said = process.communicate(timeout=120)
        return process.returncode, said.decode()

    def parts(self) -> list[Path]:
        """Return the files under temporary names."""
        return [path for path in self.out.rglob("*") if path.name.endswith(".part")]

    def wrong(self, expected: dict[str, bytes]) -> list[str]:
        """Return the files under final names that are not whole; those that tell of several outputs may tell of some."""
        found = {name: data for name, data in all_in(self.out).items() if not name.endswith(".part")}
        for name in ("turnparse-manifest.json", "dataset_info.json"):
            if name in found:
                entries, whole = json.loads(found.pop(name)), json.loads(expected[name])
                entries, whole = entries.get("outputs", entries), whole.get("outputs", whole)
                assert entries.items() <= whole.items()
        return [name for name, data in found.items() if data != expected.get(name)]


IN_FOLDER = ("in", "--to", "llama-factory-sharegpt", "--output", "out/", "--summary", "out/summary")
CASES = {
    "a folder of lines": (*IN_FOLDER, "--workers", "2"),
    "a folder of Parquet": (*IN_FOLDER, "--format", "parquet", "--workers", "1"),
    "one zipped file": ("in", "--output", "out/all.jsonl.gz", "--workers", "2", "--summary", "out/summary"),
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with sources in ``in``, of which each has rows that are set aside."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "in").mkdir()
    for number in range(SHARDS):
        rows: list[Any] = [row | {"more": "x" * 500} for row in pairs(3000, number * 3000)]
        rows[100::1000] = [b"{"] * len(rows[100::1000])
        (folder / "in" / f"{number:02}.jsonl").write_bytes(as_lines(rows))
    return folder


@pytest.fixture
def case(sources: Path, request: pytest.FixtureRequest) -> Iterator[Case]:
    """Return the conversion of that name, or into a folder."""
    made = Case(sources, CASES[getattr(request, "param", "a folder of lines")])
    made.clear()
    yield made
    shutil.rmtree(made.out, ignore_errors=True)


@cache
def undisturbed(case: Case) -> dict[str, bytes]:
    """Return all that a run makes that nothing disturbs."""
    case.clear()
    code, said = case.done()
    assert (code, case.parts()) == (0, []), said
    made = all_in(case.out)
    case.clear()
    return made


# Killed at any moment.


def test_a_run_killed_at_any_moment_is_resumed(sources: Path) -> None:
    """Killed at moments uniform over its time, a run leaves whole files only, and --resume makes all of the same bytes."""
    alive = inside = identical = 0
    made = [Case(sources, options) for options in CASES.values()]
    expected = [undisturbed(case) for case in made]
    lasted = [min(_seconds(case) for _ in range(2)) for case in made]
    for number in range(KILLS):
        which = number % len(made)
        case = made[which]
        case.clear()
        # Moments of every kind come early and late, for machines are busy by turns; each is met once.
        moment = (number * GOLDEN + 0.5) % 1
        begin = time.monotonic()
        process = case.start()
        try:
            process.wait(timeout=lasted[which] * moment)
            lasted[which] = min(lasted[which], time.monotonic() - begin)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        alive += process.returncode == -signal.SIGKILL
        inside += bool(case.parts())
        assert case.wrong(expected[which]) == []
        code, said = case.done("--resume")
        assert code == 0, said
        identical += all_in(case.out) == expected[which]
    seconds = ", ".join(f"{time:.1f}" for time in lasted)
    print(  # noqa: T201  # what -s shows
        f"{KILLS} kills of runs of {seconds} s: {alive} alive, {inside} inside a write, {identical} resumed to the same"
    )

    assert identical == KILLS
    # Some runs are faster than those that were measured.
    assert alive >= KILLS * 0.75
    assert inside >= KILLS * 0.2


def _seconds(case: Case) -> float:
    case.clear()
    begin = time.monotonic()
    assert case.done()[0] == 0
    return time.monotonic() - begin


# Signals that ask to stop.


@pytest.mark.parametrize(
    ("case", "name"),
    [
        ("a folder of lines", "SIGINT"),
        ("a folder of lines", "SIGHUP"),
        ("a folder of Parquet", "SIGTERM"),
        ("one zipped file", "SIGINT"),
        ("one zipped file", "SIGTERM"),
    ],
    indirect=["case"],
)
def test_a_signal_ends_a_run_in_good_order(case: Case, name: str) -> None:
    """A run that is asked to stop leaves no temporary file, says how to go on, and has the exit code of the signal."""
    expected = undisturbed(case)
    process = case.start()
    while not case.parts() and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.Signals[name])
    _, said = process.communicate(timeout=30)

    assert process.returncode == 128 + signal.Signals[name], said
    assert said.decode().count("\n") == 1
    assert name in said.decode()
    assert "--resume" in said.decode()
    assert case.parts() == []
    assert case.wrong(expected) == []
    assert case.done("--resume")[0] == 0
    assert all_in(case.out) == expected


@pytest.mark.parametrize("names", [("SIGINT", "SIGTERM"), ("SIGTERM", "SIGTERM")])
def test_who_is_asked_twice_clears_away_all_the_same(case: Case, names: tuple[str, str]) -> None:
    """A signal that comes while another is obeyed, as when a shell passes on what the terminal sent, leaves no more behind."""
    process = case.start()
    while not case.parts() and process.poll() is None:
        time.sleep(0.001)
    for name in names:
        process.send_signal(signal.Signals[name])
        time.sleep(0.002)
    _, said = process.communicate(timeout=30)

    assert process.returncode == 128 + signal.Signals[names[0]], said
    assert case.parts() == []


STARTING = """
import os, runpy, signal, sys
class Finder:
    def find_spec(name, path=None, target=None):
        if name == sys.argv[3]:
            os.kill(os.getpid(), signal.Signals[sys.argv[2]])
sys.meta_path.insert(0, Finder)
MAIN
"""


@pytest.mark.parametrize(
    "main",
    [
        'runpy.run_module("turnparse", run_name="__main__")',
        "from turnparse.__main__ import main; main()",
    ],
    ids=["module", "script"],
)
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("module", ["turnparse._cli", "click", "attr", "turnparse._convert"])
def test_a_signal_ends_the_command_while_it_is_being_loaded(main: str, name: str, module: str) -> None:
    """Whatever is being loaded when the command is asked to stop, it says so in one line, with the exit code of the signal."""
    command = [sys.executable, "-c", STARTING.replace("MAIN", main), "codes", name, module]
    done = subprocess.run(command, check=False, capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (128 + signal.Signals[name], "")
    assert done.stderr == f"turnparse: stopped by {name}; run the same command again\n"


def test_a_signal_ends_a_run_that_waits_for_its_source(tmp_path: Path) -> None:
    """Who waits for a pipe that says nothing can be stopped too."""
    command = [*COMMAND, "-", "--output", "out.jsonl"]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while not all_in(tmp_path) and process.poll() is None:
            time.sleep(0.001)
        process.terminate()
        assert process.wait(timeout=30) == 128 + signal.SIGTERM
    assert all_in(tmp_path) == {}


def test_what_is_ignored_stays_ignored(case: Case) -> None:
    """A run under nohup does not end when its terminal goes."""
    process = case.start(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    while not case.parts() and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)

    assert process.returncode == 0


# No room.


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Return what makes a disk of some size, or gives it another."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def make(size: str) -> Path:
        again = ["-o", f"remount,size={size}"] if os.path.ismount(folder) else ["-o", f"size={size}"]
        done = subprocess.run(
            ["mount", "-t", "tmpfs", *again, "tmpfs", str(folder)],  # noqa: S607
            check=False,
            capture_output=True,
        )
        if done.returncode:
            pytest.skip("this machine lets nobody mount a tmpfs")
        return folder

    yield make
    if os.path.ismount(folder):
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S607


@pytest.mark.parametrize("name", list(CASES))
def test_a_full_disk(sources: Path, disk: Callable[[str], Path], name: str) -> None:
    """On a full disk nothing is half-written; with more room, --resume makes all of the same bytes."""
    case = Case(sources, CASES[name])
    expected = undisturbed(case)
    room = sum(map(len, expected.values())) // 2
    shutil.rmtree(case.out, ignore_errors=True)
    case.out.symlink_to(disk(str(room)), target_is_directory=True)
    try:
        code, said = case.done()
        assert (code, case.parts()) == (1, [])
        assert "No space left on device; make room, and run again with --resume" in said
        assert case.wrong(expected) == []

        disk(str(room * 8))
        assert case.done("--resume")[0] == 0
        assert all_in(case.out) == expected
    finally:
        case.out.unlink()


@pytest.mark.parametrize("case", list(CASES), indirect=True)
def test_a_file_that_may_not_grow(case: Case) -> None:
    """What the system says of a limit to files is told like a full disk, wherever there is such a limit."""
    expected = undisturbed(case)
    largest = max(map(len, expected.values()))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest - 1, largest - 1))

    code, said = case.done(preexec_fn=limit)

    assert (code, case.parts()) == (1, [])
    assert "File too large; make room, and run again with --resume" in said
    assert case.wrong(expected) == []
    assert case.done("--resume")[0] == 0
    assert all_in(case.out) == expected


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("call", ["fsync", "replace", "link"])
@pytest.mark.parametrize("step", range(4))
def test_a_fault_at_any_step_of_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, call: str, step: int
) -> None:
    """Where the last steps fail, there is no output without its rows set aside, and nothing under a temporary name."""
    (tmp_path / "in").write_bytes(as_lines([*pairs(10), b"{"]))
    output = tmp_path / f"out.{ending}"
    failing = _Failing(getattr(os, call), step)
    monkeypatch.setattr(os, call, failing)
    if call == "replace":
        # pathlib has its own name for it.
        monkeypatch.setattr(Path, "replace", lambda path, other: failing(str(path), str(other)))
    with suppress(OutputError):
        turnparse.convert(tmp_path / "in", output)
        assert failing.calls <= step
    there = set(all_in(tmp_path))
    assert not any(name.endswith(".part") for name in there)
    if output.name in there:
        assert f"{output.name}.set-aside.jsonl" in there
    monkeypatch.undo()
    run(tmp_path / "in", output, resume=True, force=False)
    resumed = all_in(tmp_path)
    run(tmp_path / "in", output)

    assert all_in(tmp_path) == resumed


class _Failing:
    """A call that fails at one step, for want of room."""

    def __init__(self, call: Callable[..., Any], step: int) -> None:
        self.calls = 0
        self._call = call
        self._step = step

    def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        if self.calls - 1 == self._step:
            raise OSError(28, "No space left on device")
        return self._call(*arguments)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_folder_that_vanishes(tmp_path: Path, ending: str) -> None:
    """Where the output's folder goes while a run writes to it, that is told, and nothing appears anywhere."""
    (tmp_path / "in").write_bytes(as_lines(pairs(100)))
    (tmp_path / "out").mkdir()

    def vanish(_: int) -> None:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)

    with pytest.raises(OutputError, match="No such file"):
        turnparse.convert(tmp_path / "in", tmp_path / "out" / f"x.{ending}", on_bytes=vanish)
    assert list(all_in(tmp_path)) == ["in"]


# What the dead leave.


def test_what_the_dead_leave_is_cleared_away_and_what_the_living_write_is_not(tmp_path: Path) -> None:
    """Temporary files of outputs to be written go if nobody has them open, whatever number they bear; no other file does."""
    (tmp_path / "in").write_bytes(as_lines(talks(3)))
    living = _living(tmp_path / "o.jsonl")
    gone = [f".{name}.{number}.part" for name in ("o.jsonl", "o.jsonl.set-aside.jsonl") for number in (1, os.getpid())]
    gone += [".o.jsonl.manifest.json.1.part", ".counts.1.part"]
    kept = [".o.jsonl.part", ".o.jsonl.x.part", ".other.jsonl.1.part", "o.jsonl.1.part", ".o.jsonl.1.part.jsonl"]
    for name in (*gone, *kept):
        (tmp_path / name).write_bytes(b"left")
    (tmp_path / ".o.jsonl.7.part").symlink_to("in")
    turnparse.convert(tmp_path / "in", tmp_path / "o.jsonl", to="messages", summary=tmp_path / "counts")

    names = {path.name for path in tmp_path.iterdir()}
    assert names.isdisjoint(gone)
    assert {*kept, ".o.jsonl.7.part", living.temporary.name} <= names
    living.discard()
    assert not living.temporary.exists()


def _living(path: Path) -> WholeFile:
    """Return a file that is being written as another process would write it."""
    file = WholeFile(str(path))
    other = file.temporary.with_name(f".{path.name}.4194305.part")
    file.temporary.rename(other)
    file.temporary = other
    return file


def test_two_runs_of_one_process_do_not_share_a_file(tmp_path: Path) -> None:
    """Where another thread is writing the same output, this run fails rather than mix its rows with the other's."""
    (tmp_path / "in").write_bytes(as_lines(talks(3)))
    file = WholeFile(str(tmp_path / "o.jsonl"))
    with pytest.raises(OutputError, match="File exists"):
        turnparse.convert(tmp_path / "in", tmp_path / "o.jsonl", to="messages")
    file.discard()

    assert list(all_in(tmp_path)) == ["in"]
