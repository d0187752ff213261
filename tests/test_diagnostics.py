"""Diagnostics: each code is found where it is, and its span is exactly the oddity."""

from __future__ import annotations

import pytest
from hypothesis import given

import turnparse
from strategies import HH, TEXT, text_pairs
from turnparse import CODES
from turnparse._codes import PRESETS

TRANSCRIPT_CASES = [
    ("preamble", "Be brief.\n\nHuman: q\n\nAssistant: a", ["Be brief."]),
    ("blank-preamble", " \t\n\nHuman: q\n\nAssistant: a", [" \t"]),
    ("cut-off-marker", "\n\nHuman: q\n\nAssistant: a\n\nHuman", ["\n\nHuman"]),
    ("cut-off-marker", "\n\nHuman: q\n\nAssistant: a\r\n\r\nAssistant \n", ["\r\n\r\nAssistant \n"]),
    ("cut-off-marker", "no turn\n\nHuman", ["\n\nHuman"]),
    ("cut-off-marker", "\n\nHuman: q\n\nAssistant: a\n\nHum", []),
    ("cut-off-marker", "\n\nHuman: q\n\nAssistant: a\n\nHumans", []),
    ("cut-off-marker", "\n\nHuman: q\n\nAssistant: a\nHuman", []),
    ("cut-off-marker", "\n\nHuman: q\n\nHuman\n\nAssistant: a", []),
    ("dangling-human", "\n\nHuman: q\n\nAssistant: a\n\nHuman: \n", ["\n\nHuman: \n"]),
    ("dangling-human", "Human:", ["Human:"]),
    ("empty-turn", "\n\nHuman:\n\nAssistant: a", ["\n\nHuman:"]),
    ("empty-turn", "\n\nHuman: q\n\nAssistant: \n\nHuman:\n\nAssistant: a", ["\n\nAssistant: ", "\n\nHuman:"]),
    ("empty-response", "\n\nHuman: q\n\nAssistant: ", ["\n\nAssistant: "]),
    ("ends-on-human", "\n\nHuman: q\n\nAssistant: a\n\nHuman: r", ["\n\nHuman: r"]),
    ("starts-with-assistant", "\n\nAssistant: a\n\nHuman: q", ["\n\nAssistant:"]),
    ("starts-with-assistant", "Assistant: a", ["Assistant:"]),
    ("same-speaker", "\n\nHuman: q\n\nHuman: r\n\nHuman: s", ["\n\nHuman:", "\n\nHuman:"]),
    ("no-turns", "just text", ["just text"]),
    ("no-turns", "", [""]),
    ("no-assistant", "x\n\nHuman: q", ["x\n\nHuman: q"]),
    ("label-at-line-start", "\n\nHuman: q\nAssistant: a\r\nHuman: b", ["Assistant:", "Human:"]),
    ("label-inside", "\n\nHuman: say Human: or Assistant: now", ["Human:", "Assistant:"]),
    ("near-miss-label", "\n\nHuman: q\n\nASSISTANT: a", ["ASSISTANT:"]),
    ("near-miss-label", "\n\nHuman: q\n\nAssitant: a\nAssisstant: b\nAssistent: c\nAssistnat: d", [
        "Assitant:", "Assisstant:", "Assistent:", "Assistnat:",
    ]),
    ("near-miss-label", "\n\nHuman: q\n\nAssistant  : a", ["Assistant  :"]),
    ("near-miss-label", "\n\nHuman: q\nAssistant: a", ["Assistant:"]),
    ("near-miss-label", "\n\nHuman: q\n\nHum: a", ["Hum:"]),
    ("near-miss-label", "human: q\n\nHuman: r", ["human:"]),
    ("control-token", "<s>\n\nHuman: q<|im_end|>[INST]\n\nAssistant: <<SYS>> </s>", [
        "<s>", "<|im_end|>", "[INST]", "<<SYS>>", "</s>",
    ]),
    ("control-token", "a <s\n\nHuman: < s> <S> [inst] <|a b|> <||> <think> <|\n\nAssistant: |> <s\u200b>", []),
    ("near-miss-label", "\n\nHuman: Hum: Hu: Assistance: I, Humann: Hxxan:\nHu: Hxxan: Note: Humanity:", []),
]  # fmt: skip

PAIR_CASES = [
    ("different-preambles", "a\n\nHuman: q\n\nAssistant: a", "b\n\nHuman: q\n\nAssistant: b", ("chosen", "a")),
    ("different-preambles", "\n\nHuman: q\n\nAssistant: a", "b\n\nHuman: q\n\nAssistant: b", ("rejected", "b")),
    ("empty", "  ", "\n\nHuman: q\n\nAssistant: b", ("chosen", "  ")),
    ("identical", "\n\nHuman: q\n\nAssistant: b", "\n\nHuman: q\n\nAssistant: b", ("chosen", "\n\nHuman: q\n\nAssistant: b")),
    ("extends", "\n\nHuman: q", "\n\nHuman: q\n\nAssistant: b\n\nHuman: r", ("rejected", "\n\nAssistant: b\n\nHuman: r")),
    ("uneven", "\n\nHuman: q\n\nAssistant: a\n\nAssistant: c", "\n\nHuman: q\n\nAssistant: b", ("chosen", "\n\nAssistant: a\n\nAssistant: c")),
    ("earlier", "\n\nHuman: q\n\nAssistant: a", "\n\nHuman: r\n\nAssistant: a", ("chosen", "\n\nHuman: q\n\nAssistant: a")),
]  # fmt: skip


@pytest.mark.parametrize(("code", "text", "oddities"), TRANSCRIPT_CASES)
def test_span_is_exactly_the_oddity(code: str, text: str, oddities: list[str]) -> None:
    """The span of each diagnostic of a transcript is the oddity, no more and no less, by both readers."""
    for transcript in (HH.read(text, "all"), HH.read_tree(text, "all")):
        found = [text[d.start : d.end] for d in transcript.diagnostics if d.code == code]
        assert found == oddities


@pytest.mark.parametrize(("code", "chosen", "rejected", "oddity"), PAIR_CASES)
def test_span_of_pair_codes(code: str, chosen: str, rejected: str, oddity: tuple[str, str]) -> None:
    """The span of each diagnostic of a pair is the oddity, on the side that it names."""
    pair = turnparse.parse_pair(chosen, rejected)

    (found,) = [d for d in pair.pair_diagnostics if d.code == code]
    text = {"chosen": chosen, "rejected": rejected}[found.side or ""]
    assert (found.side, text[found.start : found.end]) == oddity
    assert found.severity == "structural"


def test_every_code_has_a_case() -> None:
    """No code of a transcript or a pair goes without a case above, or one of its own."""
    codes = {code.name for code in CODES.values() if code.scope != "row"}

    assert codes - {case[0] for case in TRANSCRIPT_CASES} - {case[0] for case in PAIR_CASES} == {"not-in-dialect"}


@given(TEXT)
def test_places(text: str) -> None:
    """Lines and columns are those of the span's start, and diagnostics come in the order of their places."""
    diagnostics = turnparse.parse(text, diagnostics="all").diagnostics

    assert [d.start for d in diagnostics] == sorted(d.start for d in diagnostics)
    for found in diagnostics:
        lines = text[: found.start].split("\n")
        assert (found.line, found.column) == (len(lines), len(lines[-1]) + 1)
        assert 0 <= found.start <= found.end <= len(text)
        assert str(found.line) in found.message


@given(TEXT)
def test_advisory_codes_only_when_asked(text: str) -> None:
    """Without being asked for, only structural codes are found; with it, the same and more."""
    asked = turnparse.parse(text, diagnostics="all").diagnostics
    plain = turnparse.parse(text).diagnostics

    assert [d for d in asked if d.severity == "structural"] == list(plain)


@given(text_pairs())
def test_pair_diagnostics_are_those_of_its_sides(texts: tuple[str, str]) -> None:
    """A pair's diagnostics are its sides' own, named by side, and then its own."""
    pair = turnparse.parse_pair(*texts)

    chosen = [(d.code, d.start, d.end) for d in pair.diagnostics if d.side == "chosen"]
    own = [(d.code, d.start, d.end) for d in pair.pair_diagnostics if d.side == "chosen"]
    assert chosen == [(d.code, d.start, d.end) for d in turnparse.parse(texts[0]).diagnostics] + own


def test_unknown_diagnostics_value() -> None:
    """Asking for diagnostics that there are none of is an error."""
    with pytest.raises(turnparse.OptionError):
        turnparse.parse("", diagnostics="some")  # type: ignore[arg-type]  # that is the point


def test_table_is_sound() -> None:
    """Each code with a policy has a value under every preset, one of its choices; that of advisory codes is to keep."""
    for code in CODES.values():
        assert len(code.presets) == (len(PRESETS) if code.choices else 0), code.name
        assert set(code.presets) <= set(code.choices), code.name
        assert code.choices or code.severity == "advisory", code.name
        assert code.severity == "structural" or set(code.presets) <= {"keep"}, code.name
        assert code.meaning.endswith("."), code.name
        assert code.advice.endswith("."), code.name
        assert code.advice.isprintable(), code.name


def test_levels_are_what_presets_do() -> None:
    """A code is an error where the preset sets its rows aside, and matters to a stricter preset no less."""
    order = ["note", "warning", "error"]
    for code in CODES.values():
        levels = [code.level(preset) for preset in PRESETS]
        assert levels == sorted(levels, key=order.index), code.name
        assert [level == "error" for level in levels] == [value == "set-aside" for value in code.presets or PRESETS]
        assert code.severity == "structural" or set(levels) == {"note"}, code.name


def test_level_of_an_unknown_preset() -> None:
    """To ask for the level under a preset that there is none of is an error."""
    with pytest.raises(turnparse.OptionError, match="expected a preset"):
        CODES["uneven"].level("lenient")


def test_million_turns_are_linear() -> None:
    """A text of very many odd turns is diagnosed without going over it again for each."""
    text = "\n\nHuman:" * 100_000

    assert len(turnparse.parse(text).diagnostics) == 200_000
