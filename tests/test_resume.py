"""What is written over, what is left, what is refused: --force, --resume and the manifest."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import turnparse
from turnparse import OptionError, OutputError, Summary
from turnparse._job import Job
from turnparse._manifest import options_digest
from turnparse._sinks import JsonLines, Output
from turnparse._stores import remove_orphans, write_whole
from turnparse._target import target_named
from turnparse._whole import WholeFile
from written import FORMATS, all_in, as_lines, pairs, talks

MANIFEST = "turnparse-manifest.json"


def made(folder: Path, count: int = 3) -> Path:
    """Return a folder with so many sources, each with a row to set aside."""
    (folder / "in").mkdir()
    for number in range(count):
        (folder / "in" / f"{number}.jsonl").write_bytes(as_lines([*talks(5, number * 5), b"{"]))
    return folder / "in"


def redone(folder: Path, **options: Any) -> tuple[list[str], Summary]:
    """Resume a run from ``in`` to ``out/``; return the files that were written anew, and the counts."""
    out = folder / "out"
    before = {path: path.stat().st_ino for path in out.iterdir()}
    counts = turnparse.convert(folder / "in", f"{out}/", resume=True, **{"to": "messages"} | options)
    anew = [path.name for path in sorted(out.iterdir()) if before.get(path) != path.stat().st_ino]
    return [name for name in anew if name != MANIFEST], counts


# Over what is there.


@pytest.mark.parametrize("there", ["o.jsonl", "o.jsonl.set-aside.jsonl", "counts"])
def test_nothing_is_written_over_unless_told_to(tmp_path: Path, there: str) -> None:
    """A file that is there is an error before anything is read, and says what to do; ``force`` writes over it."""
    (tmp_path / there).write_bytes(b"mine")
    call: dict[str, Any] = {"to": "messages", "summary": tmp_path / "counts"}
    with pytest.raises(OptionError, match=r"--force.*--resume"):
        turnparse.convert(tmp_path / "missing", tmp_path / "o.jsonl", **call)
    assert all_in(tmp_path) == {there: b"mine"}

    (tmp_path / "in").write_bytes(as_lines([*talks(2), b"{"]))
    turnparse.convert(tmp_path / "in", tmp_path / "o.jsonl", force=True, **call)
    assert (tmp_path / there).read_bytes() != b"mine"


def test_a_side_file_is_not_written_over_either(tmp_path: Path) -> None:
    """A file that a target needs beside its output may be the user's own."""
    (tmp_path / "in").write_bytes(as_lines(talks(1)))
    (tmp_path / "o.axolotl.yaml").write_bytes(b"mine")
    with pytest.raises(OptionError, match=r"o\.axolotl\.yaml"):
        turnparse.convert(tmp_path / "in", tmp_path / "o.jsonl", to="axolotl-chat-template")
    assert (tmp_path / "o.axolotl.yaml").read_bytes() == b"mine"


def test_a_manifest_without_its_output_is_stale(tmp_path: Path) -> None:
    """What a manifest says of an output that is gone is ignored, and the next run writes both."""
    made(tmp_path)
    turnparse.convert(tmp_path / "in", tmp_path / "o.jsonl", to="messages")
    expected = all_in(tmp_path)
    (tmp_path / "o.jsonl").unlink()
    (tmp_path / "o.jsonl.set-aside.jsonl").unlink()
    turnparse.convert(tmp_path / "in", tmp_path / "o.jsonl", to="messages")

    assert all_in(tmp_path) == expected


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"outputs": []}', b"\xff", b"[" * 100_000])
def test_what_is_no_manifest_is_not_written_over(tmp_path: Path, content: bytes) -> None:
    """A file of a manifest's name that is none may be another program's; with ``resume`` it is as if it were not there."""
    made(tmp_path)
    name = tmp_path / "o.jsonl.manifest.json"
    name.write_bytes(content)
    with pytest.raises(OptionError, match="--no-manifest"):
        turnparse.convert(tmp_path / "in", tmp_path / "o.jsonl", to="messages")
    assert name.read_bytes() == content
    turnparse.convert(tmp_path / "in", tmp_path / "o.jsonl", to="messages", resume=True)
    assert json.loads(name.read_bytes())["outputs"].keys() == {"o.jsonl"}


PUT = ["o.jsonl", "o.jsonl.set-aside.jsonl", "o.axolotl.yaml", "counts"]


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
@pytest.mark.parametrize("bad", [True, False], ids=["rows set aside", "none"])
@pytest.mark.parametrize("put", PUT)
def test_what_is_put_there_while_a_run_is_under_way_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, put: str, *, bad: bool, links: bool
) -> None:
    """What appears under an output's name after the run began is kept, and no output stands beside another's rows set aside."""
    (tmp_path / "in").write_bytes(as_lines([*pairs(2), *([b"{"] if bad else [])]))
    call: dict[str, Any] = {"to": "axolotl-chat-template", "summary": tmp_path / "counts"}
    if not links:
        monkeypatch.setattr(os, "link", _no_links)
    with pytest.raises(OutputError, match=rf"{put}: .*since this run began; .*--resume.*--force"):
        turnparse.convert(
            tmp_path / "in", tmp_path / "o.jsonl", on_bytes=lambda _: (tmp_path / put).write_bytes(b"mine"), **call
        )
    left = all_in(tmp_path)
    assert left.pop(put) == b"mine"
    # Side files and the summary come last: what is whole by then stays.
    assert set(left) <= {"in", *PUT, "o.jsonl.manifest.json"} if put in PUT[2:] else set(left) == {"in"}

    turnparse.convert(tmp_path / "in", tmp_path / "o.jsonl", resume=True, **call)
    assert (tmp_path / put).exists() == (bad or put != PUT[1])
    assert b"mine" not in all_in(tmp_path).values()


def _no_links(*_: Any) -> None:
    raise PermissionError(errno.EPERM, "Operation not permitted")


def test_a_run_that_is_late_leaves_what_another_has_made(tmp_path: Path) -> None:
    """Of two runs to one output the first to end has made it, and the other fails."""
    made(tmp_path, 2)
    ended: list[Summary] = []

    def other(_: int) -> None:
        if not ended:
            ended.append(turnparse.convert(tmp_path / "in" / "1.jsonl", f"{tmp_path}/out/", to="messages"))

    with pytest.raises(OutputError, match="since this run began"):
        turnparse.convert(tmp_path / "in", f"{tmp_path}/out/", to="messages", workers=1, on_bytes=other)
    assert len((tmp_path / "out" / "1.jsonl").read_bytes().splitlines()) == ended[0].rows_out


# The manifest.


def test_the_manifest_tells_what_was_read_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes and digests are those of the files, of every kind; sources are as named, outputs as seen from the manifest."""
    made(tmp_path, 2)
    monkeypatch.chdir(tmp_path)
    turnparse.convert("in", "t/", to="hh-transcripts", format="parquet")
    for number in range(2):
        shutil.copy(f"t/{number}.parquet", "in")
        (tmp_path / "in" / f"{number}.parquet").rename(f"in/table{number}.parquet")
    counts = turnparse.convert("in", "out/", to="messages", set_aside="aside/", format="jsonl.zst")
    told = json.loads((tmp_path / "out" / MANIFEST).read_bytes())["outputs"]

    assert set(told) == {"0.jsonl.zst", "1.jsonl.zst", "table0.jsonl.zst", "table1.jsonl.zst"}
    for name, entry in told.items():
        (source,) = entry["sources"]
        assert source["path"] in {f"in/{name.split('.')[0]}{ending}" for ending in (".jsonl", ".parquet")}
        files = [(Path(source["path"]), source), (Path("out", name), entry["output"])]
        if entry["set_aside"] is not None:
            files.append((Path("out", entry["set_aside"]["path"]), entry["set_aside"]))
        for path, file in files:
            data = path.read_bytes()
            assert (file["size"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert entry["output"]["path"] == name
        assert entry["version"] == turnparse.__version__
    assert [name for name, entry in told.items() if entry["set_aside"] is None] == [
        "table0.jsonl.zst",
        "table1.jsonl.zst",
    ]
    assert sum(entry["counts"]["rows_in"] for entry in told.values()) == counts.rows_in


def test_a_manifest_is_left_out_where_it_is_not_wanted(tmp_path: Path) -> None:
    """Without a manifest there is nothing else than outputs, and nothing to resume from; nor is there for a stream."""
    made(tmp_path, 1)
    turnparse.convert(tmp_path / "in", f"{tmp_path}/out/", to="messages", manifest=False)
    assert sorted(all_in(tmp_path / "out")) == ["0.jsonl", "0.jsonl.set-aside.jsonl"]
    with pytest.raises(OptionError, match="manifest"):
        turnparse.convert(tmp_path / "in", f"{tmp_path}/out/", resume=True, manifest=False)


@pytest.mark.parametrize("output", ["o.jsonl", "out/"])
def test_there_is_no_manifest_that_tells_nothing(tmp_path: Path, output: str) -> None:
    """Where no output is done a run leaves no manifest: not after a fault, nor of an output that is to be done again."""
    source = tmp_path / "a.jsonl"
    source.write_bytes(as_lines(talks(9)))
    call: dict[str, Any] = {"sources": source, "output": f"{tmp_path}/{output}", "to": "messages", "resume": True}
    manifest = tmp_path / "out" / MANIFEST if output == "out/" else tmp_path / "o.jsonl.manifest.json"

    def change(_: int) -> None:
        source.write_bytes(source.read_bytes() + b"\n")

    with pytest.raises(turnparse.IncompleteError, match="found it changed"):
        turnparse.convert(**call, on_bytes=change)
    assert set(all_in(tmp_path)) == {"a.jsonl"}
    turnparse.convert(**call)
    assert manifest.exists()
    source.write_bytes(b"[" + b",".join(as_lines(talks(2)).splitlines()))
    with pytest.raises(turnparse.IncompleteError, match="no end"):
        turnparse.convert(**call)
    assert not manifest.exists()


def test_manifests_are_no_sources(tmp_path: Path) -> None:
    """A folder of outputs is a source without its manifests, named or found by a pattern; a file so named is one."""
    made(tmp_path)
    turnparse.convert(tmp_path / "in", f"{tmp_path}/out/", to="messages")
    turnparse.convert(tmp_path / "in", tmp_path / "out" / "all.jsonl", to="messages")
    for number, source in enumerate([tmp_path / "out", tmp_path / "out" / "*"]):
        counts = turnparse.convert(source, tmp_path / f"{number}.jsonl", from_="messages", to="hh-transcripts")
        assert counts.rows_in == 30
    (tmp_path / "in" / "their.manifest.json").write_bytes(as_lines(talks(1)))
    assert turnparse.convert(tmp_path / "in", tmp_path / "3.jsonl", to="messages").rows_in == 19


def test_entries_of_other_outputs_are_kept(tmp_path: Path) -> None:
    """_Runs that write to the same folder share its manifest: of outputs that are gone it keeps nothing."""
    made(tmp_path)
    out = tmp_path / "out"
    for number in range(3):
        turnparse.convert(tmp_path / "in" / f"{number}.jsonl", f"{out}/", to="messages")
        if number == 0:
            (out / "0.jsonl").unlink()

    assert json.loads((out / MANIFEST).read_bytes())["outputs"].keys() == {"1.jsonl", "2.jsonl"}


# What is left as it is.


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    """Of a run that was finished nothing is redone; the counts and all bytes are the same, and the progress is whole."""
    made(tmp_path)
    counts = turnparse.convert(tmp_path / "in", f"{tmp_path}/out/", to="messages", summary=tmp_path / "counts")
    expected = all_in(tmp_path)
    told: list[int] = []
    assert redone(tmp_path, summary=tmp_path / "counts", on_bytes=told.append) == ([], counts)
    assert all_in(tmp_path) == expected
    assert sum(told) == sum(path.stat().st_size for path in (tmp_path / "in").iterdir())


CHANGED: dict[str, tuple[Callable[[Path], object], dict[str, Any]]] = {
    "another size": (lambda f: (f / "in" / "1.jsonl").write_bytes(as_lines(talks(3))), {}),
    "the same size": (lambda f: (f / "in" / "1.jsonl").write_bytes(as_lines([*talks(5, 3), b"{"])), {}),
    "no output": (lambda f: (f / "out" / "1.jsonl").unlink(), {}),
    "no rows set aside": (lambda f: (f / "out" / "1.jsonl.set-aside.jsonl").unlink(), {}),
    "rows set aside from nowhere": (lambda f: (f / "out" / "1.jsonl.set-aside.jsonl").write_bytes(b"x"), {}),
    "another output": (lambda f: (f / "out" / "1.jsonl").write_bytes(b"x" * 9), {}),
    "an output edited": (lambda f: _edited(f / "out" / "1.jsonl"), {}),
    "rows set aside edited": (lambda f: _edited(f / "out" / "1.jsonl.set-aside.jsonl"), {}),
    "an output that is a pipe": (lambda f: _piped(f / "out" / "1.jsonl"), {}),
    "no entry": (lambda f: _told(f, lambda entries: entries.pop("1.jsonl")), {}),
    "an entry of nothing": (lambda f: _told(f, lambda entries: entries.update({"1.jsonl": None})), {}),
    "an entry that lacks a key": (lambda f: _told(f, lambda entries: entries["1.jsonl"].pop("counts")), {}),
    "an entry with more": (lambda f: _told(f, lambda entries: entries["1.jsonl"].update(x=1)), {}),
    "another version": (lambda f: _told(f, lambda entries: entries["1.jsonl"].update(version="0")), {}),
    "other options": (lambda _: None, {"system": "Be kind."}),
    "no manifest": (lambda f: (f / "out" / MANIFEST).unlink(), {}),
}


def _edited(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-2] + b"?" + data[-1:])


def _piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _told(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "out" / MANIFEST
    found = json.loads(path.read_bytes())
    change(found["outputs"])
    path.write_text(json.dumps(found), encoding="utf-8")


@pytest.mark.parametrize("name", list(CHANGED))
def test_what_has_changed_is_done_again(tmp_path: Path, name: str) -> None:
    """Whatever differs from what the manifest says is written anew, and nothing else is; the result is a new run's."""
    change, options = CHANGED[name]
    made(tmp_path)
    turnparse.convert(tmp_path / "in", f"{tmp_path}/out/", to="messages")
    change(tmp_path)
    anew, counts = redone(tmp_path, **options)
    resumed = all_in(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    assert turnparse.convert(tmp_path / "in", f"{tmp_path}/out/", **{"to": "messages"} | options) == counts

    assert all_in(tmp_path / "out") == resumed
    outputs = {path.split(".")[0] for path in anew}
    assert outputs == ({"0", "1", "2"} if options or name == "no manifest" else {"1"})


@pytest.mark.parametrize("source", ["in", "in/*.jsonl"])
def test_an_output_of_a_source_that_has_gone_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """Whoever goes on in a folder may have taken away what is done: its output stays, and a note tells of it."""
    made(tmp_path)
    monkeypatch.chdir(tmp_path)
    turnparse.convert(source, "out/", to="messages")
    before = all_in(tmp_path / "out")
    for number in range(2):
        (tmp_path / "in" / f"{number}.jsonl").unlink()
    with pytest.warns(RuntimeWarning, match=r"^out/0\.jsonl and 1 more stays"):
        turnparse.convert(source, "out/", to="messages", resume=True)

    assert all_in(tmp_path / "out") == before


def test_an_output_of_another_call_is_not_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs of sources that are there, but that this call does not name, are nobody's concern."""
    made(tmp_path)
    monkeypatch.chdir(tmp_path)
    turnparse.convert("in", "out/", to="messages")
    turnparse.convert(["in/0.jsonl", "in/2.jsonl"], "out/", to="messages", resume=True)


def test_what_is_left_over_is_told_with_the_errors(tmp_path: Path) -> None:
    """The command notes what is left over even where it has an error to tell as well."""
    made(tmp_path)
    command = [sys.executable, "-m", "turnparse", "convert", "in", "--to", "messages", "-o", "out/", "--resume"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "in" / "0.jsonl").unlink()
    (tmp_path / "in" / "3.jsonl").write_bytes(b"[")
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)

    assert done.returncode == 1
    assert "note: out/0.jsonl stays" in done.stderr
    assert "no end" in done.stderr


def test_a_source_that_was_damaged_is_read_again(tmp_path: Path) -> None:
    """An output of a source that could not be read to its end is never done: the message and the exit code come again."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").write_bytes(b'[{"text": "\\n\\nHuman: q\\n\\nAssistant: a"}, ')
    said = []
    for _ in range(2):
        with pytest.raises(turnparse.IncompleteError) as caught:
            turnparse.convert(tmp_path / "in", f"{tmp_path}/out/", to="messages", resume=True)
        said.append((str(caught.value), caught.value.summary, all_in(tmp_path / "out")))

    assert said[0] == said[1]


def test_standard_input_is_read_again(tmp_path: Path) -> None:
    """What came through a pipe cannot be compared, so its output is written anew."""
    command = [sys.executable, "-m", "turnparse", "convert", "-", "--to", "messages", "--output", "o.jsonl", "--resume"]
    for count in (2, 3):
        done = subprocess.run(command, cwd=tmp_path, input=as_lines(talks(count)), check=False, capture_output=True)
        assert done.returncode == 0
        assert len((tmp_path / "o.jsonl").read_bytes().splitlines()) == count


# The digest of options.

USUAL: dict[str, Any] = {
    "to": "trl",
    "preset": "default",
    "policies": None,
    "dialect": "hh",
    "diagnostics": "structural",
    "side": "chosen",
    "chosen": None,
    "rejected": None,
    "transcript": None,
    "keep_columns": False,
}
CHANGES: list[dict[str, Any]] = [
    {"to": "messages"},
    {"to": attrs.evolve(target_named("trl"), rules=())},
    {"preset": "strict"},
    {"policies": {"same-speaker": "merge"}},
    {
        "dialect": turnparse.Dialect.from_text(
            turnparse.Dialect.named().grammar.replace('"Human"', '"Client"'), name="hh"
        )
    },
    {"diagnostics": "all"},
    {"side": "rejected"},
    {"chosen": "good"},
    {"rejected": "bad"},
    {"transcript": "talk"},
    {"keep_columns": True},
    {"provenance": True},
    {"system": "Be kind."},
    {"to": "llama-factory-sharegpt"},
    {"to": "openai", "loss": "last-turn"},
    {"to": "openai"},
    {"from_": "trl"},
]


def test_the_options_are_told_apart_and_are_the_same_in_every_process() -> None:
    """The digest of options changes with each of them, and with nothing else."""
    script = "from test_resume import *; print(*[options_digest(Job.of(**USUAL | c), {}) for c in [{}, *CHANGES]])"
    found = set()
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parent)}
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True)
        found.add(done.stdout)

    assert len(found) == 1
    digests = found.pop().split()
    assert len(set(digests)) == len(digests) == len(CHANGES) + 1
    assert options_digest(Job.of(**USUAL), {"limit": 1}) != options_digest(Job.of(**USUAL), {})


# Links, and paths in data.


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("name", ["o.jsonl", "o.jsonl.set-aside.jsonl", "o.jsonl.manifest.json", "counts"])
@pytest.mark.parametrize("options", [{}, {"force": True}, {"resume": True}])
def test_no_output_is_written_through_a_link(
    tmp_path: Path, name: str, options: dict[str, Any], *, there: bool
) -> None:
    """Whoever can plant a link beside an output can neither choose what is written over nor lose what was meant."""
    (tmp_path / "in").write_bytes(as_lines([*talks(2), b"{"]))
    if there:
        (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / name).symlink_to("precious")
    before = all_in(tmp_path)
    with pytest.raises(OptionError, match=r"symbolic link.*name the file that is meant"):
        turnparse.convert(tmp_path / "in", tmp_path / "o.jsonl", to="messages", summary=tmp_path / "counts", **options)

    assert all_in(tmp_path) == before
    assert (tmp_path / name).is_symlink()


@pytest.mark.parametrize("options", [{"force": True}, {"resume": True}])
def test_a_link_that_is_planted_later_is_replaced(tmp_path: Path, options: dict[str, Any]) -> None:
    """A link that appears while a run is under way, even under its temporary name, leads to nothing being written."""
    (tmp_path / "in").write_bytes(as_lines([*talks(2), b"{"]))
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / f".o.jsonl.set-aside.jsonl.{os.getpid()}.part").symlink_to("precious")

    def plant(_: int) -> None:
        if not (tmp_path / "o.jsonl").is_symlink():
            (tmp_path / "o.jsonl").symlink_to("precious")

    with pytest.raises(OutputError, match="File exists"):
        turnparse.convert(tmp_path / "in", tmp_path / "o.jsonl", to="messages", on_bytes=plant, **options)
    (tmp_path / f".o.jsonl.set-aside.jsonl.{os.getpid()}.part").unlink()
    (tmp_path / "o.jsonl").unlink()
    turnparse.convert(tmp_path / "in", tmp_path / "o.jsonl", to="messages", on_bytes=plant, **options)
    assert not (tmp_path / "o.jsonl").is_symlink()
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_folders_on_the_way_may_be_links(tmp_path: Path) -> None:
    """Where a folder is, is the user's own affair: outputs go to where its link leads."""
    (tmp_path / "in").write_bytes(as_lines(talks(2)))
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to("disk", target_is_directory=True)
    turnparse.convert(tmp_path / "in", f"{tmp_path}/out/", to="messages")

    assert sorted(all_in(tmp_path / "disk")) == ["in.jsonl", MANIFEST]


WATCHED = """
import json, sys
seen = []
def hook(event, arguments):
    # To make a Python object is an event too.
    if not event.startswith("object.") and WORD in repr(arguments):
        seen.append((event, repr(arguments)))
sys.addaudithook(hook)
import turnparse
for ending in ("jsonl", "parquet"):
    for to in ("trl", "llama-factory-sharegpt", "hh"):
        turnparse.convert("in", f"out/{to}.{ending}", to=to, keep_columns=ending == "jsonl", provenance=True, diagnostics="all")
        turnparse.convert("in", f"out/{to}-{ending}/", to=to, format=ending)
assert seen == [], seen
""".replace("WORD", repr("plan" + "ted"))


def test_no_path_in_data_reaches_the_file_system(tmp_path: Path) -> None:
    """Whatever column holds a path, and whatever key is one, no call that Python audits is ever made with it."""
    paths = [
        "/etc/planted",
        "../planted",
        "file:///planted",
        "in/../../planted",
        "planted\0",
        "~/planted",
        "$HOME/planted",
    ]
    keys = ["path", "source", "file", "filename", "image", "raw", "set_aside", "output", "file_name", "line", "id"]
    rows: list[Any] = []
    for path in paths:
        extra = dict.fromkeys(keys, path) | {"images": [{"path": path, "bytes": None}], path: 1}
        rows += [row | extra for row in pairs(2)]
        rows.append({"chosen": path, "rejected": path} | extra)
        rows.append({"source": path, "line": 1, "row": 0, "codes": ["x"], "message": path, "raw": json.dumps(rows[0])})
        rows.append({side: f"{path}\n\nHuman: {path}\n\nAssistant: {path} {side}" for side in ("chosen", "rejected")})
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_bytes(as_lines(rows))
    (tmp_path / "out").mkdir()
    done = subprocess.run([sys.executable, "-c", WATCHED], cwd=tmp_path, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert not [name for name in all_in(tmp_path) if "planted" in name]


# Any order of runs, faults and changes.


class _KilledError(BaseException):
    """The process is gone."""


class _Faults:
    """What ends a run at one of its steps, as SIGKILL would: nothing is tidied up.

    Args:
        step: the step, from 0.
        patch: what it is done with.
    """

    def __init__(self, step: int, patch: pytest.MonkeyPatch) -> None:
        self._left = step
        for owner, name in (
            (JsonLines, "write"),
            (Output, "open"),
            (WholeFile, "finish"),
            (WholeFile, "place"),
            (os, "fsync"),
        ):
            patch.setattr(owner, name, self._counted(getattr(owner, name)))
        # The dead close files, and so lose their locks, but remove none.
        patch.setattr(WholeFile, "discard", lambda file: file.placed or file._raw.close())  # noqa: SLF001
        patch.setattr("turnparse._convert.remove_orphans", self._unless_dead(remove_orphans))
        patch.setattr("turnparse._manifest.write_whole", self._unless_dead(write_whole))

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            self._left -= 1
            if self._left < 0:
                raise _KilledError
            return call(*arguments)

        return counted

    def _unless_dead(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def alive(*arguments: Any) -> Any:
            if self._left < 0:
                raise _KilledError
            return call(*arguments)

        return alive


class _Runs(RuleBasedStateMachine):
    """_Runs into a folder, of which some are killed, while sources and outputs change; the model is a run into a new folder."""

    @initialize(ending=st.sampled_from(FORMATS), to=st.sampled_from(["trl-text", "llama-factory-sharegpt"]))
    def begin(self, ending: str, to: str) -> None:
        """Choose what is written."""
        self.options: dict[str, Any] = {"to": to, "format": ending}
        self.left: set[str] = set()
        self.settled = False

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(FOLDER[0]) / str(len(os.listdir(FOLDER[0])))  # noqa: PTH208
        (self.folder / "in").mkdir(parents=True)
        self.write("a", 2)
        self.write("b", 3)

    def write(self, name: str, rows: int) -> None:
        """Write a source; of an odd number of rows one is set aside."""
        lines: list[Any] = [*pairs(rows), *([b"{"] if rows % 2 else [])]
        (self.folder / "in" / f"{name}.jsonl").write_bytes(as_lines(lines))

    @rule(name=st.sampled_from("abc"), rows=st.integers(0, 5))
    def change_a_source(self, name: str, rows: int) -> None:
        """Make a source, or have it hold something else."""
        self.write(name, rows)
        self.settled = False

    @rule(system=st.sampled_from([None, "Be kind."]))
    def change_the_options(self, system: str | None) -> None:
        """Have the next run write something else."""
        self.options["system"] = system
        self.settled = False

    @precondition(lambda self: any(self.outputs()))
    @rule(data=st.data(), how=st.sampled_from(["delete", "cut", "edit"]))
    def spoil_an_output(self, data: st.DataObject, how: str) -> None:
        """Somebody else deletes or changes something in the folder, the manifest maybe."""
        path = data.draw(st.sampled_from(self.outputs()))
        content = path.read_bytes()
        if how == "delete":
            path.unlink()
        elif path.name != "dataset_info.json":
            path.write_bytes(
                content[: len(content) // 2] + (content[len(content) // 2 + 1 :] + b"?" if how == "edit" else b"")
            )
        self.settled = False

    @precondition(lambda self: any(self.outputs()))
    @rule()
    def leave_rows_set_aside(self) -> None:
        """Have somebody put rows beside outputs that were not set aside from them."""
        for source in (self.folder / "in").iterdir():
            stray = self.folder / "out" / f"{source.stem}.{self.options['format']}.set-aside.jsonl"
            if not stray.exists():
                stray.write_bytes(b"stray\n")
        self.settled = False

    @rule(step=st.integers(0, 60), force=st.booleans())
    def is_killed(self, step: int, *, force: bool) -> None:
        """Kill a run at one of its steps, if it is not done before; of two threads nobody knows which comes to one first."""
        with pytest.MonkeyPatch.context() as patch:
            _Faults(step, patch)
            try:
                self.run(self.folder / "out", 1, **{"force" if force else "resume": True})
            except _KilledError:
                self.settled = False

    @rule(workers=st.sampled_from([1, 2]))
    def resume(self, workers: int) -> None:
        """Go on where the other runs stopped: what that makes is what a new run makes."""
        self.compare(workers, resume=True)

    @rule()
    def force(self) -> None:
        """Write over all there is: likewise."""
        self.compare(1, force=True)

    @precondition(lambda self: self.settled)
    @rule()
    def nothing_is_done_twice(self) -> None:
        """To resume at once changes no output."""
        before = {path: path.stat().st_ino for path in self.outputs() if path.name.endswith(self.options["format"])}
        self.run(self.folder / "out", 1, resume=True)
        assert before == {path: path.stat().st_ino for path in before}

    def run(self, out: Path, workers: int, **how: Any) -> Summary:
        """Convert all sources into *out*."""
        return turnparse.convert(self.folder / "in", f"{out}/", workers=workers, **self.options, **how)

    def compare(self, workers: int, **how: Any) -> None:
        """Run, and compare with a new run."""
        counts = self.run(self.folder / "out", workers, **how)
        expected = self.run(self.folder / "new", 1)
        assert counts == expected
        assert all_in(self.folder / "out") == all_in(self.folder / "new")
        shutil.rmtree(self.folder / "new")
        self.settled = True

    def outputs(self) -> list[Path]:
        """Return what is in the folder under final names."""
        return sorted(path for path in (self.folder / "out").glob("*") if not path.name.startswith("."))

    @invariant()
    def an_output_is_never_without_its_rows_set_aside(self) -> None:
        """Whenever a run dies, what the manifest tells as done is there, rows set aside included."""
        path = self.folder / "out" / MANIFEST
        if self.settled and path.exists():
            for entry in json.loads(path.read_bytes())["outputs"].values():
                assert all(
                    (path.parent / entry[file]["path"]).exists() for file in ("output", "set_aside") if entry[file]
                )

    def teardown(self) -> None:
        """Leave nothing."""
        shutil.rmtree(self.folder / "in")


FOLDER = [""]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path) -> None:
    FOLDER[0] = str(tmp_path)


TestRuns = _Runs.TestCase
TestRuns.settings = settings(max_examples=30, stateful_step_count=12, deadline=None)
