"""Targets: what each writes, the rules that it keeps, the files beside it, and the way back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

import plain_records
import turnparse
from strategies import PAIR_ROWS, in_utf8
from turnparse import OptionError, RowError, _target, render
from turnparse._cli import main
from turnparse._job import Job
from turnparse._rows import decode
from turnparse._target import Target, target_named, targets
from turnparse._way_back import sides_of
from turnparse.targets import (
    CHAT,
    Constant,
    Content,
    Exchanges,
    Fields,
    Index,
    Items,
    Keys,
    LossMark,
    Message,
    Messages,
    Rule,
    Sha256,
    SideFile,
    System,
    Text,
)
from written import once, pairs, read_back, run, set_aside

Q = "\n\nHuman: q\n\nAssistant: a\n\nHuman: r"
ONE = {"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: q\n\nAssistant: b"}
TWO = {"chosen": f"{Q}\n\nAssistant: c", "rejected": f"{Q}\n\nAssistant: d"}
MARKED = Keys("by", "says", {"user": "me"}, LossMark("learn", learnt=1, masked=0, only=("assistant",)))
ODD = Target(
    name="odd",
    about="One of everything that a target may hold.",
    link="https://example.org",
    takes=("pair",),
    columns={
        "list": Messages("whole-chosen", MARKED),
        "apart": Messages("conversation", CHAT, system="apart"),
        "one": Message("chosen", MARKED),
        "in": Fields({"a": Fields({"b": Content("shared"), "c": Constant(value=True)}), "d": Constant(1.5)}),
        "items": Items((Text("chosen", cue="strip"), Text("rejected", cue="strip"), Content("shared", at="first"))),
        "nested": Items((Items((Messages("shared"), Messages("rejected"))), Items((Messages("completion"),) * 2))),
        "text": Text("prompt", cue="append"),
        "system": System("whole-chosen", absent=None, optional=True),
        "history": Exchanges("shared"),
        "digest": Sha256(Text("whole-rejected")),
        "nothing": Constant(None),
        "no number": Constant(None, "number"),
        "quoted": Constant('"\\\n'),
        "number": Fields({"of": Index(), "said": Index(text=True)}),
    },
    second={
        "list": Messages("whole-rejected", MARKED),
        "apart": Messages("prompt", CHAT, system="apart"),
        "one": Message("rejected", MARKED),
        "in": Fields({"a": Fields({"b": Content("shared"), "c": Constant(value=False)}), "d": Constant(0.5)}),
        "items": Items((Content("chosen"), Content("rejected"), Content("shared", at="first"))),
        "nested": Items((Items((Messages("shared"), Messages("rejected"))), Items((Messages("completion"),) * 2))),
        "text": Text("whole-chosen"),
        "system": System(absent=None, optional=True),
        "history": Exchanges("shared"),
        "digest": Sha256(Content("chosen")),
        "nothing": Constant(None),
        "no number": Constant(None, "number"),
        "quoted": Constant(""),
        "number": Fields({"of": Index(), "said": Index(text=True)}),
    },
    rules=(
        Rule("by-turns", "pairs of exchanges", "shared", "[sS]?([uU][aA])*[uU]", schema=True),
        Rule("chosen-first", "the cue is the assistant's", "chosen", r"[aA]\w*", schema=True),
        Rule("rejected-first", "the cue is the assistant's", "rejected", r"[aA]\w*", schema=True),
        Rule("unlike", "to see it reported", differs=True),
        Rule("found", "to see it reported", "rejected", outside="Yes. No. 0a"),
        Rule("says", "to see it reported", "whole-chosen", "[sua]*", alike="[sua]+"),
    ),
)


UTF8_ROWS = PAIR_ROWS.map(lambda rows: [row for row in rows if in_utf8(row)])


@pytest.fixture(autouse=True)
def odd_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be a target with one of everything."""
    there = targets() | {"odd": ODD}
    monkeypatch.setattr(_target, "targets", lambda: there)


def expected(rows: list[dict[str, Any]], **options: Any) -> list[tuple[list[dict[str, Any]], list[str]]]:
    """Return the records that are to be written of each row, and its codes if it is to be set aside."""
    options = {"preset": "default", "policies": None, "dialect": "hh", "side": "chosen", **options}
    unset: dict[str, Any] = dict.fromkeys(("chosen", "rejected", "transcript"))
    job = Job.of(**options | unset, diagnostics="structural", keep_columns=False)
    found: list[tuple[list[dict[str, Any]], list[str]]] = []
    for number, row in enumerate(rows):
        judgement = job.judge(job.read(decode(json.dumps(row).encode())))
        if judgement.item is None or judgement.message:
            found.append(([], judgement.codes))
        else:
            found.append((plain_records.records(job, judgement.item, number), []))
    return found


def without_absent(value: Any) -> Any:
    """Return a record without the keys that JSON may lack where they are None."""
    if isinstance(value, dict):
        absent = [key for key in ("learn", "weight", "loss", "system") if value.get(key, "") is None]
        return {key: without_absent(inner) for key, inner in value.items() if key not in absent}
    return [without_absent(inner) for inner in value] if isinstance(value, list) else value


@settings(max_examples=60)
@given(
    rows=UTF8_ROWS,
    to=st.sampled_from(["odd", *targets()]),
    preset=st.sampled_from(["faithful", "default"]),
    system=st.sampled_from([None, "Be kind.", 'A "quoted"\nword']),
    marks=st.sampled_from([None, "last-turn", "assistant-turns"]),
)
@example(
    [("pre\n\nHuman: q\n\nAssistant: a", "pre\n\nHuman: q\n\nAssistant: b")], "odd", "faithful", "Be kind.", "last-turn"
)
@example([(TWO["chosen"], TWO["rejected"])] * 9, "odd", "default", None, "assistant-turns")
def test_every_target_in_every_format(  # noqa: PLR0917  # hypothesis names them
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str]],
    to: str,
    preset: str,
    system: str | None,
    marks: str | None,
) -> None:
    """Lines, Parquet and tables hold the records that plain Python makes of each row, and set the same rows aside."""
    there = [{"chosen": chosen, "rejected": rejected} for chosen, rejected in rows]
    loss = None if _target.targets()[to].loss is None else marks
    options: dict[str, Any] = {"to": to, "preset": preset, "system": system, "loss": loss}
    found = expected(there, **options)
    records = [record for made, _ in found for record in made]
    folder = tmp_path_factory.mktemp("formats")
    source = folder / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in there), encoding="utf-8")

    result = turnparse.convert_table(
        pa.Table.from_pylist(there, schema=pa.schema({"chosen": pa.string(), "rejected": pa.string()})), **options
    )
    assert result.rows.to_pylist() == records
    assert [row["codes"] for row in result.set_aside.to_pylist()] == [codes for made, codes in found if codes]
    for ending in ("jsonl", "parquet"):
        output = folder / f"out.{ending}"
        summary, failed = run(source, output, **options)
        assert (summary.records_out, summary.rows_in, failed) == (len(records), len(rows), "")
        assert summary.rows_set_aside == len(set_aside(output))
        written = read_back(output)
        assert [without_absent(record) for record in written] == [without_absent(record) for record in records]
        if written:
            assert [*without_absent(written[0])] == [*without_absent(records[0])]


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_two_records_a_row(tmp_path: Path, ending: str) -> None:
    """The records of a row stand one behind the other, with its provenance and what travels along in both."""
    rows = [row | {"id": number} for number, row in enumerate([*pairs(40), TWO, {"chosen": "x", "rejected": "y"}])]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    for keep in (False, True):
        output = tmp_path / f"out.{ending}"
        summary, _ = run(source, output, to="trl-unpaired", provenance=True, keep_columns=keep)
        written = read_back(output)
        assert [record["label"] for record in written] == [True, False] * 41
        assert [record["line"] for record in written] == [line for line in range(1, 42) for _ in "ab"]
        assert (summary.rows_out, summary.records_out, summary.rows_set_aside) == (41, 82, 1)
        if keep:
            assert [record["id"] for record in written] == [number for number in range(41) for _ in "ab"]


def test_a_rule_is_enforced_or_reported(tmp_path: Path) -> None:
    """A row that breaks a rule is set aside with the rule; under faithful it is reported, if the columns hold it."""
    source = tmp_path / "in.jsonl"
    empty = {"chosen": "\n\nHuman: q\n\nAssistant:", "rejected": "\n\nHuman: q\n\nAssistant: b"}
    source.write_text(json.dumps(empty) + "\n" + json.dumps(TWO) + "\n", encoding="utf-8")

    summary, _ = run(source, tmp_path / "a.jsonl", to="openai-preference", policies={"empty-response": "keep"})
    assert (summary.rows_out, summary.diagnostics["target-rule"]) == (1, 1)
    assert "rule chosen-without-empty-turns of openai-preference" in set_aside(tmp_path / "a.jsonl")[0]["message"]
    summary, _ = run(source, tmp_path / "b.jsonl", to="openai-preference", preset="faithful")
    assert (summary.rows_out, summary.diagnostics["target-rule"]) == (2, 1)
    summary, _ = run(source, tmp_path / "c.jsonl", to="axolotl-chatml-intel", preset="faithful")
    assert (summary.rows_out, summary.rows_set_aside, summary.diagnostics["target-rule"]) == (1, 1, 1)
    assert "prompt-is-one-question" in set_aside(tmp_path / "c.jsonl")[0]["message"]


def test_a_row_is_mended_where_that_is_allowed(tmp_path: Path) -> None:
    """A row that breaks a rule is written once a policy mends it."""
    source = tmp_path / "in.jsonl"
    again = "\n\nHuman: p\n\nHuman: q\n\nAssistant:"
    source.write_text(json.dumps({"chosen": f"{again} a", "rejected": f"{again} b"}) + "\n", encoding="utf-8")

    summary, _ = run(source, tmp_path / "a.jsonl", to="llama-factory-sharegpt")
    assert summary.rows_set_aside == 1
    summary, _ = run(source, tmp_path / "b.jsonl", to="llama-factory-sharegpt", policies={"same-speaker": "merge"})
    assert summary.rows_out == 1
    assert read_back(tmp_path / "b.jsonl")[0]["conversations"] == [{"from": "human", "value": "p\n\nq"}]


def test_loss_marks(tmp_path: Path) -> None:
    """A run may say which messages are learnt from, where the target has a key for it; only there."""
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps(TWO) + "\n", encoding="utf-8")
    weights = {}
    for loss in (None, "last-turn", "assistant-turns"):
        run(source, tmp_path / "o.jsonl", to="openai", loss=loss)
        weights[loss] = [message.get("weight") for message in read_back(tmp_path / "o.jsonl")[0]["messages"]]
        assert "weight" not in read_back(tmp_path / "o.jsonl")[0]["messages"][0]

    assert weights == {None: [None] * 4, "last-turn": [None, 0, None, 1], "assistant-turns": [None, 1, None, 1]}
    with pytest.raises(OptionError, match="expected a target with loss marks"):
        run(source, tmp_path / "o.jsonl", to="trl", loss="last-turn")


@pytest.mark.parametrize(("to", "path"), [("trl", "prompt"), ("messages", "messages")])
def test_a_system_prompt_leads(tmp_path: Path, to: str, path: str) -> None:
    """A system prompt that the run adds is the first message of each row, before a row's own."""
    source = tmp_path / "in.jsonl"
    own = {side: f"Own.{text}" for side, text in ONE.items()}
    source.write_text("".join(json.dumps(row) + "\n" for row in (ONE, TWO, own)), encoding="utf-8")
    run(source, tmp_path / "o.jsonl", to=to, system=" Be kind. ")
    first = [[*record[path][0].values()] for record in read_back(tmp_path / "o.jsonl")]

    assert first == [["system", "Be kind."]] * 2 + [["system", "Be kind.\n\nOwn."]]


@pytest.mark.parametrize("system", ["", " \n", "\ud800", 3])
def test_a_system_prompt_must_be_text(tmp_path: Path, system: Any) -> None:
    """A system prompt that is blank, or no text, is a mistake in the call."""
    with pytest.raises(turnparse.TurnparseError, match="system prompt"):
        turnparse.convert("x.jsonl", tmp_path / "o.jsonl", system=system)


def test_a_system_prompt_cannot_smuggle_turns(tmp_path: Path) -> None:
    """Where text is written, a system prompt that would be read as turns is a mistake in the call."""
    with pytest.raises(OptionError, match="reads back"):
        turnparse.convert("x.jsonl", tmp_path / "o.jsonl", to="trl-standard", system="x\n\nHuman: y")


def test_text_that_would_not_read_back_is_set_aside(tmp_path: Path) -> None:
    """Two turns merged may hold a marker between them; as messages they are written, as text they are not."""
    talk = "\n\nHuman: a\n\nHuman: Human: b\n\nAssistant:"
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps({"chosen": f"{talk} c", "rejected": f"{talk} d"}) + "\n", encoding="utf-8")
    merged = {"same-speaker": "merge"}

    assert run(source, tmp_path / "o.jsonl", to="trl", policies=merged)[0].rows_out == 1
    for preset in ("default", "faithful"):
        assert run(source, tmp_path / "o.jsonl", to="trl-standard", preset=preset, policies=merged)[0].rows_out == 0
        assert "would not read back" in set_aside(tmp_path / "o.jsonl")[0]["message"]


def test_side_files(tmp_path: Path) -> None:
    """Beside an output stands what its consumer needs: an entry in a registry, or a file of its own."""
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps(TWO) + "\n", encoding="utf-8")
    registry = tmp_path / "dataset_info.json"
    registry.write_text('{"theirs": {"file_name": "x"}}', encoding="utf-8")
    for name in ("a.jsonl", "b.parquet", "a.jsonl"):
        run(source, tmp_path / name, to="llama-factory-sharegpt")
    run(source, tmp_path / "c.jsonl.gz", to="axolotl-chat-template")

    entries = json.loads(registry.read_text(encoding="utf-8"), object_pairs_hook=once)
    assert [*entries] == ["theirs", "a", "b"]
    assert entries["b"]["file_name"] == "b.parquet"
    assert "path: c.jsonl.gz" in (tmp_path / "c.axolotl.yaml").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    registry.write_text("[]", encoding="utf-8")
    with pytest.raises(turnparse.OutputError, match="move it away"):
        turnparse.convert(source, tmp_path / "a.jsonl", to="llama-factory-sharegpt", force=True)
    assert registry.read_text(encoding="utf-8") == "[]"


@pytest.mark.parametrize("name", ["@x.jsonl", "{file}.jsonl", "a #b.jsonl", 'q".jsonl', "n\n.jsonl", "plain.parquet"])
def test_side_files_name_any_output(tmp_path: Path, name: str) -> None:
    """Whatever an output is called, its side files name it so."""
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps(TWO) + "\n", encoding="utf-8")
    run(source, tmp_path / name, to="llama-factory-sharegpt")
    run(source, tmp_path / name, to="axolotl-chat-template")
    (entry,) = json.loads((tmp_path / "dataset_info.json").read_text(encoding="utf-8")).values()
    (snippet,) = tmp_path.glob("*.axolotl.yaml")
    path, kind = (line.split(": ", 1)[1] for line in snippet.read_text(encoding="utf-8").splitlines()[2:4])

    assert entry["file_name"] == name
    assert (path if name == "plain.parquet" else json.loads(path)) == name
    assert kind == ("parquet" if name.endswith(".parquet") else "json")


def test_side_files_take_no_other_s_place(tmp_path: Path) -> None:
    """A source, or the summary, that has the name of a side file is never written over."""
    source = tmp_path / "dataset_info.json"
    source.write_text(json.dumps([TWO]), encoding="utf-8")
    for options in ({}, {"summary": tmp_path / "dataset_info.json"}):
        with pytest.raises(OptionError, match=r"dataset_info\.json"):
            turnparse.convert(source, tmp_path / "o.jsonl", to="llama-factory-sharegpt", **options)  # type: ignore[arg-type]
    assert json.loads(source.read_text(encoding="utf-8")) == [TWO]


def test_a_prompt_of_text_ends_where_the_answer_follows(tmp_path: Path) -> None:
    """On the way back from text, a prompt without the assistant's marker at its end is no prompt."""
    source = tmp_path / "in.jsonl"
    row = {"prompt": "\n\nHuman: p", "chosen": " good", "rejected": " bad"}
    source.write_text(json.dumps(row) + "\n", encoding="utf-8")
    summary, _ = run(source, tmp_path / "o.jsonl", from_="trl-standard", to="hh")

    assert (summary.rows_out, set_aside(tmp_path / "o.jsonl")[0]["codes"]) == (0, ["wrong-type"])


def test_a_system_prompt_leads_sides_that_part_at_once(tmp_path: Path) -> None:
    """Where only one side has a preamble, each side has one system message all the same, and keeps its own."""
    source = tmp_path / "in.jsonl"
    source.write_text(
        json.dumps({"chosen": "Own." + ONE["chosen"], "rejected": ONE["rejected"]}) + "\n", encoding="utf-8"
    )
    for system, found in ((None, ["Own.", None]), ("Go.", ["Go.\n\nOwn.", "Go."])):
        run(source, tmp_path / "o.jsonl", to="torchtune", system=system)
        (record,) = read_back(tmp_path / "o.jsonl")
        leads = [[message["content"] for message in record[side] if message["role"] == "system"] for side in ONE]
        assert leads == [[text] if text else [] for text in found]
        run(source, tmp_path / "k.jsonl", to="llama-factory-kto", system=system)
        assert [record["system"] or None for record in read_back(tmp_path / "k.jsonl")] == found


def test_side_files_are_what_they_say() -> None:
    """Each registry is JSON, and names columns that are written."""
    for target in targets().values():
        for side in target.side_files:
            if side.is_registry:
                named = json.loads(side.text)["columns"].values()
                assert set(named) <= set(target.columns)


BACK = sorted(name for name, target in targets().items() if sides_of(target) is not None)


def test_targets_that_keep_everything() -> None:
    """The targets that hold all of a transcript are those from which there is a way back."""
    assert {"messages", "trl", "trl-implicit", "sharegpt", "openai", "openai-preference", "anthropic"} <= set(BACK)
    assert {"llama-factory-sharegpt", "hh", "hh-transcripts", "dahoas"} <= set(BACK)
    assert {"trl-prompt-only", "trl-unpaired", "llama-factory-kto", "distilabel-x"}.isdisjoint(BACK)


def told(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a row says, however it is parted into prompt and completion, and whatever its number is there."""
    said = {key: value for key, value in row.items() if value is not None and key != "id"}
    return {"said": said["prompt"] + said["completion"]} if "completion" in said else said


@settings(max_examples=60)
@given(
    rows=UTF8_ROWS,
    via=st.sampled_from(BACK),
    preset=st.sampled_from(["faithful", "default"]),
)
def test_there_and_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], via: str, preset: str
) -> None:
    """What a target keeps comes back as transcripts that parse to the same messages, or is refused: never as others."""
    folder = tmp_path_factory.mktemp("back")
    source = folder / "in.jsonl"
    source.write_text("".join(json.dumps({"chosen": a, "rejected": b}) + "\n" for a, b in rows), encoding="utf-8")
    there, _ = run(source, folder / "there.jsonl", to=via, preset=preset)
    back, _ = run(folder / "there.jsonl", folder / "back.jsonl", from_=via, to="hh", preset="faithful")
    again, _ = run(folder / "back.jsonl", folder / "again.jsonl", to=via, preset="faithful")

    assert back.rows_in == there.records_out
    if not back.rows_set_aside:
        # A transcript is read as a red-team attempt without metadata, and where sides part at once nothing is a prompt.
        assert [told(row) for row in read_back(folder / "again.jsonl")] == [
            told(row) for row in read_back(folder / "there.jsonl")
        ]
    assert {code for row in set_aside(folder / "back.jsonl") for code in row["codes"]} <= {
        "smuggled-turn",
        "target-rule",
    }
    assert again.rows_in == again.rows_out == back.rows_out


@pytest.mark.parametrize(
    ("row", "code", "place"),
    [
        (
            {"messages": [{"role": "user", "content": "x\n\nAssistant: y"}]},
            "smuggled-turn",
            "message 0 of conversation",
        ),
        ({"messages": [{"role": "user"}]}, "wrong-type", "messages[0]"),
        ({"messages": [{"role": "bot", "content": "x"}]}, "wrong-type", "messages[0].role"),
        ({"messages": [{"role": "user", "content": 1}]}, "wrong-type", "messages[0].content"),
        ({"messages": [{"role": "user", "content": "x", "tool_calls": [1]}]}, "wrong-type", "messages[0]"),
        ({"messages": "x"}, "wrong-type", "messages"),
        ({"messages": None}, "wrong-type", "messages"),
        ({"text": "x"}, "no-known-column", "messages"),
        (
            {"messages": [{"role": "user", "content": "x"}, {"role": "system", "content": "y"}]},
            "smuggled-turn",
            "message 1",
        ),
    ],
)
def test_what_has_no_way_back_is_set_aside(tmp_path: Path, row: dict[str, Any], code: str, place: str) -> None:
    """A row that is none of the target's, or would smuggle a turn, is set aside with its place; others are not lost."""
    good = {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "q"}]},
            {"role": "assistant", "content": "a"},
        ]
    }
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps(good) + "\n" + json.dumps(row) + "\n", encoding="utf-8")
    summary, _ = run(source, tmp_path / "o.jsonl", from_="messages", to="hh", preset="faithful")
    (aside,) = set_aside(tmp_path / "o.jsonl")

    assert read_back(tmp_path / "o.jsonl") == [{"transcript": "\n\nHuman: q\n\nAssistant: a"}]
    assert (summary.rows_in, aside["codes"], aside["line"]) == (2, [code], 2)
    assert place in aside["message"]


def test_metadata_comes_back(tmp_path: Path) -> None:
    """Red-team attempts keep their metadata on the way there and back, in lines and in Parquet."""
    attempt = {"transcript": "\n\nHuman: q\n\nAssistant: a", "rating": 3.0, "tags": ["x"], "model_type": "rlhf"}
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps(attempt) + "\n", encoding="utf-8")
    for ending in ("jsonl", "parquet"):
        run(source, tmp_path / f"there.{ending}", to="messages")
        run(tmp_path / f"there.{ending}", tmp_path / f"back.{ending}", from_="messages", to="hh")
        (record,) = read_back(tmp_path / f"back.{ending}")
        assert {key: record[key] for key in attempt} == attempt


def test_a_key_may_be_missing(tmp_path: Path) -> None:
    """Where a format has no null for a system prompt, JSON has no key for it; tables have null."""
    source = tmp_path / "in.jsonl"
    source.write_text(
        json.dumps({"text": "Be.\n\nHuman: q\n\nAssistant: a"}) + "\n" + json.dumps({"text": ONE["chosen"]}) + "\n"
    )
    for system in (None, "Go."):
        run(source, tmp_path / "o.jsonl", to="anthropic", system=system)
        run(source, tmp_path / "o.parquet", to="anthropic", system=system)
        found = [record.get("system", "none") for record in read_back(tmp_path / "o.jsonl")]
        assert found == (["Be.", "none"] if system is None else ["Go.\n\nBe.", "Go."])
        assert [record["system"] for record in read_back(tmp_path / "o.parquet")] == [
            None if text == "none" else text for text in found
        ]


def test_a_rule_may_ask_that_all_rows_are_alike(tmp_path: Path) -> None:
    """A system message of some rows alone breaks a rule that one of all rows does not."""
    source = tmp_path / "in.jsonl"
    rows = ({"text": "Be.\n\nHuman: q\n\nAssistant: a"}, {"text": ONE["chosen"]})
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    assert run(source, tmp_path / "o.jsonl", to="sharegpt")[0].rows_out == 1
    assert run(source, tmp_path / "o.jsonl", to="sharegpt", system="Go.")[0].rows_out == 2


def test_there_is_no_way_back_from_what_does_not_keep_all() -> None:
    """A target that drops something is refused as a source, with those that keep everything."""
    with pytest.raises(OptionError, match=r"keeps all of a transcript \(.*openai"):
        turnparse.convert("x.jsonl", "y.jsonl", from_="trl-prompt-only")


@pytest.fixture
def entry_points(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Return {name: what the entry point of that name loads}, to be filled; an exception is raised."""
    points: dict[str, Any] = {}

    def load(point: EntryPoint) -> Any:
        if isinstance(points[point.name], Exception):
            raise points[point.name]
        return points[point.name]

    def found(group: str) -> list[EntryPoint]:
        assert group == "turnparse.targets"
        return [EntryPoint(name, "package:TARGET", group) for name in points]

    monkeypatch.setattr(EntryPoint, "load", load)
    monkeypatch.setattr("importlib.metadata.entry_points", found)
    monkeypatch.setattr(_target, "targets", targets)
    _target.found_targets.cache_clear()
    yield points
    _target.found_targets.cache_clear()


def test_a_registered_target_is_found(entry_points: dict[str, Any]) -> None:
    """Another distribution's entry point adds a target; it cannot take the place of a shipped one."""
    entry_points |= {"mine": attrs.evolve(ODD, name="mine"), "trl": attrs.evolve(ODD, name="trl")}

    assert target_named("mine") is entry_points["mine"]
    assert target_named("trl") is not entry_points["trl"]


@pytest.mark.parametrize(
    ("made", "told"), [(3, "to be a Target, found int"), (KeyError("x\x1b"), "to load, found KeyError")]
)
def test_a_broken_registered_target_costs_no_other(entry_points: dict[str, Any], made: Any, told: str) -> None:
    """What cannot be loaded is told where it is asked for, and listed as left out; all others stay."""
    entry_points["bad"] = made

    assert target_named("trl").name == "trl"
    with pytest.raises(OptionError, match=told):
        target_named("bad")
    listed = CliRunner().invoke(main, ["targets"])
    assert listed.exit_code == 0
    assert "bad is left out" in listed.stderr
    assert "\x1b" not in listed.stderr


@pytest.mark.parametrize(
    "declare",
    [
        lambda: Content("nosuch"),  # type: ignore[arg-type]  # on purpose, as below
        lambda: Messages("nosuch"),  # type: ignore[arg-type]
        lambda: Message("nosuch"),  # type: ignore[arg-type]
        lambda: Text("nosuch"),  # type: ignore[arg-type]
        lambda: Exchanges("nosuch"),  # type: ignore[arg-type]
        lambda: System("nosuch"),  # type: ignore[arg-type]
        lambda: System(optional=True),
        lambda: Constant(1 << 63),
        lambda: Constant(float("nan")),
        lambda: Constant(b"x"),  # type: ignore[arg-type]
        lambda: Fields({}),
        lambda: Fields({"a": System(absent=None, optional=True)}),
        lambda: Items(()),
        lambda: Items((Constant(1), Constant("1"))),
        lambda: Sha256(Messages("shared")),  # type: ignore[arg-type]
        lambda: Rule("x", "y", "nosuch", "a"),  # type: ignore[arg-type]
        lambda: Rule("x", "y", "shared", "("),
        lambda: Rule("x", "y", "shared"),
        lambda: SideFile("", "x"),
        lambda: SideFile("../x", "x"),
        lambda: SideFile("{file}", "x"),
        lambda: attrs.evolve(ODD, columns={}),
        lambda: attrs.evolve(ODD, second={"list": Content("chosen")}),
        lambda: attrs.evolve(ODD, columns={"a": System(absent=None, optional=True)}, second=None),
    ],
)
def test_a_declaration_that_cannot_be_is_refused(declare: Callable[[], object]) -> None:
    """What a target cannot mean is told where it is declared."""
    with pytest.raises(turnparse.ArgumentError, match=r"^expected .*found|^expected both"):
        declare()


def test_a_registered_target_is_one_of_the_command_s(tmp_path: Path) -> None:
    """A distribution that is installed beside turnparse adds a target by an entry point, and the command knows it."""
    (tmp_path / "mine.py").write_text(
        "from turnparse.targets import Messages, Target\n"
        "TARGET = Target('mine', 'Mine.', 'https://example.org', ('pair',), {'talk': Messages('whole-chosen')})\n",
        encoding="utf-8",
    )
    info = tmp_path / "mine-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[turnparse.targets]\nmine = mine:TARGET\n", encoding="utf-8")
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps(ONE) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "turnparse", "convert", str(source), "--to", "mine", "--output", "-"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": str(tmp_path)}
    )

    assert json.loads(done.stdout)["talk"][0] == {"role": "user", "content": "q"}


def test_a_target_need_not_be_registered() -> None:
    """Calls take a target itself in place of a name."""
    result = turnparse.convert_table(pa.Table.from_pylist([ONE]), to=attrs.evolve(ODD, name="mine"))

    assert [record["one"]["says"] for record in result.rows.to_pylist()] == ["a", "b"]
    with pytest.raises(turnparse.ArgumentError, match="the target"):
        turnparse.convert_table(pa.Table.from_pylist([ONE]), to=3)  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize("name", sorted(targets()))
def test_declarations_are_whole(name: str) -> None:
    """Each target says what it is, where its format is told, and how it is loaded; two records have the same columns."""
    target = target_named(name)

    assert target.about.endswith(".")
    assert target.link.startswith("https://")
    assert target.loading
    assert len({rule.name for rule in target.rules}) == len(target.rules)
    assert all(rule.because and (rule.differs or rule.outside or rule.pattern) for rule in target.rules)
    assert target.second is None or [*target.second] == [*target.columns]


def test_a_transcript_may_be_written_by_hand() -> None:
    """What a target of text writes is what `render` writes."""
    result = turnparse.convert_table(pa.Table.from_pylist([ONE]), to="hh")
    said = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]

    assert result.rows.to_pylist()[0]["chosen"] == render(said)


def test_a_rule_reads_letters() -> None:
    """A rule holds for the letters that its pattern matches as a whole."""
    rule = Rule("x", "y", "shared", "ua*")

    assert [rule.holds(letters) for letters in ("u", "uaa", "ub", "xu", "")] == [True, True, False, False, False]


def test_a_side_file_knows_its_kind() -> None:
    """Outputs share a file of JSON, and have one of YAML of their own."""
    assert [SideFile(name, "").is_registry for name in ("dataset_info.json", "{stem}.axolotl.yaml")] == [True, False]


def test_errors_of_rows_say_where() -> None:
    """What is wrong with a row on the way back is told with its place in the row."""
    job = Job.of(
        to="hh", preset="faithful", policies=None, dialect="hh", diagnostics="structural", side="chosen", chosen=None,
        rejected=None, transcript=None, keep_columns=False, from_="openai-preference",
    )  # fmt: skip
    with pytest.raises(RowError, match=r"expected input to be an object, found a string"):
        job.read({"input": "x", "preferred_output": [], "non_preferred_output": []})
