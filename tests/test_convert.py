"""`convert` writes every row as its target wants it, or sets it aside exactly as it was; the counts add up."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import random
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import turnparse
from strategies import ANNOUNCEMENTS, NULS_AND_SPACES
from turnparse import CODES, Dialect, IncompleteError, OptionError, OutputError, SourceError, Summary, TurnparseError
from turnparse._sinks import JsonLines
from written import convert, files_in

SAMPLES = Path(turnparse.__file__).parent / "samples"
PAIRS = SAMPLES / "pairs.jsonl"
DAMAGED = SAMPLES / "damaged.jsonl"
RED_TEAM = SAMPLES / "red_team.jsonl"

PRESETS = ["faithful", "default", "strict"]
TARGETS = ["trl", "trl-implicit", "messages"]
METADATA = [
    "min_harmlessness_score_transcript",
    "num_params",
    "model_type",
    "rating",
    "task_description",
    "task_description_harmlessness_score",
    "red_team_member_id",
    "is_upworker",
    "tags",
]

ASK = "\n\nHuman: Is tea hot?"
YES = "\n\nAssistant: Yes."
NO = "\n\nAssistant: No."
THANKS = "\n\nHuman: Thanks."
WELCOME = "\n\nAssistant: You are welcome."
GOOD = {"chosen": ASK + YES, "rejected": ASK + NO}
GOOD_RECORD = {
    "prompt": [{"role": "user", "content": "Is tea hot?"}],
    "chosen": [{"role": "assistant", "content": "Yes."}],
    "rejected": [{"role": "assistant", "content": "No."}],
}

BAD_LINES = [
    b"{",
    b"}",
    b"]",
    b'"',
    b",",
    b"null",
    b"true",
    b"17",
    b"-1e5",
    b'"a string"',
    b"[",
    b"[]",
    b"[1, 2",
    b"{}",
    b'{"chosen": "only one side"}',
    b'{"chosen": 1, "rejected": 2}',
    b'{"chosen": null, "rejected": "x"}',
    b'{"transcript": ["x"]}',
    b'{"transcript": "x", "rating": "4"}',
    b'{"text": {}}',
    b'{"unknown": "column"}',
    b'{"chosen": "cut in the middle, "rejected": "',
    b'{"chosen": "no end", "rejected": "x"',
    b'{"chosen": "a", "rejected": "b"}}',
    b'{"chosen": "a", "rejected": "b"},',
    b'{"chosen": "a", "rejected": "b"} {"chosen": "a", "rejected": "b"}',
    b"{'chosen': 'a', 'rejected': 'b'}",
    b'{"chosen": "lone \\ud800", "rejected": "b"}',
    b'{"chosen": "control \x01", "rejected": "b"}',
    b'{"chosen": NaN, "rejected": "b"}',
    b'{"chosen": "latin-1 \xe9", "rejected": "b"}',
    b"\xff\xfe",
    b"\x00",
    b"\xef\xbb\xbf\xef\xbb\xbf{}",
    b"\x1b[2J",
    b'"\\',
    b'{"a": "\\',
    b"<html>",
    b"# comment",
    b"chosen,rejected",
    b'{"a":' * 1_100 + b"1" + b"}" * 1_100,
]
"""Lines that are no rows of the data, each damaged in another way."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all examples of a property may write to."""
    return tmp_path_factory.mktemp("convert")


def _written(folder: Path, *rows: Mapping[str, Any] | bytes, name: str = "rows.jsonl") -> Path:
    lines = [row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode() for row in rows]
    path = folder / name
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def _read(path: Path) -> list[dict[str, Any]]:
    """Return the records of a file of JSON lines, by the standard library; none if there is no such file."""
    if not path.exists():
        return []
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in data.decode("utf-8").split("\n")[:-1]]


def _converted(
    folder: Path, *rows: Mapping[str, Any] | bytes, **options: Any
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Summary]:
    """Return what became of *rows*: the records written, the records set aside, and the summary, which adds up."""
    output = folder / "out.jsonl"
    summary = convert(_written(folder, *rows), output, **options)
    records, aside = _read(output), _read(folder / "out.jsonl.set-aside.jsonl")
    _adds_up(summary)
    assert (summary.records_out, summary.rows_set_aside) == (len(records), len(aside))
    return records, aside, summary


def _adds_up(summary: Summary) -> None:
    assert summary.rows_in == summary.rows_out + summary.rows_set_aside
    assert all(0 < count <= summary.rows_in for count in summary.diagnostics.values())
    assert set(summary.diagnostics) <= set(CODES)


def _user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}


def _assistant(content: str) -> dict[str, str]:
    return {"role": "assistant", "content": content}


def _system(content: str) -> dict[str, str]:
    return {"role": "system", "content": content}


# What each target writes.


def test_trl_has_the_prompt_and_two_answers(tmp_path: Path) -> None:
    """Target ``trl`` writes what the sides share as prompt, and the tail of each side as messages."""
    row = {"chosen": ASK + YES + THANKS + WELCOME, "rejected": ASK + YES + THANKS + NO}
    records, _, _ = _converted(tmp_path, row)

    prompt = [_user("Is tea hot?"), _assistant("Yes."), _user("Thanks.")]
    assert records == [{"prompt": prompt, "chosen": [_assistant("You are welcome.")], "rejected": [_assistant("No.")]}]


def test_trl_implicit_has_two_whole_conversations(tmp_path: Path) -> None:
    """Target ``trl-implicit`` writes each side from its first message."""
    records, _, _ = _converted(tmp_path, GOOD, to="trl-implicit")

    ask = _user("Is tea hot?")
    assert records == [{"chosen": [ask, _assistant("Yes.")], "rejected": [ask, _assistant("No.")]}]


@pytest.mark.parametrize(("side", "answer"), [("chosen", "Yes."), ("rejected", "No.")])
def test_messages_has_the_side_that_was_asked_for(tmp_path: Path, side: str, answer: str) -> None:
    """Target ``messages`` writes one whole conversation a row, of a pair that of *side*."""
    records, _, _ = _converted(tmp_path, GOOD, to="messages", side=side)

    assert records == [{"messages": [_user("Is tea hot?"), _assistant(answer)]}]


def test_messages_keeps_red_team_metadata_beside_the_conversation(tmp_path: Path) -> None:
    """Every sample attempt keeps its nine metadata columns, under the card's spelling, and only those."""
    output = tmp_path / "out.jsonl"
    summary = convert(RED_TEAM, output, to="messages", preset="faithful")
    rows = json.loads(RED_TEAM.read_bytes())
    for row in rows:
        if "task_descripton_harmlessness_score" in row:
            row["task_description_harmlessness_score"] = row.pop("task_descripton_harmlessness_score")

    records = _read(output)
    assert summary.rows_out == len(rows) == len(records)
    assert [{name: row.get(name) for name in METADATA} for row in rows] == [
        {name: value for name, value in record.items() if name != "messages"} for record in records
    ]
    assert [list(record) for record in records] == [["messages", *METADATA]] * len(rows)


def test_messages_takes_every_kind_of_row(tmp_path: Path) -> None:
    """Pairs, attempts and plain texts may stand in one file; each row is recognised by itself."""
    records, aside, _ = _converted(
        tmp_path, GOOD, {"transcript": ASK + NO, "rating": 2}, {"text": ASK + YES}, to="messages"
    )

    assert [record["messages"][-1]["content"] for record in records] == ["Yes.", "No.", "Yes."]
    assert [record.get("rating") for record in records] == [None, 2.0, None]
    assert aside == []


@pytest.mark.parametrize("to", ["trl", "trl-implicit"])
@pytest.mark.parametrize("preset", PRESETS)
def test_a_target_of_pairs_sets_other_rows_aside(tmp_path: Path, to: str, preset: str) -> None:
    """A single conversation cannot be written as a pair, so it is set aside under every preset, and says why."""
    rows = [{"text": ASK + YES}, GOOD, {"transcript": ASK + YES}]
    records, aside, summary = _converted(tmp_path, *rows, to=to, preset=preset)

    assert len(records) == 1
    assert [(found["row"], found["codes"]) for found in aside] == [(0, ["target-rule"]), (2, ["target-rule"])]
    assert all("takes pair rows" in found["message"] for found in aside)
    assert summary.diagnostics == {"target-rule": 2}


def test_contents_are_stripped_and_otherwise_untouched(tmp_path: Path) -> None:
    """White space around a turn goes; what is inside stays to the letter, whatever its script."""
    inside = "a  b\n\nc\t\u2028 日本 \x00 \x85 é 🎄"
    row = {"chosen": f"\n\nHuman: \n q \x85\n\nAssistant:\u3000{inside}\n \u2029", "rejected": "\n\nHuman:q" + NO}
    records, _, _ = _converted(tmp_path, row)

    assert records == [{"prompt": [_user("q")], "chosen": [_assistant(inside)], "rejected": [_assistant("No.")]}]


# Presets and policies.


def _plain(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the preamble of a text, and its turns as (label, content), read by a plain `re.split`."""
    preamble, *parts = re.split(r"(?:\A|\n\n|\r\n\r\n)(Human|Assistant):", text)
    return preamble.strip(), [(label, text.strip()) for label, text in zip(parts[::2], parts[1::2], strict=True)]


def _without_cut_off(text: str) -> str:
    return re.sub(r"(\n\n|\r\n\r\n)(Human|Assistant)\s*\Z", "", text)


def _strict_keeps(row: dict[str, Any]) -> bool:
    """Tell, without the code under test, whether a pair is one that nothing is odd about."""
    sides = [_plain(_without_cut_off(row[side])) for side in ("chosen", "rejected")]
    for preamble, turns in sides:
        labels = [label for label, _ in turns]
        alternating = labels == ["Human", "Assistant"] * (len(turns) // 2)
        if preamble or not turns or not alternating or not all(content for _, content in turns):
            return False
    (_, left), (_, right) = sides
    return left[:-1] == right[:-1] and left != right


def _default_keeps(row: dict[str, Any]) -> bool:
    """Tell, without the code under test, whether the default preset writes a pair for target ``trl-implicit``."""
    sides = []
    for side in ("chosen", "rejected"):
        preamble, turns = _plain(_without_cut_off(row[side]))
        while turns and turns[-1] == ("Human", ""):
            turns.pop()
        if turns[-1:] == [("Assistant", "")] or "Assistant" not in [label for label, _ in turns]:
            return False
        sides.append((preamble, turns))
    return sides[0] != sides[1]


def test_the_sample_is_large_and_shows_every_oddity(tmp_path: Path) -> None:
    """The shipped samples have the promised size, and carry every code of the table between them."""
    pairs = list(turnparse.read(PAIRS, diagnostics="all"))
    attempts = list(turnparse.read(RED_TEAM, diagnostics="all"))

    assert (len(pairs) >= 60, len(attempts) >= 12) == (True, True)
    found = {diagnostic.code for row in [*pairs, *attempts] for diagnostic in row.diagnostics}
    found |= set(convert(DAMAGED, tmp_path / "out.jsonl", keep_columns=True).diagnostics)
    found |= set(convert([PAIRS, DAMAGED], tmp_path / "out.parquet", keep_columns=True).diagnostics)
    # A user's own grammar is needed to be refused by it.
    # One is of grammars of another shape, one of the way back, the others of files that are no samples (test_bad_inputs.py).
    assert set(CODES) - found == {"not-in-dialect", "smuggled-turn", "duplicate-key", "row-too-long", "source-damaged"}


@pytest.mark.parametrize(
    ("preset", "keeps"),
    [("faithful", lambda _: True), ("default", _default_keeps), ("strict", _strict_keeps)],
    ids=PRESETS,
)
@pytest.mark.parametrize("to", ["trl-implicit", "messages"])
def test_a_preset_keeps_the_sample_rows_that_it_should(tmp_path: Path, to: str, preset: str, keeps: Any) -> None:
    """Under each preset the rows of the sample that are written are those that an independent reading would keep."""
    rows = _read(PAIRS)
    output = tmp_path / "out.jsonl"
    summary = convert(PAIRS, output, to=to, preset=preset)

    expected = [index for index, row in enumerate(rows) if not keeps(row)]
    aside = _read(tmp_path / "out.jsonl.set-aside.jsonl")
    assert [record["row"] for record in aside] == expected
    assert summary.rows_out == len(_read(output)) == len(rows) - len(expected)
    assert all(record["codes"] and record["message"] for record in aside)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("sample", [PAIRS, RED_TEAM], ids=["pairs", "red-team"])
@pytest.mark.parametrize("diagnostics", ["structural", "all"])
def test_every_sample_row_is_accounted_for(
    tmp_path: Path, sample: Path, to: str, preset: str, diagnostics: turnparse._model.Diagnostics
) -> None:
    """With every preset and target each row of the sample is written once or set aside once, in order."""
    output = tmp_path / "out.jsonl"
    summary = convert(sample, output, to=to, preset=preset, diagnostics=diagnostics)
    aside = _read(tmp_path / "out.jsonl.set-aside.jsonl")
    rows = sum(1 for _ in turnparse.read(sample))

    _adds_up(summary)
    assert summary.rows_in == rows
    assert (summary.records_out, summary.rows_set_aside) == (len(_read(output)), len(aside))
    assert [record["row"] for record in aside] == sorted({record["row"] for record in aside})
    assert sum(summary.relations.values()) == (rows if sample == PAIRS else 0)
    assert all(CODES[code].severity == "structural" for code in summary.diagnostics) or diagnostics == "all"


def test_faithful_writes_what_can_be_read_as_a_row_at_all(tmp_path: Path) -> None:
    """Under ``faithful`` a row without any turns has empty lists, and a broken rule is counted, not enforced."""
    rows = [{"chosen": "", "rejected": " "}, {"chosen": ASK, "rejected": ASK}, {"chosen": "Hi", "rejected": YES}]
    records, _, summary = _converted(tmp_path, *rows, preset="faithful")

    assert records == [
        {"prompt": [], "chosen": [], "rejected": []},
        {"prompt": [], "chosen": [_user("Is tea hot?")], "rejected": [_user("Is tea hot?")]},
        {"prompt": [], "chosen": [_system("Hi")], "rejected": [_assistant("Yes.")]},
    ]
    assert summary.diagnostics["target-rule"] == 3
    assert summary.relations == {"empty": 1, "identical": 1, "last-turn": 1}


@pytest.mark.parametrize(
    ("chosen", "policies", "expected"),
    [
        (ASK + YES + "\n\nAssistant: Very.", {"same-speaker": "merge"}, [_user("Is tea hot?"), _assistant("Yes.\n\nVery.")]),
        (ASK + "\n\nHuman: Well?" + YES, {"same-speaker": "merge"}, [_user("Is tea hot?\n\nWell?"), _assistant("Yes.")]),
        (ASK + YES + "\n\nHuman \n", {"cut-off-marker": "trim"}, [_user("Is tea hot?"), _assistant("Yes.")]),
        (ASK + YES + "\n\nHuman", {"cut-off-marker": "keep"}, [_user("Is tea hot?"), _assistant("Yes.\n\nHuman")]),
        (ASK + YES + "\n\nHuman: \n", {"dangling-human": "drop"}, [_user("Is tea hot?"), _assistant("Yes.")]),
        (ASK + YES + THANKS, {"ends-on-human": "drop"}, [_user("Is tea hot?"), _assistant("Yes.")]),
        (YES + ASK + NO, {"starts-with-assistant": "drop"}, [_user("Is tea hot?"), _assistant("No.")]),
        (ASK + "\n\nAssistant: " + THANKS + NO, {"empty-turn": "drop"}, [_user("Is tea hot?"), _user("Thanks."), _assistant("No.")]),
        ("Be brief." + ASK + YES, {"preamble": "drop"}, [_user("Is tea hot?"), _assistant("Yes.")]),
        ("Be brief." + ASK + YES, {"preamble": "system"}, [_system("Be brief."), _user("Is tea hot?"), _assistant("Yes.")]),
        ("Be brief." + YES + ASK + NO + YES + THANKS + "\n\nHuman",
         {"preamble": "drop", "starts-with-assistant": "drop", "same-speaker": "merge", "cut-off-marker": "trim", "ends-on-human": "drop"},
         [_user("Is tea hot?"), _assistant("No.\n\nYes.")]),
    ],
    ids=lambda value: "+".join(f"{name}={choice}" for name, choice in value.items()) if isinstance(value, dict) else "",
)  # fmt: skip
def test_a_policy_mends_what_it_is_named_for(
    tmp_path: Path, chosen: str, policies: dict[str, str], expected: list[dict[str, str]]
) -> None:
    """On top of ``faithful``, a policy set to mend changes just that, and the row is written."""
    records, _, _ = _converted(tmp_path, {"text": chosen}, to="messages", preset="faithful", policies=policies)

    assert records == [{"messages": expected}]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"text": "Be brief." + ASK + YES}, "preamble"),
        ({"text": " " + ASK + YES}, "blank-preamble"),
        ({"text": ASK + YES + "\n\nHuman"}, "cut-off-marker"),
        ({"text": ASK + YES + "\n\nHuman:"}, "dangling-human"),
        ({"text": "\n\nHuman:" + YES}, "empty-turn"),
        ({"text": ASK + "\n\nAssistant:"}, "empty-response"),
        ({"text": ASK + YES + THANKS}, "ends-on-human"),
        ({"text": YES + ASK + NO}, "starts-with-assistant"),
        ({"text": ASK + YES + NO}, "same-speaker"),
        ({"text": "Hello."}, "no-turns"),
        ({"text": ASK}, "no-assistant"),
        ({"chosen": "A" + ASK + YES, "rejected": "B" + ASK + NO}, "different-preambles"),
        ({"chosen": "", "rejected": ASK + NO}, "empty"),
        ({"chosen": ASK + YES, "rejected": ASK + YES}, "identical"),
        ({"chosen": ASK + YES, "rejected": ASK + YES + THANKS + WELCOME}, "extends"),
        ({"chosen": ASK + YES, "rejected": ASK + NO + THANKS + WELCOME}, "uneven"),
        ({"chosen": ASK + YES + THANKS + WELCOME, "rejected": ASK + NO + THANKS + YES}, "earlier"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_policy_sets_aside_what_it_is_named_for(tmp_path: Path, row: dict[str, str], code: str) -> None:
    """On top of ``faithful``, which writes the row, each policy set to ``set-aside`` sets it aside by that code."""
    records, _, _ = _converted(tmp_path, row, to="messages", preset="faithful")
    assert len(records) == 1

    records, aside, summary = _converted(
        tmp_path, row, GOOD, to="messages", preset="faithful", policies={code: "set-aside"}
    )
    assert len(records) == 1
    assert [found["codes"][0] for found in aside] == [code]
    assert aside[0]["message"].startswith(f"{code}: ")
    assert summary.diagnostics[code] == 1


def test_a_policy_can_keep_what_a_preset_sets_aside(tmp_path: Path) -> None:
    """On top of ``strict``, a policy set to ``keep`` lets its rows through, and they are still counted."""
    row = {"chosen": ASK + YES, "rejected": ASK + NO + THANKS + WELCOME}
    assert len(_converted(tmp_path, row, preset="strict")[1]) == 1

    records, _, summary = _converted(tmp_path, row, preset="strict", policies={"uneven": "keep"})
    assert len(records[0]["rejected"]) == 3
    assert summary.diagnostics == {"uneven": 1}


def test_relations_are_those_after_policies(tmp_path: Path) -> None:
    """Sides that a policy makes equal count as identical, though they were not when they were read."""
    row = {"chosen": ASK + YES, "rejected": ASK + YES + "\n\nHuman"}

    assert _converted(tmp_path, row, preset="faithful")[2].relations == {"last-turn": 1}
    _, aside, summary = _converted(tmp_path, row, GOOD)
    assert summary.relations == {"identical": 1, "last-turn": 1}
    assert summary.diagnostics == {"identical": 1, "cut-off-marker": 1}
    assert [found["codes"] for found in aside] == [["identical", "cut-off-marker"]]


def test_a_code_counts_rows_not_places(tmp_path: Path) -> None:
    """A row that carries one code many times, on both sides, counts once."""
    odd = ASK + "\n\nHuman: Well?\n\nHuman: Hm?" + YES
    _, _, summary = _converted(tmp_path, {"chosen": odd, "rejected": odd + NO}, GOOD)

    assert summary.diagnostics["same-speaker"] == 1


def test_advisory_codes_are_counted_when_asked_for(tmp_path: Path) -> None:
    """Labels inside a turn are looked for only with ``diagnostics="all"``, and never change what is written."""
    row = {"chosen": ASK + YES + " Human: is inside", "rejected": ASK + NO + "\nAssistant: begins a line"}
    plain, _, without = _converted(tmp_path, row)
    asked, _, counted = _converted(tmp_path, row, diagnostics="all")

    assert plain == asked
    assert without.diagnostics == {}
    assert set(counted.diagnostics) >= {"label-inside", "label-at-line-start"}


@pytest.mark.parametrize(
    "options",
    [
        {"to": "nowhere"},
        {"preset": "lenient"},
        {"policies": {"nothing": "keep"}},
        {"policies": {"uneven": "merge"}},
        {"side": "both"},
        {"diagnostics": "none"},
        {"chosen": "a", "rejected": "a"},
        {"chosen": "rejected"},
        {"dialect": "nobody"},
        {"dialect": "missing.lark"},
    ],
    ids=repr,
)
def test_a_wrong_option_is_refused_before_anything_is_touched(tmp_path: Path, options: dict[str, Any]) -> None:
    """An unknown name or value raises turnparse's own `ValueError`, and no file is made, changed or removed."""
    source, old = _written(tmp_path, GOOD), tmp_path / "out.jsonl.set-aside.jsonl"
    old.write_text("of an earlier run\n")
    with pytest.raises(ValueError, match="expected") as caught:
        convert(source, tmp_path / "out.jsonl", **options)

    assert isinstance(caught.value, TurnparseError)
    assert sorted(tmp_path.iterdir()) == [old, source]


# Rows set aside.


@given(
    st.lists(
        st.tuples(
            st.one_of(st.binary(min_size=1, max_size=20), st.sampled_from(BAD_LINES[:-1])),
            st.sampled_from([b"\n", b"\r\n"]),
        ),
        max_size=6,
    )
)
def test_a_row_set_aside_is_kept_exactly(folder: Path, lines: list[tuple[bytes, bytes]]) -> None:
    """Whatever bytes a bad line holds, they can be had back to the byte, with the line and row where they stood."""
    contents = [content for content, _ in lines]
    for content in contents:
        assume(b"\n" not in content and not content.endswith(b"\r"))
        assume(not content.decode("utf-8", "replace").isspace())
    # At the start of a file these announce something else than a line of its rows.
    assume(not contents or not contents[0].lstrip().startswith((b"[", *ANNOUNCEMENTS)))
    assume(not contents or not b"\n".join(contents).lstrip(NULS_AND_SPACES).startswith(ANNOUNCEMENTS))
    source, output = folder / "bad.jsonl", folder / "out.jsonl"
    source.write_bytes(b"".join(content + end for content, end in lines))
    summary = convert(source, output)

    aside = _read(folder / "out.jsonl.set-aside.jsonl")
    assert summary.rows_in == summary.rows_set_aside == len(aside) == len(lines)
    for number, (content, record) in enumerate(zip(contents, aside, strict=True)):
        assert (record["source"], record["line"], record["row"]) == (str(source), number + 1, number)
        assert record["raw"] == content.decode("utf-8", "replace")
        exact = base64.b64decode(record["raw_base64"]) if "raw_base64" in record else record["raw"].encode()
        assert exact == content
        assert record["codes"]
        assert record["message"].isprintable()


def test_a_record_set_aside_has_its_fields_in_order(tmp_path: Path) -> None:
    """A record has the six fields of its format, and the bytes as a seventh only where the text is no UTF-8."""
    _, aside, _ = _converted(tmp_path, GOOD, b"", b'  {"a": "\xe9"}', b'\t"text" ')

    assert aside == [
        {
            "source": str(tmp_path / "rows.jsonl"),
            "line": 3,
            "row": 1,
            "codes": ["bad-json"],
            "message": aside[0]["message"],
            "raw": '  {"a": "\ufffd"}',
            "raw_base64": base64.b64encode(b'  {"a": "\xe9"}').decode(),
        },
        {
            "source": str(tmp_path / "rows.jsonl"),
            "line": 4,
            "row": 2,
            "codes": ["not-an-object"],
            "message": "expected a JSON object, found a string",
            "raw": '\t"text" ',
        },
    ]
    assert list(aside[0]) == ["source", "line", "row", "codes", "message", "raw", "raw_base64"]


def test_an_element_set_aside_keeps_its_own_text(tmp_path: Path) -> None:
    """Of an array, the element's text is kept as it stands, never written anew, with the line where it starts."""
    element = b'{ "b" : 1.50,\r\n  "a":"\\u00e9" }'
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"[\n" + json.dumps(GOOD).encode() + b",\n\n  " + element + b"\n]\n")
    convert(path, tmp_path / "out.jsonl")

    (record,) = _read(tmp_path / "out.jsonl.set-aside.jsonl")
    assert (record["raw"], record["line"], record["row"]) == (element.decode(), 4, 1)


def test_a_long_row_is_never_cut(tmp_path: Path) -> None:
    """A row of two megabytes is kept whole, though its message is short."""
    long = b'{"chosen": "' + b"x" * 2_000_000 + b"\x1b"
    _, aside, _ = _converted(tmp_path, long)

    assert aside[0]["raw"].encode() == long
    assert len(aside[0]["message"]) < 500


def test_rows_set_aside_can_be_mended_and_run_again(tmp_path: Path) -> None:
    """The texts set aside are rows again: with another preset they are all written, and nothing was lost between."""
    whole, strict, again = (tmp_path / name for name in ("whole.jsonl", "strict.jsonl", "again.jsonl"))
    convert(PAIRS, whole, preset="faithful")
    convert(PAIRS, strict, preset="strict")
    aside = _read(tmp_path / "strict.jsonl.set-aside.jsonl")
    convert(_written(tmp_path, *(record["raw"].encode() for record in aside)), again, preset="faithful")

    records = _read(whole)
    assert [records[record["row"]] for record in aside] == _read(again)


def test_every_refusal_is_named(tmp_path: Path) -> None:
    """A row with several reasons against it lists those first, then what else is odd, each code once."""
    row = {"chosen": " " + ASK + "\n\nAssistant:", "rejected": " " + ASK + "\n\nAssistant: "}
    _, aside, _ = _converted(tmp_path, row)

    assert aside[0]["codes"] == ["empty-response", "identical", "blank-preamble"]
    assert [reason.split(", ")[0] for reason in aside[0]["message"].split("; ")] == [
        "empty-response: chosen",
        "empty-response: rejected",
        "identical: chosen",
    ]


# Neighbours.


SAMPLE_LINES = PAIRS.read_bytes().splitlines()


@cache
def _alone(folder: Path) -> list[dict[str, Any]]:
    """Return the record of each line of the sample when nothing else is in the file."""
    return [record for line in SAMPLE_LINES for record in _converted(folder, line, preset="faithful")[0]]


@given(
    good=st.lists(st.sampled_from(range(len(SAMPLE_LINES))), max_size=12),
    bad=st.lists(st.sampled_from(BAD_LINES), max_size=12),
    order=st.randoms(use_true_random=False),
    end=st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\n \r\n"]),
)
def test_no_valid_row_is_set_aside_because_of_a_neighbour(
    *, folder: Path, good: list[int], bad: list[bytes], order: random.Random, end: bytes
) -> None:
    """However good and bad lines are mixed, each good one is written as if it were alone, in its order."""
    lines: list[int | bytes] = [*good, *bad]
    order.shuffle(lines)
    # The first line alone tells an array from lines: a test of its own, below.
    assume(not (lines and isinstance(lines[0], bytes) and lines[0].startswith(b"[")))
    source, output = folder / "mixed.jsonl", folder / "out.jsonl"
    source.write_bytes(b"".join((line if isinstance(line, bytes) else SAMPLE_LINES[line]) + end for line in lines))
    summary = convert(source, output, preset="faithful")

    assert (summary.rows_in, summary.rows_out, summary.rows_set_aside) == (len(lines), len(good), len(bad))
    assert _read(output) == [_alone(folder)[line] for line in lines if isinstance(line, int)]
    aside = _read(folder / "out.jsonl.set-aside.jsonl")
    assert [record["row"] for record in aside] == [row for row, line in enumerate(lines) if isinstance(line, bytes)]


@pytest.mark.parametrize("first", [b"[", b"[bad", b"[]x", b'["cut', b"[]]", b"[[", b'[{"a": "b', b"[}", b"[{}}, 1]"])
def test_a_first_line_that_starts_like_an_array_costs_no_neighbour(tmp_path: Path, first: bytes) -> None:
    """A damaged first line is not taken for an array that reaches to the end of the file."""
    rows = [GOOD | {"rejected": f"{ASK}\n\nAssistant: No. {number}"} for number in range(3)]
    records, _, _ = _converted(tmp_path, first, *rows)

    assert [record["rejected"][0]["content"] for record in records] == ["No. 0", "No. 1", "No. 2"]


def test_an_array_that_was_cut_off_is_told(tmp_path: Path) -> None:
    """A file that may be an array cut off is converted as far as it goes, and the run says that it is not whole."""
    for cut in (b"[1, 2", b"[" + json.dumps(GOOD).encode() + b","):
        source = _written(tmp_path, cut, *[GOOD] * 3)
        with pytest.raises(IncompleteError, match="no end") as caught:
            convert(source, tmp_path / "out.jsonl")
        counts = caught.value.summary
        assert counts.rows_in == counts.rows_out + counts.rows_set_aside
        assert counts.rows_out >= 3


BAD_ELEMENTS = {
    "another type": b"17",
    "null": b"null",
    "a list": b'["x", {}]',
    "no columns": b"{}",
    "bad literal": b"{nope}",
    "nothing": b"",
    "single quotes": b"{'chosen': 'a'}",
    "bad escape": b'{"chosen": "\\q", "rejected": "b"}',
    "not UTF-8": b'{"chosen": "\xff", "rejected": "b"}',
    "two values": b"{} {}",
    "control character": b'"\x01"',
}
UNBALANCED_ELEMENTS = {
    "cut in a string": b'{"chosen": "It was cut',
    "cut after a string": b'{"chosen": "It was cut"',
    "cut after a backslash": b'{"chosen": "It was cut\\',
    "cut in a list": b'{"chosen": [1, 2',
    "one brace too many": b'{"chosen": "x"}}',
    "one bracket too many": b'{"chosen": "x"]}',
    "a stray quote": b'{"chosen": "said "yes" again", "rejected": "x"}"',
    "wrong closing bracket": b'{"chosen": "x"]',
}


@pytest.mark.parametrize("element", [*BAD_ELEMENTS, *UNBALANCED_ELEMENTS])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_bad_element_of_an_array_costs_no_neighbour(tmp_path: Path, place: int, element: str) -> None:
    """In an array with an element a line, as the published one is, a damaged element leaves the others readable."""
    texts = [json.dumps(GOOD | {"rejected": f"{ASK}\n\nAssistant: No. {number}"}).encode() for number in range(2)]
    texts.insert(place, (BAD_ELEMENTS | UNBALANCED_ELEMENTS)[element])
    path, output = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    path.write_bytes(b"[\n" + b",\n".join(texts) + b"\n]\n")
    summary = convert(path, output)

    assert [record["rejected"][0]["content"] for record in _read(output)] == ["No. 0", "No. 1"]
    assert summary.rows_set_aside >= 1


def test_many_kinds_of_bad_rows_have_their_code(tmp_path: Path) -> None:
    """A row is set aside with the one code that fits: no JSON, no object, no known column, a wrong type."""
    cases = {
        b'{"chosen": "': "bad-json",
        b"\xff": "bad-json",
        b"[1]": "not-an-object",
        b"1": "not-an-object",
        b'"x"': "not-an-object",
        b"null": "not-an-object",
        b"{}": "no-known-column",
        b'{"chosen": ""}': "no-known-column",
        b'{"rejected": "", "prompt": ""}': "no-known-column",
        b'{"chosen": 1, "rejected": ""}': "wrong-type",
    }
    records, aside, summary = _converted(tmp_path, GOOD, *cases)

    assert records == [GOOD_RECORD]
    assert [record["codes"] for record in aside] == [[code] for code in cases.values()]
    assert summary.diagnostics == {"bad-json": 2, "not-an-object": 4, "no-known-column": 3, "wrong-type": 1}


@pytest.mark.parametrize("value", [None, 1, -1.5, True, [], ["\n\nHuman: x"], {}, {"a": "b"}], ids=repr)
@pytest.mark.parametrize("column", ["chosen", "rejected", "transcript", "text"])
def test_a_column_of_the_wrong_type_sets_its_row_aside(tmp_path: Path, column: str, value: object) -> None:
    """A text column that holds no string sets the row aside, and the message names the column."""
    row = {column: value} if column in ("transcript", "text") else GOOD | {column: value}
    records, aside, _ = _converted(tmp_path, row, GOOD, to="messages")

    assert len(records) == 1
    assert [record["codes"] for record in aside] == [["wrong-type"]]
    assert f"expected {column} to be a string, found " in aside[0]["message"]


@pytest.mark.parametrize("column", METADATA)
def test_metadata_of_the_wrong_type_sets_its_row_aside(tmp_path: Path, column: str) -> None:
    """A metadata column with an object in it sets the row aside, and the message names the column."""
    row = {"transcript": ASK + YES, column: {}}
    _, aside, _ = _converted(tmp_path, row, to="messages", preset="faithful")

    assert [record["codes"] for record in aside] == [["wrong-type"]]
    assert f"expected {column} to be " in aside[0]["message"]


# Columns.


def test_columns_can_be_named(tmp_path: Path) -> None:
    """Columns under other names are read when they are named, and the usual names are then no known columns."""
    row = {"good": ASK + YES, "bad": ASK + NO}
    records, aside, _ = _converted(tmp_path, row, GOOD, chosen="good", rejected="bad")

    assert records == [GOOD_RECORD]
    assert [(record["row"], record["codes"]) for record in aside] == [(1, ["no-known-column"])]


def test_one_column_can_be_named_alone(tmp_path: Path) -> None:
    """The columns that are not named keep their usual names."""
    records, _, _ = _converted(tmp_path, {"chosen": ASK + YES, "worse": ASK + NO}, rejected="worse")

    assert records == [GOOD_RECORD]


@pytest.mark.parametrize("metadata", [{}, {"rating": 3}])
def test_the_transcript_column_can_be_named(tmp_path: Path, metadata: dict[str, Any]) -> None:
    """A dialogue under another name is read, and is an attempt if it has metadata."""
    records, _, _ = _converted(tmp_path, {"dialog": ASK + YES} | metadata, to="messages", transcript="dialog")

    assert records[0]["messages"] == [_user("Is tea hot?"), _assistant("Yes.")]
    assert records[0].get("rating") == metadata.get("rating")


@pytest.mark.parametrize("metadata", [{}, {"rating": 3}])
def test_the_named_transcript_column_wins(tmp_path: Path, metadata: dict[str, Any]) -> None:
    """Where the usual column stands beside the named one, it is the named one that is read."""
    row = {"dialog": ASK + YES, "transcript": ASK + NO} | metadata
    records, _, _ = _converted(tmp_path, row, to="messages", transcript="dialog")

    assert records[0]["messages"][-1] == _assistant("Yes.")


def test_rows_without_a_known_column_say_what_they_have(tmp_path: Path) -> None:
    """The message of such a row lists its columns and says how to name them."""
    _, aside, _ = _converted(tmp_path, {"prompt": "x", "\x1b[31mred": "y"})

    assert aside[0]["codes"] == ["no-known-column"]
    assert all(part in aside[0]["message"] for part in ("prompt", "\\x1b[31mred", "--chosen", "--transcript"))
    assert aside[0]["message"].isprintable()


def test_other_columns_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    """Columns that are not read stay behind, and travel along with ``keep_columns``, values and order untouched."""
    extra = {"id": "x-1", "score": 0.5, "n": 12, "flags": [True, None], "nested": {"b": 1, "a": {}}, "é": ""}
    row = {"id": extra["id"], **GOOD, **extra}

    assert _converted(tmp_path, row)[0] == [GOOD_RECORD]
    records, _, summary = _converted(tmp_path, row, keep_columns=True)
    assert records == [GOOD_RECORD | extra]
    assert list(records[0]) == [*GOOD_RECORD, *extra]
    assert summary.diagnostics == {}


@pytest.mark.parametrize(
    "value",
    [10**30, 2**64 + 1, -(2**63) - 1, [[2**70 + 1]], json.loads("[" * 300 + "]" * 300)],
    ids=["huge", "beyond 64 bits", "below 64 bits", "inside", "deeply nested"],
)
def test_columns_that_travel_along_keep_their_values(tmp_path: Path, value: object) -> None:
    """Valid JSON that is awkward to hold is either carried over exactly or sets its row aside; it never changes."""
    records, aside, _ = _converted(tmp_path, GOOD | {"extra": value}, GOOD, keep_columns=True)

    assert [record.get("extra", value) for record in records] == [value] * len(records)
    assert len(records) + len(aside) == 2


def test_extra_columns_of_attempts_travel_along(tmp_path: Path) -> None:
    """Of an attempt the unknown columns travel, beside the metadata that is written anyway."""
    row = {"transcript": ASK + YES, "rating": 1, "note": {"by": "x"}, "task_descripton_harmlessness_score": 2}

    (without,), _, _ = _converted(tmp_path, row, to="messages")
    (kept,), _, _ = _converted(tmp_path, row, to="messages", keep_columns=True)
    assert kept == without | {"note": {"by": "x"}}
    assert kept["task_description_harmlessness_score"] == 2.0
    assert "task_descripton_harmlessness_score" not in kept


def test_every_extra_column_of_the_sample_travels_along(tmp_path: Path) -> None:
    """The samples' own extra columns are in the output with ``keep_columns``, on just their rows."""
    metadata = {*METADATA, "task_descripton_harmlessness_score"}
    for sample, read in ((PAIRS, {"chosen", "rejected"}), (RED_TEAM, {"transcript", *metadata})):
        output = tmp_path / "out.jsonl"
        convert(sample, output, to="messages", preset="faithful", keep_columns=True)
        rows = _read(sample) if sample == PAIRS else json.loads(sample.read_bytes())
        expected = [{name: value for name, value in row.items() if name not in read} for row in rows]

        assert any(expected)
        written = {"messages", *METADATA}
        assert [{k: v for k, v in record.items() if k not in written} for record in _read(output)] == expected


@pytest.mark.parametrize(
    ("row", "to", "column"),
    [
        (GOOD, "trl", "prompt"),
        ({"text": ASK + YES}, "messages", "messages"),
        ({"transcript": ASK + YES}, "messages", "messages"),
        ({"good": ASK + YES, "bad": ASK + NO}, "trl-implicit", "chosen"),
    ],
    ids=["prompt", "messages of a text", "messages of an attempt", "chosen under another name"],
)
def test_a_column_that_clashes_is_reported(tmp_path: Path, row: dict[str, Any], to: str, column: str) -> None:
    """A column to keep under the name of one that the target writes gives way to it, and the row carries a code."""
    named = {"chosen": "good", "rejected": "bad"} if "good" in row else {}
    plain, _, _ = _converted(tmp_path, row, to=to, **named)
    records, _, summary = _converted(tmp_path, row | {column: "mine", "other": 1}, to=to, keep_columns=True, **named)

    assert records == [plain[0] | {"other": 1}]
    assert summary.diagnostics == {"column-clash": 1}


def test_metadata_names_of_a_pair_do_not_clash(tmp_path: Path) -> None:
    """A pair has no metadata of its own, so a column named like one travels along as it is."""
    records, _, summary = _converted(tmp_path, GOOD | {"rating": "five"}, to="messages", keep_columns=True)

    assert records[0]["rating"] == "five"
    assert summary.diagnostics == {}


# Dialects.


def test_another_dialect_is_read_by_its_own_labels(tmp_path: Path) -> None:
    """A grammar of one's own, as an object or as a file, decides what a marker is."""
    grammar = Dialect.named().grammar.replace('USER: "Human"', 'USER: "Client"')
    file = tmp_path / "mine.lark"
    file.write_text(grammar, encoding="utf-8")
    row = {side: text.replace("Human", "Client") for side, text in GOOD.items()}

    for dialect in (Dialect.from_text(grammar), str(file)):
        records, _, _ = _converted(tmp_path, row, dialect=dialect)
        assert records == [GOOD_RECORD]
    assert len(_converted(tmp_path, row)[1]) == 1


@pytest.mark.parametrize("preset", PRESETS)
def test_a_text_that_a_dialect_refuses_sets_its_row_aside(tmp_path: Path, preset: str) -> None:
    """A grammar that does not accept every text sets aside the rows that it refuses, under every preset."""
    grammar = 'transcript: turn*\nturn: (USER | ASSISTANT) TEXT\nUSER: "U "\nASSISTANT: "A "\nTEXT: /[a-z]+;/\n'
    rows = [{"text": "U hi;A ho;"}, {"text": "U hi"}, {"text": "Good day"}]
    with pytest.warns(RuntimeWarning, match="is not flat") as warned:
        records, aside, _ = _converted(
            tmp_path, *rows, to="messages", preset=preset, dialect=Dialect.from_text(grammar)
        )

    assert len(warned) == 1
    assert records == [{"messages": [_user("hi;"), _assistant("ho;")]}]
    assert [(record["row"], record["codes"][0]) for record in aside] == [(1, "not-in-dialect"), (2, "not-in-dialect")]


# Summaries.


def test_the_summary_is_written_as_json(tmp_path: Path) -> None:
    """The file of the summary holds the counts that the call returns, under the documented names."""
    path, source = (
        tmp_path / "summary.json",
        _written(tmp_path, GOOD, b"", b"{", {"chosen": ASK, "rejected": YES}, b" "),
    )
    summary = convert(source, tmp_path / "out.jsonl", preset="faithful", summary=path)

    written = json.loads(path.read_text(encoding="utf-8"))
    assert written == summary.as_dict()
    assert list(written) == [
        "rows_in", "rows_out", "rows_set_aside", "records_out", "blank_lines", "kinds", "reasons", "diagnostics", "relations",
    ]  # fmt: skip
    assert written | {"diagnostics": {}} == {
        "rows_in": 3,
        "rows_out": 2,
        "rows_set_aside": 1,
        "records_out": 2,
        "blank_lines": 2,
        "kinds": {"pair": 2},
        "reasons": {"bad-json": 1},
        "diagnostics": {},
        "relations": {"last-turn": 2},
    }
    codes = list(written["diagnostics"])
    assert codes == [code for code in CODES if code in codes]
    assert written["diagnostics"]["bad-json"] == 1


def test_blank_lines_are_counted_over_all_sources(tmp_path: Path) -> None:
    """Blank lines are no rows, and are counted in every source."""
    first = _written(tmp_path, b"", GOOD, b" \t", name="a.jsonl")
    second = _written(tmp_path, "\u2028".encode(), GOOD, name="b.jsonl")
    summary = convert([first, second], tmp_path / "out.jsonl")

    assert (summary.rows_in, summary.rows_out, summary.blank_lines) == (2, 2, 3)


def test_a_summary_that_cannot_be_written_is_our_own_error(tmp_path: Path) -> None:
    """A summary in a folder that is not there raises before anything is read; where only writing it fails, what was converted stays."""
    source, output = _written(tmp_path, GOOD), tmp_path / "out.jsonl"
    with pytest.raises(TurnparseError, match="expected to write the summary"):
        convert(source, output, summary=tmp_path / "nowhere" / "summary.json")
    assert not output.exists()
    with pytest.raises(TurnparseError, match="expected to write the summary"):
        convert(source, output, summary=tmp_path / ("x" * 300))

    assert _read(output) == [GOOD_RECORD]


# Files.


def test_several_sources_follow_each_other(tmp_path: Path) -> None:
    """Output keeps the order of the sources and of their rows; rows and lines count anew in each source."""
    sources = [
        _written(tmp_path, b"{", GOOD | {"rejected": f"{ASK}\n\nAssistant: {name}"}, name=f"{name}.jsonl")
        for name in ("b", "a", "c")
    ]
    convert(sources, tmp_path / "out.jsonl")

    assert [record["rejected"][0]["content"] for record in _read(tmp_path / "out.jsonl")] == ["b", "a", "c"]
    aside = _read(tmp_path / "out.jsonl.set-aside.jsonl")
    assert [(record["source"], record["row"], record["line"]) for record in aside] == [
        (str(source), 0, 1) for source in sources
    ]


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])
def test_the_set_aside_file_is_made_only_when_needed(tmp_path: Path, name: str) -> None:
    """Its default name is the output's with a suffix; that of an earlier run is gone when this run needs none."""
    output, aside = tmp_path / name, tmp_path / f"{name}.set-aside.jsonl"
    convert(_written(tmp_path, GOOD), output)
    assert not aside.exists()

    convert(_written(tmp_path, GOOD, b"{"), output)
    assert len(_read(aside)) == 1

    convert(_written(tmp_path, GOOD), output)
    assert not aside.exists()


@pytest.mark.parametrize("name", ["aside.jsonl", "aside.jsonl.gz"])
def test_the_set_aside_file_can_be_named(tmp_path: Path, name: str) -> None:
    """Rows set aside go to the named file, compressed if it is named so, and to no other."""
    source = _written(tmp_path, GOOD, b"{")
    convert(source, tmp_path / "out.jsonl", set_aside=tmp_path / name)

    assert [record["raw"] for record in _read(tmp_path / name)] == ["{"]
    assert sorted(files_in(tmp_path)) == sorted(["out.jsonl", "rows.jsonl", name])


def test_a_named_set_aside_file_of_an_earlier_run_does_not_stay(tmp_path: Path) -> None:
    """Nobody takes an earlier run's rows for this one's: the named file is gone, or empty, when this run needs none."""
    aside = tmp_path / "aside.jsonl"
    convert(_written(tmp_path, GOOD, b"{"), tmp_path / "out.jsonl", set_aside=aside)
    assert len(_read(aside)) == 1

    convert(_written(tmp_path, GOOD), tmp_path / "out.jsonl", set_aside=aside)
    assert _read(aside) == []


def test_compressed_output_holds_what_plain_output_holds(tmp_path: Path) -> None:
    """Output ``.jsonl.gz`` is a gzip file of the very bytes of the plain one."""
    plain, zipped = tmp_path / "out.jsonl", tmp_path / "out.jsonl.gz"
    convert(PAIRS, plain)
    convert(PAIRS, zipped)

    assert gzip.decompress(zipped.read_bytes()) == plain.read_bytes()
    assert zipped.stat().st_size < plain.stat().st_size


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
def test_equal_runs_give_equal_bytes(tmp_path: Path, suffix: str) -> None:
    """Neither a name, nor a time, nor an order of hashing gets into an output."""
    names = [tmp_path / f"{name}.{suffix}" for name in ("one", "another")]
    asides = [tmp_path / f"aside-{name.name}" for name in names]
    for name, aside in zip(names, asides, strict=True):
        convert(PAIRS, name, preset="strict", set_aside=aside, diagnostics="all")

    assert names[0].read_bytes() == names[1].read_bytes()
    assert asides[0].read_bytes() == asides[1].read_bytes()
    if suffix.endswith("gz"):
        # The second that a run takes is not enough to see a time: it would stand in these bytes, and a name after them.
        assert names[0].read_bytes()[3:8] == bytes(5)


def test_outputs_are_json_lines_in_utf_8(tmp_path: Path) -> None:
    """Every record is one line, non-ASCII text stands as it is, and the file ends in a line feed."""
    output = tmp_path / "out.jsonl"
    convert(PAIRS, output, preset="faithful", keep_columns=True)
    data = output.read_bytes()

    assert data.endswith(b"}\n")
    assert data.count(b"\n") == len(_read(output))
    assert "龙井".encode() in data


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
@pytest.mark.parametrize("source", ["missing.jsonl", "empty", "empty/*.jsonl", "cut.jsonl.gz"])
def test_without_a_readable_source_nothing_is_written(tmp_path: Path, source: str, suffix: str) -> None:
    """When no source gives a row, `SourceError` is raised; there is no new file, and an old output is untouched."""
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b"{}\n")[:12])
    (tmp_path / "empty").mkdir()
    output = tmp_path / f"out.{suffix}"
    with pytest.raises(SourceError):
        convert(tmp_path / source, output, summary=tmp_path / "summary.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.jsonl.gz", "empty"]

    output.write_bytes(b"old\n")
    with pytest.raises(SourceError):
        convert([tmp_path / source, tmp_path / "missing"], output)
    assert output.read_bytes() == b"old\n"


def test_a_failed_run_keeps_the_rows_set_aside_before(tmp_path: Path) -> None:
    """When no source can be read the last run's output stays, and so does what it set aside."""
    output, aside = tmp_path / "out.jsonl", tmp_path / "out.jsonl.set-aside.jsonl"
    convert(_written(tmp_path, GOOD, b"{"), output)
    with pytest.raises(SourceError):
        convert(tmp_path / "missing.jsonl", output)

    assert (len(_read(output)), len(_read(aside))) == (1, 1)


@pytest.mark.parametrize("damaged", ["missing.jsonl", "cut.jsonl.gz"])
def test_a_damaged_source_costs_only_its_own_rest(tmp_path: Path, damaged: str) -> None:
    """What can be read of all sources is written; then `IncompleteError` names the source and holds the summary."""
    rows = b"".join(json.dumps(GOOD | {"n": number}).encode() + b"\n" for number in range(2_000))
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(rows)[:-20])
    source, output = _written(tmp_path, GOOD, b"{"), tmp_path / "out.jsonl"
    with pytest.raises(IncompleteError, match=re.escape(damaged)) as caught:
        convert([tmp_path / damaged, source], output, summary=tmp_path / "summary.json")

    summary = caught.value.summary
    _adds_up(summary)
    assert summary.rows_set_aside == (1 if damaged == "missing.jsonl" else 2)
    assert summary.rows_out == len(_read(output)) == (1 if damaged == "missing.jsonl" else summary.rows_in - 2)
    assert json.loads((tmp_path / "summary.json").read_bytes()) == summary.as_dict()


def test_an_empty_source_is_a_readable_one(tmp_path: Path) -> None:
    """Beside a source that is missing, one without rows still makes an output, and the missing one is named."""
    with pytest.raises(IncompleteError, match=re.escape("missing.jsonl")):
        convert([tmp_path / "missing.jsonl", _written(tmp_path)], tmp_path / "out.jsonl")

    assert (tmp_path / "out.jsonl").read_bytes() == b""


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
def test_an_interrupted_run_leaves_nothing_behind(tmp_path: Path, suffix: str) -> None:
    """Whatever stops a run halfway, there is no output, no rows set aside and no temporary file."""
    source = _written(tmp_path, *[json.dumps(GOOD).encode(), b"{"] * 2_000)

    def stop(_: int) -> None:
        if any(tmp_path.glob(".*set-aside*.part")):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert([source, source], tmp_path / f"out.{suffix}", on_bytes=stop)
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_an_output_that_fails_at_its_end_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, suffix: str
) -> None:
    """A disk that is full just when the file is put in its place raises `OutputError`, and no file is left."""
    source = _written(tmp_path, GOOD, b"{")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os if call == "fsync" else Path, call, full)
        with pytest.raises(OutputError, match="No space left on device"):
            convert(source, tmp_path / f"out.{suffix}")
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("name", ["out.jsonl", "odd \x1b[31m.jsonl", "long" * 55 + ".jsonl"])
def test_an_output_that_fails_halfway_is_not_put_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A disk that is full halfway raises `OutputError` whatever the output's name, and no half of a file is left."""
    # Long enough a path for messages to shorten it.
    home = tmp_path / ("folder" * 15) / ("folder" * 15)
    home.mkdir(parents=True)
    source = _written(tmp_path, *[GOOD] * 10)
    made = JsonLines.open

    class FullDisk(io.BytesIO):
        """A disk that takes two writes and no more."""

        left = 2

        def write(self, data: Any) -> int:
            """Take *data*, or be full."""
            self.left -= 1
            if self.left < 0:
                raise OSError(28, "No space left on device")
            return len(data)

    def full(sink: JsonLines) -> None:
        if sink.stream is None:
            made(sink)
            sink.stream = FullDisk()

    monkeypatch.setattr(JsonLines, "open", full)
    with pytest.raises(OutputError, match="No space left on device"):
        convert([source] * 4, home / name)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("name", ["out.json", "out.gz", "out", "", "out.csv", "parquet"])
def test_an_output_of_another_name_is_refused(tmp_path: Path, name: str) -> None:
    """An output says by its name what it is; any other name is an error before anything is read."""
    with pytest.raises(OptionError):
        convert(_written(tmp_path, GOOD), tmp_path / name if name else "")
    with pytest.raises(OptionError):
        convert(_written(tmp_path, GOOD), tmp_path / "out.jsonl", set_aside=tmp_path / name if name else "")


@pytest.mark.parametrize(
    "name", ["x" * 245 + ".jsonl", "x" * 300 + ".jsonl", "nul\0.jsonl", "nowhere/out.jsonl", "rows.jsonl/out.jsonl"]
)
def test_an_output_that_cannot_be_made_is_our_own_error(tmp_path: Path, name: str) -> None:
    """A name too long, an impossible one, or a folder that is not there raises turnparse's own error."""
    source = _written(tmp_path, GOOD, b"{")
    with pytest.raises(TurnparseError):
        convert(source, tmp_path / name)
    assert list(tmp_path.iterdir()) == [source]


def test_a_folder_in_the_place_of_the_set_aside_file_is_our_own_error(tmp_path: Path) -> None:
    """Where rows set aside would go by default and a folder stands, turnparse's own error is raised."""
    (tmp_path / "out.jsonl.set-aside.jsonl").mkdir()
    with pytest.raises(TurnparseError):
        convert(_written(tmp_path, GOOD, b"{"), tmp_path / "out.jsonl")


@pytest.mark.parametrize("role", ["output", "set_aside", "default set_aside", "summary"])
@pytest.mark.parametrize("spelling", ["plain", "relative", "link"])
def test_a_source_is_never_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str, spelling: str
) -> None:
    """An output that is a source under any spelling is refused, and the source stays as it is."""
    source = _written(tmp_path, GOOD, b"{", name="out.jsonl.set-aside.jsonl")
    before = source.read_bytes()
    (tmp_path / "link.jsonl").symlink_to(source)
    monkeypatch.chdir(tmp_path)
    written: Any = {"plain": source, "relative": Path(source.name), "link": tmp_path / "link.jsonl"}[spelling]
    read = written if role == "default set_aside" else source
    paths: dict[str, Any] = {
        "output": {"output": written},
        "set_aside": {"output": "other.jsonl", "set_aside": written},
        "default set_aside": {"output": "out.jsonl"},
        "summary": {"output": "other.jsonl", "summary": written},
    }[role]
    with pytest.raises(OptionError):
        convert([read], **paths)
    assert source.read_bytes() == before


@pytest.mark.parametrize("clash", [("output", "set_aside"), ("output", "summary"), ("set_aside", "summary")])
def test_two_outputs_are_never_one_file(tmp_path: Path, clash: tuple[str, str]) -> None:
    """The output, the rows set aside and the summary are three files; one name for two of them is refused."""
    paths: dict[str, Any] = {name: tmp_path / f"{name}.jsonl" for name in ("output", "set_aside", "summary")}
    paths[clash[1]] = tmp_path / "." / paths[clash[0]].name
    with pytest.raises(OptionError):
        convert(_written(tmp_path, GOOD, b"{"), **paths)


def test_no_sources_are_refused(tmp_path: Path) -> None:
    """A call without a source, or with standard input twice, is an error, not an empty output."""
    for sources in ([], ["-", "-"]):
        with pytest.raises(OptionError):
            convert(sources, tmp_path / "out.jsonl")


def test_sources_may_be_paths_or_strings_or_any_iterable(tmp_path: Path) -> None:
    """One path, one string, and any iterable of either name the sources."""
    source = _written(tmp_path, GOOD)
    counts = [
        convert(sources, tmp_path / "out.jsonl").rows_out
        for sources in (source, str(source), (source, str(source)), iter([source]))
    ]

    assert counts == [1, 1, 2, 1]


def test_an_empty_source_gives_an_empty_output(tmp_path: Path) -> None:
    """A source without rows is no error: the output is there and empty, and every count is zero."""
    summary = convert(_written(tmp_path), tmp_path / "out.jsonl")

    assert (tmp_path / "out.jsonl").read_bytes() == b""
    assert summary == Summary()


@pytest.mark.parametrize("value", [b"1" + b"0" * 400, b"18446744073709551616", b"[" * 900 + b"]" * 900])
def test_columns_that_nobody_reads_set_no_row_aside(tmp_path: Path, value: bytes) -> None:
    """What 64 bits cannot hold, or lies deep, is right JSON; kept, it comes out as it went in."""
    line = json.dumps(GOOD).encode()[:-1] + b', "id": ' + value + b"}"
    source = _written(tmp_path, line)

    assert convert(source, tmp_path / "out.jsonl").rows_out == 1
    assert convert(source, tmp_path / "kept.jsonl", keep_columns=True).rows_out == 1
    assert value in (tmp_path / "kept.jsonl").read_bytes()


def test_a_null_beside_another_kind_of_row_does_not_count(tmp_path: Path) -> None:
    """A row that has null for the columns of a pair, and a text, is a text."""
    source = _written(tmp_path, {"chosen": None, "rejected": None, "text": GOOD["chosen"]})

    assert convert(source, tmp_path / "out.jsonl", to="messages").rows_out == 1


def test_a_row_both_deep_and_long_in_digits_is_set_aside(tmp_path: Path) -> None:
    """A row nested beyond what can be read, with a number that 64 bits cannot hold, is bad JSON and no traceback."""
    deep = b'{"n": 12345678901234567890123, "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    summary = convert(_written(tmp_path, deep, GOOD), tmp_path / "out.jsonl")

    assert (summary.rows_out, summary.diagnostics) == (1, {"bad-json": 1})
