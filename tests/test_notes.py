"""What is said once of a whole run: rows put to a use that they are not meant for, and rows that the target does not take."""

from __future__ import annotations

import ast
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import turnparse
from turnparse import ArgumentError, IncompleteError, IntendedUseWarning, NotTakenWarning
from turnparse import targets as words
from turnparse._cli import main
from turnparse._target import targets
from written import as_lines, convert, pairs, talks

SAMPLES = Path(turnparse.__file__).parent / "samples"
PAIRS, ATTEMPTS = SAMPLES / "pairs.jsonl", SAMPLES / "red_team.jsonl"
TRAINED = words.Target(
    "mine",
    "Mine.",
    "https://example.org",
    ("pair", "red-team"),
    {"talk": words.Messages("conversation")},
    trains="preference",
)


def told(category: type[Warning], source: Any, output: object, **options: Any) -> list[str]:
    """Convert, over what is there; return what is warned of in *category*. Nothing else may be but what these tests are about."""
    asked: dict[str, Any] = {"force": True} | options
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        turnparse.convert(source, str(output), **asked)
    assert {one.category for one in found} <= {IntendedUseWarning, NotTakenWarning}
    assert all(one.filename == __file__ for one in found)
    return [str(one.message) for one in found if one.category is category]


# What targets are for.


def test_every_shipped_target_says_what_it_trains() -> None:
    """It is written down in the file of each, rather than left to what goes without saying."""
    folder = Path(words.__file__).parent
    for path in sorted(folder.glob("[!_]*.py")):
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        (target,) = (call for call in calls if getattr(call.func, "id", None) == "Target")
        assert "trains" in {keyword.arg for keyword in target.keywords}, path.name


def test_what_trains_on_preferences_takes_pairs_alone() -> None:
    """No shipped target would train preferences on rows of one dialogue; those for nothing in particular are few."""
    for target in targets().values():
        assert (target.trains == "preference") <= (target.takes == ("pair",))
    assert {name for name, target in targets().items() if not target.trains} == {
        "anthropic",
        "hh",
        "hh-transcripts",
        "messages",
    }


def test_an_unknown_training_is_refused() -> None:
    """A target that trains what nobody knows is refused where it is declared."""
    with pytest.raises(ArgumentError, match="expected x to train one of 'supervised', 'preference', 'prompts', ''"):
        words.Target("x", "", "", ("pair",), {"a": words.Messages("chosen")}, trains="sft")  # type: ignore[arg-type]


def test_the_page_of_a_target_says_it() -> None:
    """`turnparse targets NAME` tells what is trained."""
    for name, line in (("trl", "training: preference,"), ("openai", "training: supervised,"), ("hh", "training: none")):
        assert line in CliRunner().invoke(main, ["targets", name]).output


# Intended use.


@pytest.mark.parametrize(
    ("source", "options", "kinds"),
    [
        (PAIRS, {"to": "openai"}, ["preference pairs (85 rows here)"]),
        (PAIRS, {"to": "trl-text", "preset": "faithful"}, ["preference pairs (85 rows here)"]),
        (ATTEMPTS, {"to": "verl-sft"}, ["red-team attempts (13 rows here)"]),
        (ATTEMPTS, {"to": TRAINED}, ["red-team attempts (13 rows here)"]),
        (
            [PAIRS, ATTEMPTS],
            {"to": "sharegpt"},
            ["preference pairs (85 rows here)", "red-team attempts (13 rows here)"],
        ),
        (PAIRS, {"to": TRAINED}, []),
        (PAIRS, {"to": "trl"}, []),
        (PAIRS, {"to": "trl-prompt-only"}, []),
        (ATTEMPTS, {"to": "messages"}, []),
        (ATTEMPTS, {"to": "trl"}, []),
    ],
)
def test_a_use_that_rows_are_not_meant_for_is_told_once(
    tmp_path: Path, source: Any, options: dict[str, Any], kinds: list[str]
) -> None:
    """One warning names every kind of rows that is put to such a use, and how many there are; any other use has none."""
    found = told(IntendedUseWarning, source, tmp_path / "x.jsonl", **options)

    assert len(found) == bool(kinds)
    assert [kind for kind in kinds if kind not in "".join(found)] == []
    assert all(("red-team" in one) == ("red-team" in "".join(kinds)) for one in found)
    assert all("https://huggingface.co/datasets/Anthropic/hh-rlhf" in one and one.isprintable() for one in found)


def test_a_resumed_run_tells_it_as_well(tmp_path: Path) -> None:
    """The rows of outputs that an earlier run has done count as those of this one."""
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        (tmp_path / "in" / f"{name}.jsonl").write_bytes(as_lines(pairs(3)))

    def call(**options: Any) -> list[str]:
        return told(IntendedUseWarning, tmp_path / "in", f"{tmp_path}/out/", to="openai", **options)

    first = call()
    assert "(6 rows here)" in first[0]
    (tmp_path / "out" / "a.jsonl").unlink()
    assert call(resume=True) == call(resume=True) == first


def test_nothing_is_told_of_rows_of_unknown_origin(tmp_path: Path) -> None:
    """Rows that are in some target's format, other transcripts, and rows of which none is written bring no warning."""
    convert(PAIRS, tmp_path / "trl.jsonl")
    (tmp_path / "talks.jsonl").write_bytes(as_lines(talks(3)))
    (tmp_path / "empty.jsonl").write_bytes(as_lines([{"chosen": "", "rejected": ""}]))
    cases: list[tuple[str, dict[str, Any]]] = [("trl", {"from_": "trl"}), ("talks", {}), ("empty", {})]
    for name, options in cases:
        assert (
            told(IntendedUseWarning, tmp_path / f"{name}.jsonl", tmp_path / "x.jsonl", to="sharegpt", **options) == []
        )


# Rows of a kind that is not taken.


def test_rows_of_a_kind_that_is_not_taken_are_told_of_once(tmp_path: Path) -> None:
    """The warning says how many there are, which sources hold nothing else, and which targets take them."""
    for number in range(5):
        (tmp_path / f"red-{number}.jsonl").write_bytes(ATTEMPTS.read_bytes())
    sources = [PAIRS, *sorted(tmp_path.glob("red-*"))]
    (found,) = told(NotTakenWarning, sources, f"{tmp_path}/out/")

    assert "trl does not take some rows, which were set aside: 65 red-team rows" in found
    assert "(all rows of red-0.jsonl, red-1.jsonl, red-2.jsonl, 2 sources more)" in found
    named = found.partition("--to ")[2].removesuffix(" takes them").split(" or ")
    assert "messages" in named
    for name in named:
        assert told(NotTakenWarning, ATTEMPTS, tmp_path / "x.jsonl", to=name) == []


def test_a_source_of_several_kinds_is_not_called_one_of_one(tmp_path: Path) -> None:
    """Where a source, or what goes into one output, holds other rows too, only the number is told."""
    (tmp_path / "mixed.jsonl").write_bytes(ATTEMPTS.read_bytes() + as_lines(pairs(2)))
    for source in ([tmp_path / "mixed.jsonl"], [PAIRS, ATTEMPTS]):
        (found,) = told(NotTakenWarning, source, tmp_path / "x.jsonl")
        assert "13 red-team rows; --to " in found


# The command.


def test_the_command_says_it_in_one_line(tmp_path: Path) -> None:
    """On standard error, before the counts, stands one line for a note; the exit code is that of a run without."""
    for source, to, start in ((PAIRS, "openai", "openai is for supervised"), (ATTEMPTS, "trl", "trl does not take")):
        command = [sys.executable, "-m", "turnparse", "convert", str(source), "--to", to, "--force", "--output"]
        done = subprocess.run([*command, str(tmp_path / "x.jsonl")], capture_output=True, text=True, check=True)
        lines = done.stderr.splitlines()
        assert lines[0].startswith(f"turnparse: note: {start}")
        assert lines[1].startswith("rows in: ")
        assert "note" not in "".join(lines[1:])


def test_the_command_says_it_of_an_incomplete_run_too(tmp_path: Path) -> None:
    """What else went wrong does not hide a note."""
    result = CliRunner().invoke(
        main, ["convert", str(PAIRS), str(tmp_path / "none"), "--to", "openai", "--output", str(tmp_path / "x.jsonl")]
    )
    assert result.exit_code == 1
    assert result.stderr.count("turnparse: note: ") == 1
    with pytest.warns(IntendedUseWarning), pytest.raises(IncompleteError):
        convert([PAIRS, tmp_path / "none"], tmp_path / "x.jsonl", to="openai")
