"""A row to look at as one JSON object."""

from __future__ import annotations

from typing import Any

from turnparse._diagnose import Diagnostic
from turnparse._model import Pair, Turn
from turnparse._red_team import RedTeamAttempt
from turnparse._target import kind_of
from turnparse._views import View, metadata_of
from turnparse._word_differences import differences

RAW_SHOWN = 2_000
"""Characters of a row that cannot be read that are shown: enough to see what it is."""


def as_object(view: View) -> dict[str, Any]:
    """Return a row as JSON has it.

    Its keys are ``place``, ``source``, ``line``, ``row``, ``kind`` (``pair``, ``red-team``, ``transcript``, or ``unread``
    with ``code``, ``message`` and the beginning of the row as ``raw``) and ``diagnostics``. A pair has its ``relation``, ``turns`` in
    ``shared``, ``chosen`` and ``rejected``, and ``differences`` of the turns of the two tails, in order; other rows have a list
    of ``turns``, and attempts ``metadata``.
    """
    item = view.item
    found: dict[str, Any] = {
        "place": str(view.place),
        "source": view.place.source,
        "line": view.place.line,
        "row": view.place.row,
        "kind": "unread" if item is None else kind_of(item),
    }
    if item is None:
        code, message = ("", "") if view.error is None else (view.error.code, view.error.message)
        return found | {"code": code, "message": message, "raw": begun(view), "diagnostics": []}
    if isinstance(item, Pair):
        found["relation"] = item.relation
        found["turns"] = {
            "shared": _turns(item.shared),
            "chosen": _turns(item.chosen),
            "rejected": _turns(item.rejected),
        }
        found["differences"] = [
            [
                {"operation": one.operation, "chosen": one.chosen, "rejected": one.rejected}
                for one in differences(chosen.content, rejected.content)
            ]
            for chosen, rejected in zip(item.chosen, item.rejected, strict=False)
        ]
    elif isinstance(item, RedTeamAttempt):
        found["turns"] = _turns(item.transcript.message_turns)
        found["metadata"] = metadata_of(item)
    else:
        found["turns"] = _turns(item.message_turns)
    found["diagnostics"] = [_diagnostic(one) for one in item.diagnostics]
    return found


def begun(view: View) -> str:
    """Return the beginning of a row that cannot be read, with what is no UTF-8 escaped."""
    raw = None if view.error is None else view.error.raw
    text = (raw or b"")[: 4 * RAW_SHOWN].decode("utf-8", "backslashreplace")
    return text if len(text) <= RAW_SHOWN else f"{text[:RAW_SHOWN]}…"


def _turns(turns: tuple[Turn, ...]) -> list[dict[str, Any]]:
    return [{"speaker": turn.speaker, **turn.message()} for turn in turns]


def _diagnostic(found: Diagnostic) -> dict[str, Any]:
    return {
        "code": found.code,
        "severity": found.severity,
        "side": found.side,
        "turn": found.turn,
        "start": found.start,
        "end": found.end,
        "line": found.line,
        "column": found.column,
        "message": found.message,
    }
