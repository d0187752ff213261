"""A stand-in for the Hub on loopback: it speaks so much of the API as huggingface_hub's client asks for, and holds what is told.

Paths and fields are those that the client of huggingface_hub sends and reads (its ``hf_api``, ``_commit_api`` and ``lfs``).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class Hub(ThreadingHTTPServer):
    """The server, and what it holds.

    Attributes:
        files: {repository of data sets: {path: content}}.
        commits: how many there were.
        token: the token that is asked for, if one is.
        fail: {part of a path: how many more requests for it fail with 503, or are cut off half way if the number is negative}.
        asked: what was asked for.
        lfs: whether uploads go the way of large files.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, dict[str, bytes]] = {}
        self.commits = 0
        self.token = ""
        self.fail: dict[str, int] = {}
        self.asked: list[str] = []
        self.lfs = False
        self.objects: dict[str, bytes] = {}
        self.lock = Lock()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def failing(self, path: str) -> int:
        """Return what is to happen to a request: 0 nothing, 1 an error, -1 that its answer is cut off."""
        with self.lock:
            for part, count in self.fail.items():
                if count and part in path:
                    self.fail[part] -= 1 if count > 0 else -1
                    return 1 if count > 0 else -1
        return 0


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        """Answer without a body."""
        self._answered("HEAD")

    def do_GET(self) -> None:
        """Answer with what is there."""
        self._answered("GET")

    def do_POST(self) -> None:
        """Take what is sent."""
        self._answered("POST")

    def do_PUT(self) -> None:
        """Take a large file."""
        self._answered("PUT")

    def _answered(self, method: str) -> None:
        url = urlsplit(self.path)
        path = unquote(url.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b"".join(iter(self._chunk, b""))
        self.server.asked.append(f"{method} {path}")
        self.cut = False
        failing = self.server.failing(f"{method} {path}")
        if failing > 0:
            return self._send(503, b"try again")
        self.cut = failing < 0
        if self.server.token and self.headers.get("Authorization") != f"Bearer {self.server.token}":
            return self._send(
                401, b"", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Invalid username or password."}
            )
        if found := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)(?:/revision/[^/]+)?", path):
            return self._repository(found[1])
        if found := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/tree/[^/]+(?:/(.*))?", path):
            return self._tree(
                found[1], found[2] or "", recursive=parse_qs(url.query).get("recursive", [""])[0].lower() == "true"
            )
        if found := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/paths-info/[^/]+", path):
            wanted = parse_qs(body.decode()).get("paths", [])
            files = self.server.files.get(found[1], {})
            return self._json([entry(name, files[name]) for name in wanted if name in files])
        if found := re.fullmatch(r"/datasets/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            return self._file(found[1], found[2])
        if re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/preupload/[^/]+", path):
            mode = "lfs" if self.server.lfs else "regular"
            files_sent = json.loads(body)["files"]
            return self._json(
                {"files": [{"path": one["path"], "uploadMode": mode, "shouldIgnore": False} for one in files_sent]}
            )
        if found := re.fullmatch(r"/datasets/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            action = {"upload": {"href": f"{self.server.url}/lfs"}}
            objects = [
                {
                    "oid": one["oid"],
                    "size": one["size"],
                    "actions": {"upload": {"href": f"{self.server.url}/lfs/{one['oid']}"}},
                }
                for one in json.loads(body)["objects"]
            ]
            del action
            return self._json({"transfer": "basic", "objects": objects})
        if (found := re.fullmatch(r"/lfs/([0-9a-f]{64})", path)) and method == "PUT":
            if hashlib.sha256(body).hexdigest() != found[1]:
                return self._send(400, b"not what was announced")
            self.server.objects[found[1]] = body
            return self._send(200, b"")
        if found := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/commit/[^/]+", path):
            return self._commit(found[1], body)
        return self._send(404, b"", {"X-Error-Code": "EntryNotFound"})

    def _chunk(self) -> bytes:
        data = self.rfile.read(int(self.rfile.readline(), 16))
        self.rfile.readline()
        return data

    def _repository(self, name: str) -> None:
        if name not in self.server.files:
            return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        return self._json(
            {"id": name, "sha": f"{self.server.commits:040x}", "private": False, "siblings": [], "tags": []}
        )

    def _tree(self, name: str, folder: str, *, recursive: bool) -> None:
        files = self.server.files.get(name)
        if files is None:
            return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        root = f"{folder}/" if folder else ""
        inside = {path: data for path, data in files.items() if path.startswith(root)}
        if folder and not inside:
            return self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"})
        folders = {
            path[: len(root) + cut]
            for path in inside
            for cut in (found.start() for found in re.finditer("/", path[len(root) :]))
        }
        entries = [entry(path, data) for path, data in inside.items() if recursive or "/" not in path[len(root) :]]
        entries += [
            {"type": "directory", "path": path, "oid": "0" * 40, "size": 0}
            for path in sorted(folders)
            if recursive or "/" not in path[len(root) :]
        ]
        return self._json(sorted(entries, key=lambda one: str(one["path"])))

    def _file(self, name: str, path: str) -> None:
        data = self.server.files.get(name, {}).get(path)
        if data is None:
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
        headers = {
            "ETag": f'"{hashlib.sha1(data).hexdigest()}"',
            "X-Repo-Commit": f"{self.server.commits:040x}",
            "Accept-Ranges": "bytes",
        }
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if wanted is None:
            return self._send(200, data, headers)
        begin, end = int(wanted[1]), min(int(wanted[2] or len(data) - 1), len(data) - 1)
        headers["Content-Range"] = f"bytes {begin}-{end}/{len(data)}"
        return self._send(206, data[begin : end + 1], headers)

    def _commit(self, name: str, body: bytes) -> None:
        files = self.server.files.setdefault(name, {})
        taken = {}
        for line in body.splitlines():
            operation = json.loads(line)
            value = operation["value"]
            if operation["key"] == "file":
                taken[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile":
                taken[value["path"]] = self.server.objects[value["oid"]]
            elif operation["key"] == "deletedFile":
                files.pop(value["path"], None)
        files.update(taken)
        self.server.commits += 1
        commit = f"{self.server.commits:040x}"
        self._json(
            {
                "commitUrl": f"{self.server.url}/datasets/{name}/commit/{commit}",
                "commitOid": commit,
                "success": True,
                "hookOutput": "",
            }
        )

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(data[: len(data) // 2] if self.cut else data)
        if self.cut:
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)


def entry(path: str, data: bytes) -> dict[str, Any]:
    """Return what the Hub tells of a file."""
    return {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}  # noqa: S324


@contextmanager
def running() -> Iterator[Hub]:
    """Run a Hub."""
    hub = Hub()
    thread = Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
