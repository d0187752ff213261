"""A stand-in for the Hub on loopback: it speaks so much of the API as huggingface_hub's client asks for, and holds what is told.

Paths and fields are those that the client of huggingface_hub sends and reads (its ``hf_api``, ``_commit_api`` and ``lfs``).
Below ``/datasets/…/resolve/`` it is a web server of plain files too.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

NAME = "([^/]+/[^/]+)"
NOT_FOUND = {"X-Error-Code": "EntryNotFound"}


class Hub(ThreadingHTTPServer):
    """The server, and what it holds.

    Attributes:
        files: {repository of data sets, or that and ``@`` and a revision: {path: content}}.
        commits: the paths that were put there, a list for each commit.
        token: the token that is asked for, if one is.
        lfs: whether uploads go the way of large files.
        ignored: a pattern of files that a ``.gitignore`` leaves out.
        sizes: whether the web server tells how long a file is.
        ranges: whether it gives parts of one.
        asked: what was asked for.
        stall: a part of a method and path; requests for it are not answered.
        stalled: set when there was one.
        on_read: called with the path of a file that is read, before it is given.
        on_commit: called after each commit.
    """

    daemon_threads = True

    def __init__(self) -> None:
        """Hold nothing yet."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, dict[str, bytes]] = {}
        self.commits: list[list[str]] = []
        self.token = ""
        self.lfs = False
        self.ignored = ""
        self.sizes = True
        self.ranges = True
        self.asked: list[str] = []
        self.stall = ""
        self.stalled = Event()
        self.ended = Event()
        self.objects: dict[str, bytes] = {}
        self.on_read: Callable[[str], object] | None = None
        self.on_commit: Callable[[], object] | None = None
        self._troubles: list[list[Any]] = []
        self._lock = Lock()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def trouble(self, part: str, what: str, count: int = 1) -> None:
        """Let so many requests whose method and path have *part* fail: with a status, ``cut`` half way, or ``reset``."""
        self._troubles.append([part, what, count])

    def met(self, request: str) -> str:
        """Return what is to happen to a request, or nothing."""
        with self._lock:
            for trouble in self._troubles:
                if trouble[2] and trouble[0] in request:
                    trouble[2] -= 1
                    return str(trouble[1])
        return ""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that are killed are what this is for."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
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
        if self.server.stall and self.server.stall in f"{method} {path}":
            self.server.stalled.set()
            self.server.ended.wait()
            return
        self.trouble = self.server.met(f"{method} {path}")
        if self.trouble == "reset":
            self._reset()
            return
        if self.trouble.isdigit():
            self._send(int(self.trouble), b"no")
            return
        if self.server.token and self.headers.get("Authorization") != f"Bearer {self.server.token}":
            told = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Invalid username or password."}
            self._send(401, b"", told)
            return
        for pattern, answer in self._answers(method, parse_qs(url.query), body).items():
            # A revision may have a slash in its name, which is not one between parts of the path.
            if found := re.fullmatch(pattern, url.path):
                answer(*(unquote(part or "") for part in found.groups()))
                return
        self._send(404, b"", {"X-Error-Code": "RepoNotFound"} if url.path.startswith("/api/") else NOT_FOUND)

    def _answers(self, method: str, query: dict[str, list[str]], body: bytes) -> dict[str, Callable[..., None]]:
        if method == "PUT":
            return {"/lfs/([0-9a-f]{64})": lambda oid: self._object(oid, body)}
        if method == "POST":
            return {
                # What the client has checked of a README.md before it sends it.
                "/api/validate-yaml": lambda: self._json({"errors": [], "warnings": []}),
                f"/api/datasets/{NAME}/paths-info/([^/]+)": lambda name, revision: self._infos(name, revision, body),
                f"/api/datasets/{NAME}/preupload/([^/]+)": lambda name, revision: self._modes(name, revision, body),
                f"/datasets/{NAME}\\.git/info/lfs/objects/batch": lambda _: self._places(body),
                f"/api/datasets/{NAME}/commit/([^/]+)": lambda name, revision: self._commit(name, revision, body),
            }
        is_deep = query.get("recursive", [""])[0].lower() == "true"
        return {
            f"/api/datasets/{NAME}": self._repository,
            f"/api/datasets/{NAME}/revision/([^/]+)": self._repository,
            f"/api/datasets/{NAME}/tree/([^/]+)(?:/(.*))?": lambda *found: self._tree(*found, is_deep=is_deep),
            f"/datasets/{NAME}/resolve/([^/]+)/(.+)": self._file,
        }

    def _reset(self) -> None:
        self.close_connection = True
        # To linger for no time ends a connection by a reset.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _chunk(self) -> bytes:
        data = self.rfile.read(int(self.rfile.readline(), 16))
        self.rfile.readline()
        return data

    def _held(self, name: str, revision: str) -> dict[str, bytes] | None:
        return self.server.files.get(name if revision == "main" else f"{name}@{revision}")

    def _repository(self, name: str, revision: str = "main") -> None:
        if self._held(name, revision) is None:
            code = "RevisionNotFound" if name in self.server.files else "RepoNotFound"
            self._send(404, b"{}", {"X-Error-Code": code})
            return
        self._json({"id": name, "sha": self._head, "private": False, "siblings": [], "tags": []})

    @property
    def _head(self) -> str:
        return f"{len(self.server.commits):040x}"

    def _tree(self, name: str, revision: str, folder: str, *, is_deep: bool) -> None:
        files = self._held(name, revision)
        root = f"{folder}/" if folder else ""
        inside = {path: data for path, data in (files or {}).items() if path.startswith(root)}
        if files is None or (folder and not inside):
            self._send(404, b"{}", NOT_FOUND if files is not None else {"X-Error-Code": "RepoNotFound"})
            return
        folders = {
            path[: len(root) + found.start()] for path in inside for found in re.finditer("/", path[len(root) :])
        }
        entries = [entry(path, data) for path, data in inside.items()]
        entries += [{"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in folders]
        entries = [one for one in entries if is_deep or "/" not in one["path"][len(root) :]]
        self._json(sorted(entries, key=lambda one: str(one["path"])))

    def _infos(self, name: str, revision: str, body: bytes) -> None:
        files = self._held(name, revision) or {}
        self._json([entry(path, files[path]) for path in parse_qs(body.decode())["paths"] if path in files])

    def _file(self, name: str, revision: str, path: str) -> None:
        if self.server.on_read is not None and self.command == "GET":
            self.server.on_read(path)
        data = (self._held(name, revision) or {}).get(path)
        if data is None:
            self._send(404, b"", NOT_FOUND)
            return
        headers = {"ETag": f'"{digest(data)}"', "X-Repo-Commit": self._head}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if wanted is None or not self.server.ranges:
            self._send(200, data, headers, sized=self.server.sizes)
            return
        begin, end = int(wanted[1]), min(int(wanted[2] or len(data) - 1), len(data) - 1)
        headers |= {"Accept-Ranges": "bytes", "Content-Range": f"bytes {begin}-{end}/{len(data)}"}
        self._send(206, data[begin : end + 1], headers)

    def _modes(self, name: str, revision: str, body: bytes) -> None:
        held = self._held(name, revision) or {}
        files = []
        for path in (one["path"] for one in json.loads(body)["files"]):
            mode = "lfs" if self.server.lfs else "regular"
            is_out = bool(self.server.ignored) and fnmatch(path, self.server.ignored)
            known = {"oid": blob(held[path])} if path in held and not self.server.lfs else {}
            files.append({"path": path, "uploadMode": mode, "shouldIgnore": is_out, **known})
        self._json({"files": files})

    def _places(self, body: bytes) -> None:
        objects = [
            {**one, "actions": {"upload": {"href": f"{self.server.url}/lfs/{one['oid']}"}}}
            for one in json.loads(body)["objects"]
        ]
        self._json({"transfer": "basic", "objects": objects})

    def _object(self, oid: str, body: bytes) -> None:
        if hashlib.sha256(body).hexdigest() != oid:
            self._send(400, b"not what was announced")
            return
        self.server.objects[oid] = body
        self._send(200, b"")

    def _commit(self, name: str, revision: str, body: bytes) -> None:
        files = self._held(name, revision)
        if files is None:
            self._send(404, b"", {"X-Error-Code": "RepoNotFound"})
            return
        taken = {}
        for operation in map(json.loads, body.splitlines()):
            value = operation["value"]
            if operation["key"] == "file":
                taken[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile":
                taken[value["path"]] = self.server.objects[value["oid"]]
            elif operation["key"] == "deletedFile":
                if value["path"] not in files:
                    self._send(400, b'{"error": "no such file"}')
                    return
                del files[value["path"]]
        files.update(taken)
        self.server.commits.append(list(taken))
        if self.server.on_commit is not None:
            self.server.on_commit()
        told = {"commitUrl": f"{self.server.url}/datasets/{name}/commit/{self._head}", "commitOid": self._head}
        self._json(told | {"success": True, "hookOutput": ""})

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, data: bytes, headers: dict[str, str] | None = None, *, sized: bool = True) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header(*(("Content-Length", str(len(data))) if sized else ("Transfer-Encoding", "chunked")))
        self.end_headers()
        if self.command == "HEAD":
            return
        if not sized:
            halves = [data[: len(data) // 2], data[len(data) // 2 :]]
            chunks = [b"%x\r\n%s\r\n" % (len(half), half) for half in halves if half] + [b"0\r\n\r\n"]
            data = b"".join(chunks)
        if self.trouble == "cut":
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.wfile.write(data)


def digest(data: bytes) -> str:
    """Return what tells one content from another."""
    return hashlib.sha1(data).hexdigest()  # noqa: S324  # as Git does


def blob(data: bytes) -> str:
    """Return how Git names a content."""
    return digest(b"blob %d\0%s" % (len(data), data))


def entry(path: str, data: bytes) -> dict[str, Any]:
    """Return what the Hub tells of a file."""
    return {"type": "file", "path": path, "size": len(data), "oid": blob(data)}


@contextmanager
def running() -> Iterator[Hub]:
    """Run a Hub."""
    hub = Hub()
    thread = Thread(target=hub.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.ended.set()
        hub.shutdown()
        hub.server_close()
        thread.join()
