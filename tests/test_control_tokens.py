"""Control tokens of chat templates: which there are, where they are found, and what makes them harmless."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import turnparse
from strategies import ANY_TEXT, DIALECTS, TOKEN_TEXT, token_pairs
from turnparse import Dialect, Pair, RedTeamAttempt, Transcript, _token_columns
from turnparse._codes import PRESETS, policy_values
from turnparse._contents import TextColumn
from turnparse._control_tokens import (
    BREAK,
    FAMILIES,
    OPENINGS,
    SIGNS,
    TOKENS,
    control_tokens,
    holds_control_token,
    without_control_tokens,
)
from turnparse._policies import apply_policies
from turnparse._token_columns import rows_with_tokens

ESCAPE = policy_values("default", {"control-token": "escape"})
ASIDE = policy_values("default", {"control-token": "set-aside"})


def found(text: str) -> list[str]:
    """Return the control tokens of *text*."""
    return [text[start:end] for start, end in control_tokens(text)]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_token_is_found(family: turnparse._control_tokens.Family) -> None:
    """Each token of each family is found whole, next to letters and to other tokens; its family says where it is from."""
    assert family.source.startswith("https://")
    assert [found(f"a{token}b") for token in family.tokens] == [[token] for token in family.tokens]
    assert found("".join(family.tokens)) == list(family.tokens)


def test_the_list_is_sound() -> None:
    """What is relied on elsewhere holds of every token: how it begins, and that it holds no `BREAK` and no white space."""
    for token in TOKENS:
        assert token.startswith(SIGNS)
        assert token.startswith(OPENINGS)
        assert not re.search(rf"\s|{BREAK}", token)
    assert all(len(opening.encode()) >= _token_columns.SHORT for opening in OPENINGS)
    heads = [opening.encode()[: _token_columns.HEAD] for opening in OPENINGS]
    assert not any(one.startswith(other) for one in heads for other in set(heads) - {one})
    assert [sign for sign in SIGNS if len(sign.encode()) > 1] == []
    assert BREAK.strip() == BREAK


@pytest.mark.parametrize(
    "text",
    [
        "a <s", "a <s b>", "< s>", "<S>", "[inst]", "[INST", "<|a b|>", "<||>", "<|é|>", "<|im_start>", "<b>", "</p>", "<start>", "|>", "<think>",
        "<\u200bs>", "1 < 2 |> f", "[1]", "x[i]",
    ],
)  # fmt: skip
def test_what_is_no_token(text: str) -> None:
    """Text that only looks like a token is none, and is left as it is."""
    assert found(text) == []
    assert without_control_tokens(text) is text


def test_tokens_that_are_in_no_list() -> None:
    """A word between bars is a token though no family is known that has it."""
    assert found("<|x9_Y|><\uff5cnew\u2581one\uff5c>") == ["<|x9_Y|>", "<\uff5cnew\u2581one\uff5c>"]


@given(st.one_of(TOKEN_TEXT, TOKEN_TEXT, ANY_TEXT))
@example("<|<|im_start|>")
@example("<<s>s>")
@example("<<<SYS>>>")
@example("[[INST]INST]")
def test_escaping(text: str) -> None:
    """No token is left, once is enough, only breaks are added, one in each token, and a text without tokens is the same."""
    escaped = without_control_tokens(text)

    assert not holds_control_token(escaped)
    assert without_control_tokens(escaped) is escaped
    assert escaped.replace(BREAK, "") == text.replace(BREAK, "")
    assert len(escaped) - len(text) == len(found(text))
    assert (escaped is text) == (not holds_control_token(text))


def test_escaped_text_is_readable() -> None:
    """The break stands after the token's first character, and nothing else is changed."""
    assert without_control_tokens("say <|im_end|> or </s>.") == "say <\u200b|im_end|> or <\u200b/s>."


@pytest.mark.parametrize(
    "text", ["<|" * 500_000, "<|" + "a" * 1_000_000, "<" * 1_000_000, "[/INST" * 200_000, "<s" * 500_000]
)
def test_looking_for_tokens_is_linear(text: str) -> None:
    """A megabyte of beginnings of tokens takes no longer than any other megabyte: this test would not end."""
    assert found(text) == []
    assert len(rows_with_tokens(TextColumn.of(pa.array([text])))) == 0


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_keep_control_tokens(preset: str) -> None:
    """No preset looks for control tokens, or does anything about them when they are asked for."""
    text = "\n\nHuman: <s>\n\nAssistant: </s>"
    plain = apply_policies(turnparse.parse(text), policy_values(preset))
    asked = apply_policies(turnparse.parse(text, diagnostics="all"), policy_values(preset))

    assert not plain.codes
    assert asked.codes == {"control-token"}
    assert str(plain.item) == str(asked.item) == text
    assert not plain.refusals
    assert not asked.refusals


@given(token_pairs())
def test_escaped_pairs_hold_no_token(texts: tuple[str, str]) -> None:
    """Whatever else is mended, no message of an escaped row holds a token, and what it says is the same but for breaks."""
    pair = turnparse.parse_pair(*texts)
    kept = policy_values("faithful")
    outcome = apply_policies(pair, kept | {"control-token": "escape"})

    assert isinstance(outcome.item, Pair)
    sides = (outcome.item.chosen_transcript, outcome.item.rejected_transcript)
    before = (pair.chosen_transcript, pair.rejected_transcript)
    assert not any(holds_control_token(message["content"]) for side in sides for message in side.messages())
    held = any(holds_control_token(text) for side in before for text in (side.preamble, *(t.text for t in side.turns)))
    assert ("control-token" in outcome.codes) == held
    assert (outcome.item is pair) == (not held)
    for old, new in zip(before, sides, strict=True):
        assert str(new).replace(BREAK, "") == str(old).replace(BREAK, "")
        assert [turn.mark for turn in new.turns] == [turn.mark for turn in old.turns]
        assert [str(new)[turn.start : turn.end] for turn in new.turns] == [str(turn) for turn in new.turns]
    again = apply_policies(outcome.item, kept | {"control-token": "escape"})
    assert str(again.item.chosen_transcript) == str(sides[0])  # type: ignore[union-attr]  # a pair stays one


@pytest.mark.parametrize("diagnostics", ["structural", "all"])
def test_rows_of_every_kind_are_set_aside(diagnostics: turnparse._model.Diagnostics) -> None:
    """A token in a turn or in the preamble sets a row aside, whatever was asked for; its place is the token's."""
    for text, place in (("a<s>\n\nHuman: q\n\nAssistant: a", 1), ("\n\nHuman: q\n\nAssistant: <s>", 23)):
        other = "\n\nHuman: q\n\nAssistant: b"
        pair = turnparse.parse_pair(text, other, diagnostics=diagnostics)
        attempt = turnparse.parse_red_team({"transcript": text}, diagnostics=diagnostics)
        for item in (pair, attempt, turnparse.parse(text, diagnostics=diagnostics)):
            (refusal,) = apply_policies(item, ASIDE).refusals
            assert (refusal.code, refusal.start, refusal.end) == ("control-token", place, place + 3)
            assert refusal.severity == "advisory"


def test_an_attempt_is_escaped() -> None:
    """The transcript of a red-team attempt is escaped, and nothing else of the attempt is touched."""
    attempt = turnparse.parse_red_team({"transcript": "\n\nHuman: <s>\n\nAssistant: a", "task_description": "<s>"})
    mended = apply_policies(attempt, ESCAPE).item

    assert isinstance(mended, RedTeamAttempt)
    assert mended.messages()[0]["content"] == f"<{BREAK}s>"
    assert mended.task_description == "<s>"


def test_sides_that_are_the_same_once_escaped() -> None:
    """Policies of pairs judge the sides as they are written: two that escaping makes identical are so."""
    texts = [f"\n\nHuman: q\n\nAssistant: {answer}" for answer in ("<s>", f"<{BREAK}s>")]
    outcome = apply_policies(turnparse.parse_pair(*texts), ESCAPE)

    assert [refusal.code for refusal in outcome.refusals] == ["identical"]
    assert outcome.codes == {"identical", "control-token"}


def test_a_dialects_own_marks_are_no_content() -> None:
    """Where turns begin and end in control tokens these are marks; only what stands between them is looked through."""
    dialect = Dialect.from_file(DIALECTS / "chatml.lark")
    text = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHo <s><|im_end|>\n"
    plain = dialect.read(text.replace("<s>", "."), "all")
    held = dialect.read(text, "all")

    assert plain.turns
    assert "control-token" not in plain.codes
    assert [text[one.start : one.end] for one in held.diagnostics if one.code == "control-token"] == ["<s>"]
    mended = apply_policies(dialect.read(text), policy_values("faithful", {"control-token": "escape"})).item
    assert str(mended) == text.replace("<s>", f"<{BREAK}s>")


def test_a_text_that_is_not_in_its_dialect_is_left_alone() -> None:
    """A text that a grammar does not accept is set aside as it is, and its tokens are counted."""
    dialect = Dialect.from_file(DIALECTS / "chatml.lark")
    for transcript in (dialect.read("<s> nothing of the kind"), dialect.read("<s> nothing of the kind", "all")):
        outcome = apply_policies(transcript, ESCAPE)
        assert isinstance(outcome.item, Transcript)
        assert str(outcome.item) == "<s> nothing of the kind"
        assert outcome.codes == {"not-in-dialect", "control-token"}
        assert [refusal.code for refusal in outcome.refusals] == ["not-in-dialect"]


@given(
    st.lists(st.none() | TOKEN_TEXT, max_size=8),
    st.sampled_from([pa.string(), pa.large_string()]),
    st.integers(0, 3),
    st.integers(1, 40),
    st.integers(0, 3),
)
@example(["<", "s>", "<s", ">"], pa.string(), 0, 40, 3)
@example(["<s>"] * 8, pa.string(), 0, 4, 0)
def test_rows_of_a_column(texts: list[str | None], kind: pa.DataType, first: int, block: int, few: int) -> None:
    """The rows of a column that hold tokens are those whose texts do, however it is cut, and however many signs it has."""
    array = pa.array(texts, kind)[first:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_token_columns, "BLOCK", block)
        patch.setattr(_token_columns, "FEW", few)
        rows = rows_with_tokens(TextColumn.of(array))

    expected = [row for row, text in enumerate(texts[first:]) if text is not None and holds_control_token(text)]
    assert rows.tolist() == expected


def test_what_lies_below_a_null_is_no_token() -> None:
    """Bytes that no text has hold no token, whatever they are."""
    texts = pa.array(["<s>", "<s>", "a"])
    validity = pa.array([True, False, True]).buffers()[1]
    array = pa.Array.from_buffers(pa.string(), 3, [validity, *texts.buffers()[1:]])

    assert array.to_pylist() == ["<s>", None, "a"]
    assert rows_with_tokens(TextColumn.of(array)).tolist() == [0]


@pytest.mark.parametrize("place", ["system", "question", "chosen", "rejected", "a side that parts early"])
def test_a_token_is_seen_wherever_it_stands(place: str) -> None:
    """One token in a thousand rows is found, in whichever part of which side it stands."""
    plain = ["\n\nHuman: q\n\nAssistant: a", "\n\nHuman: q\n\nAssistant: b"]
    odd = {
        "system": ["<s>" + text for text in plain],
        "question": [text.replace("q", "q<s>") for text in plain],
        "chosen": [plain[0] + "<s>", plain[1]],
        "rejected": [plain[0], plain[1] + "<s>"],
        "a side that parts early": [plain[0], plain[1].replace("q", "<s>") + "\n\nHuman: r\n\nAssistant: c"],
    }[place]
    rows = [plain] * 500 + [odd] * 20 + [plain] * 480
    table = pa.table(dict(zip(("chosen", "rejected"), map(list, zip(*rows, strict=True)), strict=True)))
    result = turnparse.convert_table(table, preset="faithful", policies={"control-token": "set-aside"})

    assert result.set_aside["row"].to_pylist() == list(range(500, 520))
    assert result.summary.diagnostics["control-token"] == 20
    assert result.regular == 980


def test_few_texts_are_asked() -> None:
    """What the tags of HTML and the brackets of programs begin with is told from tokens without asking a text."""
    near = [
        b"</p>",
        b"<p>",
        b"</span>",
        b"<script>",
        b"<b>",
        b"<br/>",
        b"x[i]",
        b"[1]",
        b"[INT]",
        b"a<b",
        b"<< x",
        b"<|>",
    ]
    assert len(_token_columns.beginnings(np.frombuffer(b" ".join(near * 99), np.uint8))) == 0
    assert len(
        _token_columns.beginnings(np.frombuffer(b" ".join(token.encode() for token in TOKENS), np.uint8))
    ) >= len(TOKENS)


@pytest.mark.parametrize("value", ["escape", "set-aside"])
def test_rows_without_tokens_are_finished_by_column(value: str) -> None:
    """Only rows that hold a token are read one by one: neither the policy nor what merely looks like a token costs more."""
    texts = [
        f"\n\nHuman: {said}\n\nAssistant: "
        for said in ("a < b", "<p>x</p>", "<s", "x[1]", "<think>", "<s>", "q", "[INST]")
    ]
    table = pa.table({"chosen": [f"{text}a" for text in texts], "rejected": [f"{text}b" for text in texts]})
    result = turnparse.convert_table(table, policies={"control-token": value})

    assert result.regular == 6
    assert result.summary.diagnostics == {"control-token": 2}
    assert result.rows.num_rows == (8 if value == "escape" else 6)


def test_nothing_is_looked_for_under_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where tokens are kept, a conversion does not look for them."""
    monkeypatch.setattr("turnparse._batches.rows_with_tokens", None)
    monkeypatch.setattr("turnparse._policies.holds_control_token", None)
    table = pa.table({"chosen": ["\n\nHuman: <s>\n\nAssistant: a"], "rejected": ["\n\nHuman: <s>\n\nAssistant: b"]})

    assert turnparse.convert_table(table).regular == 1
    assert turnparse.convert_table(table, diagnostics="all").summary.diagnostics == {"control-token": 1}


def test_a_file_is_escaped(tmp_path: Path) -> None:
    """A conversion of files takes the policy, and counts the rows in which it acted."""
    source, output = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    source.write_text(
        '{"text": "\\n\\nHuman: <s>\\n\\nAssistant: a"}\n{"text": "\\n\\nHuman: q\\n\\nAssistant: a"}\n', "utf-8"
    )
    summary = turnparse.convert(source, output, to="messages", policies={"control-token": "escape"})

    assert summary.diagnostics == {"control-token": 1}
    assert f"<{BREAK}s>" in output.read_text("utf-8")
