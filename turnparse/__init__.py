r"""Parse and normalize conversation transcripts: preference data to chat messages, every row accounted for.

>>> import turnparse
>>> pair = turnparse.parse_pair(
...     "\n\nHuman: Is a tomato a fruit?\n\nAssistant: Botanically, yes: a berry.",
...     "\n\nHuman: Is a tomato a fruit?\n\nAssistant: No.",
... )
>>> [turn.content for turn in pair.shared]
['Is a tomato a fruit?']
>>> pair.chosen[0].message()
{'role': 'assistant', 'content': 'Botanically, yes: a berry.'}
>>> pair.relation
'last-turn'
"""

from typing import TYPE_CHECKING, Any

from turnparse._check import CheckResult, Finding, check
from turnparse._codes import CODES, Code
from turnparse._convert import convert
from turnparse._diagnose import Diagnostic
from turnparse._dialect import Dialect
from turnparse._errors import (
    ArgumentError,
    DamagedError,
    DialectError,
    FaultError,
    IncompleteError,
    IntendedUseWarning,
    NotTakenWarning,
    OptionError,
    OutputError,
    ParseError,
    RenderError,
    RowError,
    SourceError,
    TurnparseError,
)
from turnparse._model import Message, Origin, Pair, Transcript, Turn, TurnTree
from turnparse._parse import parse, parse_pair, parse_tree
from turnparse._read import read
from turnparse._red_team import RedTeamAttempt, parse_red_team
from turnparse._render import render
from turnparse._spreads import Spread
from turnparse._stats import stats
from turnparse._stats_figures import Stats
from turnparse._summary import Summary
from turnparse._version import __version__

if TYPE_CHECKING:
    from turnparse._converter import Converter
    from turnparse._table import TableResult, convert_table

__all__ = [
    "CODES",
    "ArgumentError",
    "CheckResult",
    "Code",
    "Converter",
    "DamagedError",
    "Diagnostic",
    "Dialect",
    "DialectError",
    "FaultError",
    "Finding",
    "IncompleteError",
    "IntendedUseWarning",
    "Message",
    "NotTakenWarning",
    "OptionError",
    "Origin",
    "OutputError",
    "Pair",
    "ParseError",
    "RedTeamAttempt",
    "RenderError",
    "RowError",
    "SourceError",
    "Spread",
    "Stats",
    "Summary",
    "TableResult",
    "Transcript",
    "Turn",
    "TurnTree",
    "TurnparseError",
    "__version__",
    "check",
    "convert",
    "convert_table",
    "parse",
    "parse_pair",
    "parse_red_team",
    "parse_tree",
    "read",
    "render",
    "stats",
]


def __getattr__(name: str) -> Any:
    """Load what needs Arrow when it is first asked for: importing the package stays light."""
    if name == "Converter":
        from turnparse._converter import Converter

        return Converter
    if name in {"TableResult", "convert_table"}:
        from turnparse import _table

        return getattr(_table, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
