"""The strategies find what they are for: a property over dull examples proves nothing."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import turnparse
from strategies import HH, TEXT, advised_pairs, differing_texts, terminal_texts, text_pairs
from turnparse._word_differences import differences


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


def test_texts_are_hard_on_terminals() -> None:
    """Over half of them do not print as they are."""
    assert share(terminal_texts(), lambda text: not str(text).replace("\n", "").isprintable()) > 0.5


def test_texts_differ_in_part() -> None:
    """At least a third of them have something in common, and something that differs."""

    def parts(texts: object) -> bool:
        assert isinstance(texts, tuple)
        return len({one.operation == "equal" for one in differences(*texts)}) == 2

    assert share(differing_texts(), parts) > 0.3


def test_pairs_carry_advisory_codes_alone() -> None:
    """At least one of twenty carries codes, and none but advisory ones; one of twenty carries none."""

    def severities(texts: object) -> set[str]:
        assert isinstance(texts, tuple)
        return {turnparse.CODES[code].severity for code in turnparse.parse_pair(*texts, diagnostics="all").codes}

    assert share(advised_pairs(HH), lambda texts: severities(texts) == {"advisory"}) > 0.05
    assert share(advised_pairs(HH), lambda texts: not severities(texts)) > 0.05
