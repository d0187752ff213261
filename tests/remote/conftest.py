"""Stores on loopback: a stand-in for the Hub, which is a web server too, and moto's S3."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from remote.hub import Hub, running

BUCKET = "bucket"


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait long before something is tried again."""
    monkeypatch.setattr("turnparse._retries.FIRST_WAIT", 0.001)
    monkeypatch.setattr("turnparse._retries.LONGEST_WAIT", 0.01)


@pytest.fixture(autouse=True)
def spool(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where files are written here that are to go elsewhere; the tests' own, that it can be looked at."""
    folder = tmp_path_factory.mktemp("spool")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def left_in(spool: Path) -> list[str]:
    """Return what is left of files that were to go elsewhere."""
    return sorted(path.name for path in spool.rglob("*") if path.is_file())


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """Run a Hub, which huggingface_hub takes for the real one, here and in processes that are started."""
    constants = pytest.importorskip("huggingface_hub.constants")
    from huggingface_hub import HfFileSystem
    from huggingface_hub.utils import _http

    with running() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        place = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", place)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True, raising=False)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        for name, value in {
            "HF_ENDPOINT": server.url,
            "HF_HOME": str(tmp_path / "hf"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        # It has retries of its own, and waits for seconds between.
        monkeypatch.setattr(_http, "time", SimpleNamespace(**{**vars(time), "sleep": lambda _: None}))
        HfFileSystem.clear_instance_cache()
        yield server
        HfFileSystem.clear_instance_cache()


@pytest.fixture
def web(hub: Hub) -> Callable[[str], str]:
    """Return what gives the URL of a file of a data set on a plain web server: the Hub is one."""
    pytest.importorskip("aiohttp")
    from fsspec.implementations.http import HTTPFileSystem

    HTTPFileSystem.clear_instance_cache()
    return lambda path: f"{hub.url}/datasets/web/site/resolve/main/{path}"


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """Run moto's S3, and return its URL."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(moto: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a file system of S3 with an empty bucket."""
    s3fs = pytest.importorskip("s3fs")
    for name, value in {
        "AWS_ENDPOINT_URL": moto,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    fs = s3fs.S3FileSystem()
    if fs.exists(BUCKET):
        fs.rm(BUCKET, recursive=True)
    fs.mkdir(BUCKET)
    yield fs
    s3fs.S3FileSystem.clear_instance_cache()


def command(*arguments: object) -> list[str]:
    """Return the command line that converts."""
    return [sys.executable, "-m", "turnparse", "convert", *map(str, arguments)]


def commanded(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Convert by the command, with more in its environment."""
    return subprocess.run(
        command(*arguments), env=os.environ | environment, capture_output=True, text=True, check=False, timeout=60
    )
