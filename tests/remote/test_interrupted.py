"""What is left where an upload ended half way: nothing under the final name, and the next run makes all good."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest

import turnparse
from remote.conftest import BUCKET, command, left_in
from remote.hub import Hub
from remote.proxy import proxied
from written import as_lines

SIGNALS = [signal.SIGKILL, signal.SIGINT]


def rows_of(size: int) -> bytes:
    """Return rows of about so many bytes in all."""
    text = "tea " * 25_000
    return as_lines([{"text": f"\n\nHuman: {n}\n\nAssistant: {text}"} for n in range(max(1, size // len(text)))])


def stopped(arguments: list[str], stalled: Event, number: int, environment: dict[str, str]) -> tuple[int, str]:
    """Start a run, send it a signal in the middle of its upload, and return its exit code and what it said."""
    process = subprocess.Popen(arguments, env=os.environ | environment, stderr=subprocess.PIPE, text=True)
    try:
        assert stalled.wait(40), "no upload began"
        process.send_signal(number)
        _, said = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    return process.returncode, said


def expected_of(source: Path, folder: Path) -> bytes:
    """Return what a run that nobody disturbs makes of a source."""
    turnparse.convert(source, folder / "expected.jsonl", to="messages", manifest=False)
    return (folder / "expected.jsonl").read_bytes()


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("size", [3 << 20, 40 << 20], ids=["in one", "in parts"])
def test_an_upload_to_s3(s3: Any, moto: str, tmp_path: Path, spool: Path, *, size: int, number: signal.Signals) -> None:
    """Stopped by Ctrl-C or killed, with the network held up half way."""
    source = tmp_path / "x.jsonl"
    source.write_bytes(rows_of(size))
    output = f"s3://{BUCKET}/out.jsonl"
    with proxied(moto, size // 2) as proxy:
        arguments = command(source, "--to", "messages", "--output", output, "--no-manifest")
        code, said = stopped(arguments, proxy.stalled, number, {"AWS_ENDPOINT_URL": proxy.url})
    _check_stopped(code, said, number, spool)
    s3.invalidate_cache()
    assert s3.find(BUCKET) == []

    turnparse.convert(source, output, to="messages", manifest=False)
    assert s3.cat_file(f"{BUCKET}/out.jsonl") == expected_of(source, tmp_path)
    assert left_in(spool) == []


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("part", ["/lfs/", "/commit/"])
def test_an_upload_to_the_hub(hub: Hub, tmp_path: Path, spool: Path, part: str, number: signal.Signals) -> None:
    """Stopped by Ctrl-C or killed, with the Hub held up while it takes a large file, or commits it."""
    source = tmp_path / "x.jsonl"
    source.write_bytes(rows_of(1 << 20))
    hub.files["me/out"] = {}
    hub.lfs, hub.stall = True, part
    output = "hf://datasets/me/out/out.jsonl"
    arguments = command(source, "--to", "messages", "--output", output, "--no-manifest")
    code, said = stopped(arguments, hub.stalled, number, {})
    _check_stopped(code, said, number, spool)
    assert (hub.files["me/out"], hub.commits) == ({}, [])

    hub.stall, hub.lfs = "", False
    turnparse.convert(source, output, to="messages", manifest=False)
    assert hub.files["me/out"] == {"out.jsonl": expected_of(source, tmp_path)}
    assert left_in(spool) == []


def _check_stopped(code: int, said: str, number: signal.Signals, spool: Path) -> None:
    if number == signal.SIGKILL:
        assert code == -number
        # The next run is to remove it.
        assert len(left_in(spool)) == 1
    else:
        assert (code, said.count("\n")) == (128 + number, 1)
        assert "--resume" in said
        assert left_in(spool) == []


def test_a_folder_of_uploads_goes_on_where_it_was_stopped(hub: Hub, tmp_path: Path) -> None:
    """What was committed before is kept, and in the end all is as if nothing had happened."""
    (tmp_path / "in").mkdir()
    for name in "abcd":
        (tmp_path / "in" / f"{name}.jsonl").write_bytes(rows_of(1) + name.encode() + b"\n")
    hub.files |= {"me/out": {}, "me/expected": {}}
    turnparse.convert(tmp_path / "in", "hf://datasets/me/expected/", to="messages")
    hub.commits.clear()
    hub.on_commit = _after(3, hub)
    arguments = command(tmp_path / "in", "--to", "messages", "--output", "hf://datasets/me/out/", "--workers", "1")
    code, _ = stopped(arguments, hub.stalled, signal.SIGKILL, {})
    assert code == -signal.SIGKILL
    assert 0 < len(hub.files["me/out"]) < len(hub.files["me/expected"])

    hub.stall, hub.on_commit = "", None
    hub.commits.clear()
    turnparse.convert(tmp_path / "in", "hf://datasets/me/out/", to="messages", resume=True)
    assert hub.files["me/out"] == hub.files["me/expected"]
    assert ["a.jsonl"] not in hub.commits


def _after(count: int, hub: Hub) -> Callable[[], None]:
    """Return what holds up all commits after so many."""

    def stall() -> None:
        if len(hub.commits) == count:
            hub.stall = "/commit/"

    return stall
