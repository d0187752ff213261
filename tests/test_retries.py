"""What is tried again, and what is told where that is of no use."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from turnparse._retries import TRIES, UnreachedError, may_pass, tried


class NoCredentialsError(Exception):
    """As botocore has it."""


class RepositoryNotFoundError(Exception):
    """As huggingface_hub has it."""


def answer(status: int) -> SimpleNamespace:
    """Return an answer of HTTP, as libraries keep one on their errors."""
    return SimpleNamespace(status_code=status)


def having(error: BaseException, **attributes: Any) -> BaseException:
    """Return *error* with attributes such as libraries give theirs."""
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


def from_(error: BaseException, cause: BaseException) -> BaseException:
    """Return *error* as it is where it was raised from *cause*."""
    error.__cause__ = cause
    return error


PASSING = {
    "reset": ConnectionResetError(104, "reset"),
    "time": TimeoutError(),
    "no errno": OSError("cut off"),
    "a library's own": Exception("Cannot connect"),
    "cut JSON": json.JSONDecodeError("cut", "", 0),
    "cut text": UnicodeDecodeError("utf-8", b"\xff", 0, 1, "cut"),
    **{f"aiohttp's {status}": having(Exception(), status=status) for status in (408, 409, 412, 425, 429, 500, 503)},
    "httpx's 502": having(OSError(), response=answer(502)),
    "botocore's 500": having(Exception(), response={"ResponseMetadata": {"HTTPStatusCode": 500}}),
    "gcsfs's 503": having(Exception(), code=503),
    "fsspec's missing that was not asked for": from_(FileNotFoundError("x"), having(Exception(), status=503)),
    "the Hub's upload": from_(RuntimeError("Error while uploading"), ConnectionResetError()),
}
LASTING = {
    "missing": FileNotFoundError(2, "x"),
    "forbidden": PermissionError(1, "x"),
    "taken": FileExistsError(17, "x"),
    "a value": ValueError("bad bucket name"),
    "a bug": AttributeError("x"),
    "no package": ImportError("x"),
    "no key": KeyError("x"),
    "no credentials": NoCredentialsError("x"),
    "Ctrl-C": KeyboardInterrupt(),
    **{f"aiohttp's {status}": having(Exception(), status=status) for status in (400, 401, 403, 404, 410, 416)},
    "httpx's 404": having(OSError(), response=answer(404)),
    "botocore's 403": having(Exception(), response={"ResponseMetadata": {"HTTPStatusCode": 403}}),
    "fsspec's missing": from_(FileNotFoundError("x"), having(Exception(), status=404)),
    "the Hub's upload": from_(RuntimeError("Error while uploading"), having(Exception(), status=403)),
}


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait."""
    monkeypatch.setattr("turnparse._retries.FIRST_WAIT", 0)


@pytest.mark.parametrize("error", PASSING.values(), ids=PASSING)
def test_what_may_pass_is_tried_again(error: BaseException) -> None:
    """It may go well the last time, and if it does not, one error tells why and how often."""
    assert may_pass(error)
    calls = []

    def call() -> str:
        calls.append(1)
        if len(calls) < TRIES:
            raise error
        return "done"

    assert tried(call) == "done"
    with pytest.raises(UnreachedError, match=rf"\({TRIES} times\)"):
        tried(lambda: calls.clear() or call())  # type: ignore[func-returns-value]  # it is for the clearing
    assert len(calls) == 1


@pytest.mark.parametrize("error", LASTING.values(), ids=LASTING)
def test_what_lasts_is_told_at_once(error: BaseException) -> None:
    """It is tried once."""
    assert not may_pass(error)
    calls = []

    def call() -> None:
        calls.append(1)
        raise error

    with pytest.raises(OSError if isinstance(error, Exception) else KeyboardInterrupt) as caught:
        tried(call)
    assert len(calls) == 1
    assert not isinstance(caught.value, UnreachedError)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (from_(FileNotFoundError("https://h/x?sig=secret"), having(Exception(), status=404)), "No such file"),
        (from_(FileNotFoundError("x"), having(Exception("Forbidden"), status=403)), "Forbidden"),
        (from_(FileNotFoundError("x"), having(RepositoryNotFoundError(), response=answer(401))), "HF_TOKEN"),
        (ValueError("bad bucket name"), "ValueError: bad bucket name"),
        (PermissionError("Access Denied"), "Access Denied"),
    ],
)
def test_why_is_told(error: BaseException, told: str) -> None:
    """What fsspec hides behind a file that is not there is what is told."""

    def call() -> None:
        raise error

    with pytest.raises(OSError, match=told):
        tried(call)
