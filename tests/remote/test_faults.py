"""Networks that fail: for a moment, which changes nothing, or for good, which is told."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import turnparse
from remote.conftest import BUCKET, left_in
from remote.hub import Hub
from turnparse import FaultError, IncompleteError, OutputError, SourceError
from turnparse._cli import main
from turnparse._retries import TRIES
from written import all_in, as_lines, files_in, pairs

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # how the Hub's client calls its own

ROWS = as_lines([*pairs(300), b"{"])
TROUBLES = ["503", "429", "cut", "reset"]


@pytest.mark.parametrize("what", TROUBLES)
@pytest.mark.parametrize("part", ["GET /api/datasets/me/in", "/tree/", "GET /datasets/me/in/resolve"])
def test_reading_the_hub_goes_on(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, what: str
) -> None:
    """A listing or a file that fails a few times is the same in the end."""
    monkeypatch.setattr("turnparse._remote_files.BLOCK", 10_000)
    hub.files["me/in"] = {"x.jsonl": ROWS, "a/y.jsonl.gz": gzip.compress(ROWS, mtime=0)}
    turnparse.convert("hf://datasets/me/in", f"{tmp_path / 'expected'}/", to="trl")
    hub.trouble(part, what, 3)
    turnparse.convert("hf://datasets/me/in/**/*.jsonl*", f"{tmp_path / 'out'}/", to="trl")

    assert hub.met(part) == ""
    assert all_in(tmp_path / "out") == all_in(tmp_path / "expected")


@pytest.mark.parametrize("what", [*TROUBLES, "412"])
@pytest.mark.parametrize("part", ["GET /api/datasets/me/out", "/preupload/", "/batch", "PUT /lfs/", "/commit/"])
def test_writing_to_the_hub_goes_on(hub: Hub, part: str, what: str) -> None:
    """An upload that fails a few times is made in the end, also where the answer that it was made was lost."""
    hub.files |= {"me/in": {"x.jsonl": ROWS}, "me/expected": {}, "me/out": {}}
    hub.lfs = True
    turnparse.convert("hf://datasets/me/in", "hf://datasets/me/expected/", to="trl")
    hub.trouble(part, what, 3)
    turnparse.convert("hf://datasets/me/in", "hf://datasets/me/out/", to="trl")

    assert hub.met(part) == ""
    assert hub.files["me/out"] == hub.files["me/expected"]


@pytest.mark.parametrize("what", TROUBLES)
@pytest.mark.parametrize("part", ["HEAD /datasets", "GET /datasets"])
@pytest.mark.parametrize("sizes", [True, False], ids=["sizes", "no sizes"])
def test_reading_the_web_goes_on(
    hub: Hub,
    web: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    part: str,
    what: str,
    sizes: bool,
) -> None:
    """A file is read on where it was cut off, or from its start again, and the same bytes are read."""
    monkeypatch.setattr("turnparse._remote_files.BLOCK", 10_000)
    hub.files["web/site"] = {"x.jsonl": ROWS}
    hub.sizes = hub.ranges = sizes
    turnparse.convert(web("x.jsonl"), tmp_path / "expected.jsonl", to="trl")
    hub.trouble(part, what, 2)
    turnparse.convert(web("x.jsonl"), tmp_path / "out.jsonl", to="trl")

    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "expected.jsonl").read_bytes()


@pytest.mark.parametrize("method", ["list_objects_v2", "head_object", "get_object", "put_object"])
@pytest.mark.parametrize("error", [ConnectionResetError(104, "reset"), TimeoutError("late"), "SlowDown"])
def test_s3_goes_on(s3: Any, monkeypatch: pytest.MonkeyPatch, method: str, error: Exception | str) -> None:
    """Each kind of request may fail a few times."""
    from botocore.exceptions import ClientError

    s3.pipe_file(f"{BUCKET}/in/x.jsonl", ROWS)
    turnparse.convert(f"s3://{BUCKET}/in", f"s3://{BUCKET}/expected/", to="trl")
    if isinstance(error, str):
        told = {"Error": {"Code": error, "Message": error}, "ResponseMetadata": {"HTTPStatusCode": 503}}
        raised: Exception = ClientError(told, method)
    else:
        raised = error
    failing = _failing(s3, monkeypatch, method, raised, 3)
    turnparse.convert(f"s3://{BUCKET}/in/", f"s3://{BUCKET}/out/", to="trl")

    assert failing == [0]
    s3.invalidate_cache()
    for path in s3.find(f"{BUCKET}/expected"):
        assert s3.cat_file(path) == s3.cat_file(path.replace("expected", "out"))


def _failing(s3: Any, monkeypatch: pytest.MonkeyPatch, method: str, error: Exception, count: int) -> list[int]:
    """Let so many requests of s3fs fail; return how many are left."""
    kind, left = type(s3), [count]
    real = kind._call_s3  # noqa: SLF001  # where each of them goes through

    async def call(self: Any, name: str, *arguments: Any, **options: Any) -> Any:
        if name == method and left[0]:
            left[0] -= 1
            raise error
        return await real(self, name, *arguments, **options)

    monkeypatch.setattr(kind, "_call_s3", call)
    return left


def test_what_fails_for_good_while_a_source_is_read_is_a_fault(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of it is written, the others are, and the command says so and exits with 1."""
    monkeypatch.setattr("turnparse._remote_files.BLOCK", 10_000)
    hub.files["me/in"] = {"x.jsonl": ROWS * 200, "y.jsonl": ROWS}
    # It is large enough to be asked for twice.
    hub.on_read = lambda path: hub.trouble("/resolve/main/x.jsonl", "503", 10_000) if path == "x.jsonl" else None
    with pytest.raises(SystemExit) as exited:
        main(["convert", "hf://datasets/me/in", "--output", f"{tmp_path}/"])

    assert exited.value.code == 1
    said = capsys.readouterr().err
    assert "x.jsonl: " in said
    assert "try again" in said
    assert set(files_in(tmp_path)) == {"y.jsonl", "y.jsonl.set-aside.jsonl"}


@pytest.mark.parametrize("part", ["/api/datasets/me/in", "/resolve/"])
def test_what_cannot_be_reached_is_a_fault(hub: Hub, tmp_path: Path, part: str) -> None:
    """A source of which nothing is known is not taken for one that is not there: its rows would be missing."""
    hub.files["me/in"] = {"x.jsonl": ROWS}
    (tmp_path / "y.jsonl").write_bytes(ROWS)
    hub.trouble(part, "503", 10_000)
    with pytest.raises((IncompleteError, FaultError), match="try again"):
        turnparse.convert([tmp_path / "y.jsonl", "hf://datasets/me/in/x.jsonl"], tmp_path / "o.jsonl", to="trl")
    assert "o.jsonl" not in all_in(tmp_path)
    with pytest.raises(SystemExit) as exited:
        main(["convert", "hf://datasets/me/in", "--output", f"{tmp_path / 'out'}/"])
    assert exited.value.code == 1


def test_what_cannot_be_written_is_told(hub: Hub, spool: Path) -> None:
    """Nothing is left of it here, nor there."""
    hub.files |= {"me/in": {"x.jsonl": ROWS}, "me/out": {}}
    hub.trouble("/commit/", "503", 10_000)
    with pytest.raises(OutputError, match=rf"503.*\({TRIES} times\)"):
        turnparse.convert("hf://datasets/me/in", "hf://datasets/me/out/", to="trl")
    assert (hub.files["me/out"], left_in(spool)) == ({}, [])


@pytest.mark.parametrize("status", ["403", "404"])
def test_what_is_refused_is_told_at_once(hub: Hub, web: Callable[[str], str], tmp_path: Path, status: str) -> None:
    """It is asked for no more than once or twice: fsspec asks a web server in two ways."""
    hub.files["web/site"] = {"x.jsonl": ROWS}
    hub.trouble("/datasets/web", status, 10_000)
    hub.asked.clear()
    with pytest.raises(SourceError, match={"403": "403", "404": "No such file"}[status]) as caught:
        turnparse.convert(web("x.jsonl"), tmp_path / "o.jsonl", to="trl")
    assert not isinstance(caught.value, FaultError)
    assert len(hub.asked) <= 2


def test_credentials_that_are_missing_are_told_at_once(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No waiting brings them."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    type(s3).clear_instance_cache()
    with pytest.raises(SourceError, match=r"(?i)credentials") as caught:
        turnparse.convert(f"s3://{BUCKET}/x.jsonl", tmp_path / "o.jsonl", to="trl")
    assert "times" not in str(caught.value)
