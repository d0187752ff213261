"""The strategies find what they are for: a property over dull examples proves nothing."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import turnparse
from strategies import HH, TEXT, text_pairs


def share(strategy: st.SearchStrategy[object], test: Callable[[object], bool], examples: int = 500) -> float:
    """Return the share of *strategy*'s examples that pass *test*."""
    passed: list[bool] = []

    @settings(
        max_examples=examples,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: object) -> None:
        passed.append(test(value))

    collect()
    return sum(passed) / len(passed)


def test_most_texts_have_turns() -> None:
    """Over half of the texts hold two turns or more."""
    assert share(TEXT, lambda text: len(turnparse.parse(str(text)).turns) >= 2) > 0.5


def test_many_texts_are_odd() -> None:
    """At least a tenth of the texts hold a Windows line end or something near a marker."""

    def odd(text: object) -> bool:
        codes = {found.code for found in HH.read(str(text), "all").diagnostics}
        return "\r\n" in str(text) or bool(codes & {"cut-off-marker", "near-miss-label", "label-at-line-start"})

    assert share(TEXT, odd) > 0.1


def test_pairs_share_turns() -> None:
    """At least a fifth of the pairs share a turn."""

    def shares(texts: object) -> bool:
        assert isinstance(texts, tuple)
        return bool(turnparse.parse_pair(*texts).shared)

    assert share(text_pairs(), shares) > 0.2
