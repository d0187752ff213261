"""Files behind URLs, with the one store that needs nothing but fsspec: the memory of this process."""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import turnparse
from strategies import json_files
from turnparse import FaultError, IncompleteError, OptionError, OutputError, SourceError
from turnparse._remote_files import _move
from turnparse._stores import file_name, sizes
from turnparse._urls import name_of, redacted
from written import FORMATS, all_in, as_lines, files_in, pairs, run, talks


@pytest.fixture(autouse=True)
def memory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryFileSystem]:
    """Return a memory that is empty; what is on its way there is in a folder of the tests' own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("spool")))
    monkeypatch.setattr("turnparse._retries.FIRST_WAIT", 0)
    fs = MemoryFileSystem()
    _clear(fs)
    yield fs
    _clear(fs)


def _clear(fs: MemoryFileSystem) -> None:
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]


def held(fs: MemoryFileSystem, folder: str = "") -> dict[str, bytes]:
    """Return {path below a folder: content}."""
    root = f"/{folder}/" if folder else "/"
    return {path.removeprefix(root): fs.cat_file(path) for path in fs.store if path.startswith(root)}


@pytest.mark.parametrize("ending", FORMATS)
def test_a_folder_goes_through_every_format(memory: MemoryFileSystem, tmp_path: Path, ending: str) -> None:
    """From one place to another, of each format, the bytes are those of files here, and so is the way back."""
    files = {
        "x.jsonl": as_lines(pairs(30)),
        "deep/er/y.jsonl": as_lines([*pairs(3), b"{"]),
        "a/z.json": b"not rows\n",
    }
    for path, data in files.items():
        (tmp_path / "in" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / path).write_bytes(data)
        memory.pipe_file(f"/in/{path}", data)
    local, told = run(tmp_path / "in", f"{tmp_path}/out/", to="trl", format=ending)  # type: ignore[arg-type]  # a folder
    remote, told_too = run("memory://in", "memory://out/", to="trl", format=ending)  # type: ignore[arg-type]  # a URL
    assert (local, told) == (remote, told_too)
    assert _unplaced(files_in(tmp_path / "out")) == _unplaced(held(memory, "out"))

    turnparse.convert(tmp_path / "out" / f"x.{ending}", tmp_path / "back.jsonl", to="hh", from_="trl")
    turnparse.convert(f"memory://out/x.{ending}", "memory://back.jsonl", to="hh", from_="trl")
    assert memory.cat_file("/back.jsonl") == (tmp_path / "back.jsonl").read_bytes()


def _unplaced(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return *files* but for manifests, without where set-aside rows came from."""
    kept = {path: data for path, data in files.items() if not path.endswith("manifest.json")}
    return {path: data.split(b'"line"', 1)[-1] if "set-aside" in path else data for path, data in kept.items()}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(json_files(), st.sampled_from(FORMATS))
def test_any_rows_go_through(memory: MemoryFileSystem, tmp_path: Path, data: bytes, ending: str) -> None:
    """Whatever a file holds, it makes no difference where it is, or where it goes."""
    (tmp_path / "in.jsonl").write_bytes(data)
    memory.pipe_file("/in.jsonl", data)
    output = tmp_path / f"o.{ending}"
    output.unlink(missing_ok=True)
    _clear_output(memory, ending)
    outcomes = []
    for source, place in ((tmp_path / "in.jsonl", output), ("memory://in.jsonl", f"memory://o.{ending}")):
        try:
            outcomes.append(run(source, place, to="messages", manifest=False)[0])  # type: ignore[arg-type]  # a URL
        except SourceError as error:
            outcomes.append(error.message)  # type: ignore[arg-type]  # of either
    assert outcomes[0] == outcomes[1]
    assert (output.read_bytes() if output.exists() else None) == held(memory).get(f"o.{ending}")


def _clear_output(memory: MemoryFileSystem, ending: str) -> None:
    for path in [path for path in memory.store if path.startswith(f"/o.{ending}")]:
        memory.rm_file(path)


NAMES = st.text(st.sampled_from([*"aZ0[]*?@#%&+= ()é,:;'\"~^!{}$-_"]), min_size=1, max_size=12).map(str.strip)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@example("[1]")
@example("a?b*")
@given(
    NAMES.filter(lambda name: name and not name.startswith("~") and "::" not in name)
)  # which memory itself takes amiss
def test_any_name_is_kept(memory: MemoryFileSystem, name: str) -> None:
    """A file's name is no pattern, no query and no revision where it was found in a folder, or is an output's."""
    _clear(memory)
    memory.pipe_file(f"/in/{name}.jsonl", as_lines(talks(2)))
    turnparse.convert("memory://in/", "memory://out/", to="messages")
    assert set(held(memory, "out")) == {f"{name}.jsonl", "turnparse-manifest.json"}
    turnparse.convert("memory://in/", "memory://out/", to="messages", resume=True)
    assert set(held(memory, "out")) == {f"{name}.jsonl", "turnparse-manifest.json"}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("memory://in/*.jsonl", ["y.jsonl"]),
        ("memory://in/**/*.jsonl*", ["a/x.jsonl", "y.jsonl"]),
        ("memory://in/a/?.jsonl.gz", ["x.jsonl"]),
        ("memory://in/.h*", [".hidden.jsonl"]),
        ("memory://in", ["a/x.jsonl", "y.jsonl"]),
    ],
)
def test_patterns_and_folders(memory: MemoryFileSystem, tmp_path: Path, pattern: str, expected: list[str]) -> None:
    """They find what they find here: no hidden files that were not asked for, and nothing that a run wrote."""
    for path in (
        "a/x.jsonl.gz",
        "y.jsonl",
        "notes.txt",
        ".hidden.jsonl",
        "y.jsonl.set-aside.jsonl",
        "y.jsonl.manifest.json",
    ):
        memory.pipe_file(f"/in/{path}", as_lines(pairs(1)))
    turnparse.convert(pattern, f"{tmp_path}/", to="trl")
    assert sorted(files_in(tmp_path)) == expected


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("memory://none.jsonl", "No such file"),
        ("memory://none/", "expected a folder|No such file"),
        ("memory://none/*.jsonl", "expected a pattern that fits some file"),
        ("memory://in/*.gz", "expected a pattern that fits some file"),
    ],
)
def test_what_is_not_there_is_told(memory: MemoryFileSystem, tmp_path: Path, source: str, told: str) -> None:
    """As of files here."""
    memory.pipe_file("/in/x.jsonl", b"")
    with pytest.raises(SourceError, match=told):
        turnparse.convert(source, tmp_path / "o.jsonl", to="trl")


@pytest.mark.parametrize("name", ["../../x.jsonl", "x::file:///etc/x.jsonl"])
def test_a_name_does_not_lead_to_another_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """What a store takes for a name may be a way up here, or a URL of its own."""
    monkeypatch.setattr(MemoryFileSystem, "find", lambda *_, **__: [f"/in/{name}"])
    with pytest.raises(SourceError, match="stay in their folder"):
        turnparse.convert("memory://in/", f"{tmp_path / 'a' / 'out'}/", to="trl")
    assert all_in(tmp_path) == {}


def test_urls_of_fsspec_may_be_made_of_several(memory: MemoryFileSystem, tmp_path: Path) -> None:
    """An archive elsewhere is one."""
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("in/x.jsonl", as_lines(pairs(3)))
    memory.pipe_file("/x.zip", (tmp_path / "x.zip").read_bytes())
    assert turnparse.convert("zip://in/x.jsonl::memory://x.zip", tmp_path / "o.jsonl", to="trl").rows_in == 3


def test_a_run_is_resumed(memory: MemoryFileSystem) -> None:
    """What is done is left, what has gone is made anew, and what is there is not written over unless that is said."""
    for name in ("x", "y"):
        memory.pipe_file(f"/in/{name}.jsonl", as_lines(pairs(3)) + b"{\n")
    turnparse.convert("memory://in", "memory://out/", to="trl")
    expected = held(memory)
    with pytest.raises(OptionError, match=r"x\.jsonl.*--resume"):
        turnparse.convert("memory://in", "memory://out/", to="trl")
    created = memory.info("/out/x.jsonl")["created"]
    memory.rm_file("/out/y.jsonl")
    turnparse.convert("memory://in", "memory://out/", to="trl", resume=True)
    assert (held(memory), memory.info("/out/x.jsonl")["created"]) == (expected, created)

    memory.pipe_file("/out/x.jsonl", b"other")
    turnparse.convert("memory://in", "memory://out/", to="trl", force=True)
    assert held(memory) == expected


@pytest.mark.parametrize("there", range(12))
def test_many_files_are_asked_for_at_once(memory: MemoryFileSystem, tmp_path: Path, there: int) -> None:
    """Which of many files are there, and how large, is the same whether each is asked for or their folder is listed."""
    names = [f"{number}[?]*.jsonl" for number in range(12)]
    for number in range(there):
        memory.pipe_file(f"/out/{names[number]}", b"x" * number)
        (tmp_path / names[number]).write_bytes(b"x" * number)
    memory.pipe_file("/out/deep/er.jsonl", b"y")
    (tmp_path / "deep").mkdir()
    asked = [*names, "deep"]
    many = sizes(f"memory://out/{name}" for name in asked)
    each = {path: size for name in asked for path, size in sizes([f"memory://out/{name}"]).items()}
    here = sizes(str(tmp_path / name) for name in asked)

    assert many == each
    assert {file_name(path): size for path, size in many.items()} == {
        file_name(path): size for path, size in here.items()
    }
    assert len(many) == there + 1
    assert sizes(f"memory://nowhere/{name}" for name in asked) == {}


def test_a_manifest_that_cannot_be_asked_for_is_not_lost(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a manifest tells of other outputs is kept where it cannot be read for a while: the run says so, and does nothing."""
    memory.pipe_file("/in/a.jsonl", as_lines(pairs(3)))
    turnparse.convert("memory://in", "memory://out/")
    before = held(memory)
    monkeypatch.setattr(MemoryFileSystem, "cat_file", _unreached)
    with pytest.raises(OutputError, match=r"manifest.*out of reach"):
        turnparse.convert("memory://in", "memory://out/", resume=True)
    monkeypatch.undo()

    assert held(memory) == before


def _unreached(*_: object, **__: object) -> bytes:
    raise ConnectionError("out of reach")


@pytest.mark.parametrize("name", ["o.jsonl", "o.jsonl.set-aside.jsonl", "o.axolotl.yaml"])
def test_what_appears_meanwhile_is_not_written_over(memory: MemoryFileSystem, name: str) -> None:
    """It is looked for just before something is put there."""
    memory.pipe_file("/in.jsonl", as_lines([*pairs(2), b"{"]))
    with pytest.raises(OutputError, match=r"since this run began; .*--resume.*--force"):
        turnparse.convert(
            "memory://in.jsonl", "memory://out/o.jsonl", to="axolotl-chat-template",
            on_bytes=lambda _: memory.pipe_file(f"/out/{name}", b"mine"),
        )  # fmt: skip
    assert held(memory, "out")[name] == b"mine"


CHANGES: dict[str, Callable[[MemoryFileSystem], object]] = {
    "other rows": lambda fs: fs.pipe_file("/in.jsonl", as_lines(pairs(2, 5))),
    "no file": lambda fs: fs.rm_file("/in.jsonl"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_source_that_is_changed_while_it_is_read_is_a_fault(
    memory: MemoryFileSystem, tmp_path: Path, change: str
) -> None:
    """Nothing of it is written."""
    memory.pipe_file("/in.jsonl", as_lines(pairs(2)))
    with pytest.raises(IncompleteError, match="expected the source to stay as it is"):
        turnparse.convert(
            "memory://in.jsonl", tmp_path / "o.jsonl", to="trl",
            on_bytes=lambda _: CHANGES[change](memory),
        )  # fmt: skip
    assert files_in(tmp_path) == {}


def test_a_file_that_ends_too_soon_is_a_fault(memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a store says of its size holds: some answers that are cut off look like whole ones."""
    memory.pipe_file("/in.jsonl", as_lines(pairs(2)))
    real = MemoryFileSystem.info
    monkeypatch.setattr(MemoryFileSystem, "info", lambda *told: (info := real(*told)) | {"size": info["size"] + 9})
    with pytest.raises(FaultError, match="ended at byte"):
        list(turnparse.read("memory://in.jsonl"))


def test_a_folder_is_no_file(memory: MemoryFileSystem) -> None:
    """To read rows of one says so."""
    memory.pipe_file("/in/x.jsonl", as_lines(pairs(2)))
    with pytest.raises(SourceError, match="directory"):
        list(turnparse.read("memory://in"))


class FaultyFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A store with a folder of which only a file can be listed."""

    protocol = "faulty"

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:  # noqa: FBT001, FBT002  # as fsspec has it
        """List one of two folders, as fsspec asks for it."""
        if path.endswith("/a"):
            raise ConnectionResetError(104, "Connection reset by peer")
        file = {"name": "in/x.jsonl", "type": "file", "size": 3}
        found = [file, {"name": "in/a", "type": "directory", "size": 0}] if path == "in" else []
        return found if detail else [one["name"] for one in found]


@pytest.mark.parametrize("source", ["faulty://in/", "faulty://in/**/*.jsonl"])
def test_a_folder_that_cannot_be_listed_is_a_fault(tmp_path: Path, source: str) -> None:
    """Fsspec would leave out what is in it, and nobody would miss the rows."""
    fsspec.register_implementation("faulty", FaultyFileSystem, clobber=True)
    with pytest.raises(FaultError, match=r"Connection reset.*try again"):
        turnparse.convert(source, f"{tmp_path}/", to="trl")


def test_a_file_is_given_its_name_in_the_way_of_its_store(tmp_path: Path) -> None:
    """Where a store renames in one step, it does."""
    (tmp_path / "a[1]").write_bytes(b"x")
    _move(LocalFileSystem(), f"{tmp_path}/a[1]", f"{tmp_path}/b[2]")
    assert all_in(tmp_path) == {"b[2]": b"x"}


@pytest.mark.parametrize("output", ["memory://in.jsonl", "memory:///in.jsonl"])
def test_a_source_is_not_written_over(memory: MemoryFileSystem, output: str) -> None:
    """One file has several URLs."""
    memory.pipe_file("/in.jsonl", as_lines(pairs(1)))
    with pytest.raises(OptionError, match="different files"):
        turnparse.convert("memory://in.jsonl", output, to="trl", force=True)


@pytest.mark.parametrize("failing", ["put_file", "cp_file"])
def test_an_upload_that_fails_leaves_nothing(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failing: str
) -> None:
    """Neither here nor there, under whatever name; and what failed once is tried again."""
    (tmp_path / "in.jsonl").write_bytes(as_lines([*pairs(2), b"{"]))
    real = getattr(MemoryFileSystem, failing)
    left = [1000]

    def fail(*arguments: Any, **options: Any) -> None:
        real(*arguments, **options)
        left[0] -= 1
        if left[0] >= 0:
            raise ConnectionResetError(104, "Connection reset by peer")

    monkeypatch.setattr(MemoryFileSystem, failing, fail)
    with pytest.raises(OutputError, match="Connection reset"):
        turnparse.convert(tmp_path / "in.jsonl", "memory://out/o.jsonl", to="trl")
    assert all_in(Path(tempfile_dir())) == {}
    # What was copied before the answer was lost is whole.
    assert set(held(memory)) <= ({"out/o.jsonl.set-aside.jsonl"} if failing == "cp_file" else set())

    left[0] = 1
    turnparse.convert(tmp_path / "in.jsonl", "memory://out/o.jsonl", to="trl", force=True)
    turnparse.convert(tmp_path / "in.jsonl", tmp_path / "o.jsonl", to="trl")
    assert memory.cat_file("/out/o.jsonl") == (tmp_path / "o.jsonl").read_bytes()
    assert not any(".part" in path for path in held(memory))


def tempfile_dir() -> str:
    """Return where temporary files go now."""
    import tempfile

    return tempfile.gettempdir()


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="who may open a folder is told otherwise there")
@pytest.mark.parametrize("made", ["open to others", "a link"])
def test_what_is_to_be_uploaded_is_not_put_where_others_may_change_it(
    memory: MemoryFileSystem, tmp_path: Path, made: str
) -> None:
    """The folder for it may have been made by somebody else, or lead to another place."""
    folder = Path(tempfile_dir()) / f"turnparse-{os.getuid()}"
    if made == "a link":
        folder.symlink_to(tmp_path)
    else:
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
    memory.pipe_file("/in.jsonl", as_lines(pairs(1)))
    with pytest.raises(OutputError, match="closed to others"):
        turnparse.convert("memory://in.jsonl", "memory://o.jsonl", to="trl")
    assert set(held(memory)) == {"in.jsonl"}


def test_a_url_of_a_file_here_is_its_path(tmp_path: Path) -> None:
    """It reads and writes the same, and names the same file."""
    (tmp_path / "in.jsonl").write_bytes(as_lines([*pairs(2), b"{"]))
    turnparse.convert(tmp_path / "in.jsonl", tmp_path / "o.jsonl", to="trl")
    expected = all_in(tmp_path)
    for path in set(expected) - {"in.jsonl"}:
        (tmp_path / path).unlink()
    turnparse.convert(f"file://{tmp_path}/in.jsonl", f"file://{tmp_path}/o.jsonl", to="trl")
    assert all_in(tmp_path) == expected
    with pytest.raises(OptionError, match="different files"):
        turnparse.convert(tmp_path / "in.jsonl", f"file://{tmp_path}/in.jsonl", to="trl", force=True)


@pytest.mark.parametrize(
    ("scheme", "package", "extra"),
    [("s3", "s3fs", "s3"), ("gs", "gcsfs", "gs"), ("hf", "huggingface_hub", "hf"), ("https", "aiohttp", "http")],
)
def test_a_package_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, package: str, extra: str
) -> None:
    """The message is the command that installs it."""
    from fsspec.registry import _registry

    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "fsspec.implementations.http", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    for name in (scheme, extra):
        monkeypatch.delitem(_registry, name, raising=False)
    url = f"{scheme}://a/b/c/x.jsonl"
    with pytest.raises(OptionError, match=rf"pip install 'turnparse\[{extra}\]'"):
        turnparse.convert(url, tmp_path / "o.jsonl", to="trl")
    with pytest.raises(OptionError, match=rf"pip install 'turnparse\[{extra}\]'"):
        list(turnparse.read(url))


def test_a_scheme_that_nobody_knows_is_told(tmp_path: Path) -> None:
    """A source's and an output's."""
    (tmp_path / "in.jsonl").write_bytes(as_lines(pairs(1)))
    for source, output in (
        ("s4://x/y.jsonl", tmp_path / "o.jsonl"),
        (tmp_path / "in.jsonl", "s4://x/"),
        ("s4://x/*", "-"),
    ):
        with pytest.raises(OptionError, match="fsspec knows"):
            turnparse.convert(source, output, to="trl")


SECRET = st.text(st.sampled_from([*"XYZ", *"!$&'()*+,;=:@\"<>[]{}|^`%é-._~"]), min_size=1, max_size=12).map(
    lambda text: f"secret{text}secret"
)
PLACE = st.sampled_from(
    ["https://{}h/a.jsonl", "http://{}[::1]:80/a", "simplecache::https://{}h/a", "s3://{}bucket/key"]
)


@given(
    SECRET,
    SECRET,
    PLACE,
    st.sampled_from(["?", "#", "?a=1&b="]),
    st.sampled_from(["{}", "no: {}", "url='{}', 403", "({})"]),
)
def test_secrets_are_taken_out_of_texts(user: str, query: str, place: str, sign: str, text: str) -> None:
    """Who asks goes from every URL in a text, and the query from those of the web; what is left names the file."""
    url = place.format(f"{user}@")
    url += f"{sign}{query}" if "http" in place else ""
    shown = redacted(text.format(url))

    assert "secret" not in shown
    assert place.format("") in shown
    assert redacted(shown) == shown


@pytest.mark.parametrize(
    "path",
    [
        "s3://user:secret@bucket/x.jsonl",
        "httpx://u:secret@h/x?sig=secret",
        "http:/u:secret@host/x",
        "http://u:sec/ret@h/x.jsonl",
    ],
)
@pytest.mark.parametrize("option", ["source", "output", "set_aside", "summary"])
def test_a_url_that_is_none_tells_no_secrets(tmp_path: Path, path: str, option: str) -> None:
    """Credentials where no store takes them, and URLs that are mistaken, are refused without what may be secret in them."""
    (tmp_path / "in.jsonl").write_bytes(as_lines(pairs(2)))
    call: dict[str, Any] = {"source": tmp_path / "in.jsonl", "output": tmp_path / "o.jsonl"} | {option: path}
    with pytest.raises(turnparse.TurnparseError) as caught:
        turnparse.convert(call.pop("source"), call.pop("output"), **call)

    assert "secret" not in str(caught.value)
    assert "sec/ret" not in str(caught.value)


@given(st.text(st.characters(codec="utf-8")))
def test_texts_without_urls_are_left(text: str) -> None:
    """A path here, or a message, may have any of these signs."""
    assert redacted(text.replace("://", "")) == text.replace("://", "")


@given(st.text(st.sampled_from([*"a./%25Fe?#:[]@é "])))
def test_a_name_of_the_web_is_one_part_of_a_path(rest: str) -> None:
    """Whatever a URL holds, what an output is named for has no slash in it."""
    assert "/" not in name_of(f"https://host/{rest}")
