"""Signals that ask the command to stop: each is told in one line, and gives the exit code that shells know.

It is loaded before all else, so it loads nothing that takes a while.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Timer
from typing import Any, Final, NoReturn

EXIT_SIGNAL: Final = 128
"""What shells add to the number of the signal that ended a command."""

PATIENCE: Final = 3.0
"""Seconds after which whoever has asked is told what is waited for, such as an upload."""

MOST_ASKED: Final = 3
"""How often one asks who means it."""


class StoppedError(BaseException):
    """A signal asks to stop. Like `KeyboardInterrupt`, it is no `Exception`: nobody is to catch it on its way.

    Attributes:
        number: the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def name(self) -> str:
        """What the signal is called, as ``SIGTERM``."""
        return signal.Signals(self.number).name


def _tell_to_wait() -> None:
    message = "turnparse: stopping, once what is under way is cleared away; to end at once, ask two times more\n"
    with suppress(OSError):
        os.write(2, message.encode())


def _caught() -> list[int]:
    """Return the signals that ask to stop; what is ignored stays ignored, as under nohup."""
    found = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    return [number for number in found if number is not None and signal.getsignal(number) is not signal.SIG_IGN]


def end_at_once() -> None:
    """Let a signal end the process on the spot, from now on: as long as there is nothing to be cleared away."""

    def end(number: int, _: Any) -> NoReturn:
        # An exception would not do: Python swallows it where it comes in the middle of what is called back, as in imports.
        message = f"turnparse: stopped by {StoppedError(number).name}; run the same command again\n"
        with suppress(OSError):
            os.write(2, message.encode())
        os._exit(EXIT_SIGNAL + number)

    for number in _caught():
        signal.signal(number, end)


@contextmanager
def stoppable() -> Iterator[None]:
    """Let a signal end what is done inside in good order.

    Raises:
        StoppedError: if one comes.
    """
    asked = 0

    def stop(number: int, _: Any) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            patience.start()
            raise StoppedError(number)
        # A shell, or a tool that runs others, may pass on what the terminal has sent already: the second is not meant
        # to cut short the clearing away. Who goes on asking is: the next run clears away what is left.
        if asked == MOST_ASKED - 1:
            for one in caught:
                signal.signal(one, signal.SIG_DFL)

    patience = Timer(PATIENCE, _tell_to_wait)
    patience.daemon = True
    caught = _caught()
    before = {number: signal.signal(number, stop) for number in caught}
    try:
        yield
    finally:
        patience.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)
