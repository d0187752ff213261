"""A way to a server that can be held up: what a network does in the middle of an upload."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from urllib.parse import urlsplit


class Proxy:
    """Passes bytes on to a server, until so many have gone there.

    Attributes:
        stalled: set when no more are passed on.
    """

    def __init__(self, url: str, most: int) -> None:
        """Pass on so many bytes to the server at *url*."""
        parts = urlsplit(url)
        self._server = (parts.hostname or "", parts.port or 80)
        self._left = most
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ended = Event()
        self._open: list[socket.socket] = []
        self.stalled = Event()
        Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listening.accept()[0]
                server = socket.create_connection(self._server)
                self._open += [client, server]
                Thread(target=self._pass, args=(client, server), kwargs={"counted": True}, daemon=True).start()
                Thread(target=self._pass, args=(server, client), kwargs={"counted": False}, daemon=True).start()

    def _pass(self, giver: socket.socket, taker: socket.socket, *, counted: bool) -> None:
        with suppress(OSError):
            while data := giver.recv(1 << 16):
                if counted:
                    self._left -= len(data)
                    if self._left < 0:
                        self.stalled.set()
                        self._ended.wait()
                        return
                taker.sendall(data)
            taker.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End all."""
        self._ended.set()
        for one in [self._listening, *self._open]:
            one.close()


@contextmanager
def proxied(url: str, most: int) -> Iterator[Proxy]:
    """Run a proxy that passes so many bytes on to the server at *url*."""
    proxy = Proxy(url, most)
    try:
        yield proxy
    finally:
        proxy.close()
