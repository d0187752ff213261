"""A red-team row is read with all ten fields, checked strictly, and nothing of it gets lost."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import turnparse
from strategies import JSON_VALUES, TEXT
from turnparse import ArgumentError, OptionError, RedTeamAttempt, RowError, parse, parse_red_team, read

SAMPLE = Path(turnparse.__file__).parent / "samples" / "red_team.jsonl"
MISSPELT, CARD = "task_descripton_harmlessness_score", "task_description_harmlessness_score"

NUMBERS = st.integers(-(10**6), 10**6) | st.floats(allow_nan=False, allow_infinity=False)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "min_harmlessness_score_transcript": NUMBERS,
    "num_params": st.text(),
    "model_type": st.text(),
    "rating": NUMBERS,
    "task_description": st.text(),
    CARD: NUMBERS,
    "red_team_member_id": st.integers(),
    "is_upworker": st.booleans(),
    "tags": st.lists(st.text(), max_size=6),
}
"""Each metadata field, and the values that it may have beside null."""

EXPECTED = {
    "min_harmlessness_score_transcript": "a number or null",
    "num_params": "a string or null",
    "model_type": "a string or null",
    "rating": "a number or null",
    "task_description": "a string or null",
    CARD: "a number or null",
    "red_team_member_id": "a whole number or null",
    "is_upworker": "true, false or null",
    "tags": "a list of strings or null",
}
"""What the error about each field says that it should be."""

ROWS = st.fixed_dictionaries(
    {"transcript": TEXT}, optional={name: st.none() | values for name, values in FIELDS.items()}
)
"""Rows as they should be: any text, and any of the metadata, each of its own type or null."""


def _fits(name: str, value: object) -> bool:
    """Tell whether *value* is one that the field may have, said as plainly as can be."""
    kinds: dict[str, tuple[type, ...]] = {
        "a number or null": (int, float),
        "a string or null": (str,),
        "a whole number or null": (int,),
        "true, false or null": (bool,),
    }
    if value is None:
        return True
    if name == "tags":
        return isinstance(value, list) and all(type(tag) is str for tag in value)
    return type(value) in kinds[EXPECTED[name]]


def test_an_attempt_has_the_ten_fields() -> None:
    """The fields are those of the published file, beside what is unknown and where the row came from."""
    names = [field.name for field in attrs.fields(RedTeamAttempt)]

    assert names == ["transcript", *FIELDS, "extra", "origin"]


@given(ROWS)
def test_every_field_keeps_its_value(row: dict[str, Any]) -> None:
    """Each field has the row's value, or None where the row has none; the transcript is parsed."""
    attempt = parse_red_team(row)

    assert attempt.transcript == parse(row["transcript"])
    assert str(attempt.transcript) == row["transcript"]
    assert attempt.messages() == attempt.transcript.messages()
    assert attempt.diagnostics == attempt.transcript.diagnostics
    assert attempt.metadata() == {name: row.get(name) for name in FIELDS}
    assert list(attempt.metadata()) == list(FIELDS)
    assert (attempt.extra, attempt.origin, attempt.source, attempt.line) == ({}, None, None, None)


@given(ROWS, st.dictionaries(st.text(), JSON_VALUES, max_size=3))
def test_unknown_keys_are_kept_and_are_never_an_error(row: dict[str, Any], extra: dict[str, Any]) -> None:
    """Every key that is no field stays in `extra`, whatever its value, and changes nothing else."""
    extra = {name: value for name, value in extra.items() if name not in {"transcript", MISSPELT, *FIELDS}}
    attempt = parse_red_team(extra | row)

    assert attempt.extra == extra
    assert attrs.evolve(attempt, extra={}) == parse_red_team(row)


@given(st.sampled_from(sorted(FIELDS)), JSON_VALUES)
def test_a_field_takes_its_own_type_and_no_other(name: str, value: object) -> None:
    """A value of another type is an error that names field, value and expected type; null and the right one are not."""
    row = {"transcript": "", name: value}
    if _fits(name, value):
        # A float cannot hold every int.
        expected = float(value) if isinstance(value, int) and EXPECTED[name] == "a number or null" else value
        assert parse_red_team(row).metadata()[name] == expected
        return

    with pytest.raises(RowError) as caught:
        parse_red_team(row)
    assert caught.value.code == "wrong-type"
    assert caught.value.message.startswith(f"expected {name} to be {EXPECTED[name]}, found ")


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("rating", "4", "the string '4'"),
        ("rating", True, "the boolean True"),
        ("rating", [4], "a list [4]"),
        ("num_params", 52, "the number 52"),
        ("model_type", False, "the boolean False"),
        ("task_description", {"a": 1}, "an object {'a': 1}"),
        ("red_team_member_id", True, "the boolean True"),
        ("red_team_member_id", 1.0, "the number 1.0"),
        ("red_team_member_id", "12", "the string '12'"),
        ("is_upworker", 1, "the number 1"),
        ("is_upworker", "true", "the string 'true'"),
        ("tags", "food", "the string 'food'"),
        ("tags", ["food", 1], "a list ['food', 1]"),
        ("tags", {"food": 1}, "an object {'food': 1}"),
        ("transcript", None, "null"),
        ("transcript", 5, "the number 5"),
    ],
)
def test_an_error_shows_the_value_that_it_found(name: str, value: object, found: str) -> None:
    """The error says what was found, by its kind in JSON and, where that is short, its value."""
    with pytest.raises(RowError) as caught:
        parse_red_team({"transcript": "", name: value})

    assert caught.value.message.endswith(f", found {found}")


@pytest.mark.parametrize("name", sorted(name for name, kind in EXPECTED.items() if kind == "a number or null"))
def test_an_int_serves_as_a_float(name: str) -> None:
    """JSON writes 4.0 as 4 now and then: an int is taken for a float, and becomes one."""
    value = parse_red_team({"transcript": "", name: 4}).metadata()[name]

    assert (value, type(value)) == (4.0, float)


def test_a_number_too_large_for_a_float_is_a_clear_error() -> None:
    """An int that no float can hold is refused by name, value and expected type, as any other wrong value."""
    with pytest.raises(RowError, match="expected rating to be a number"):
        parse_red_team({"transcript": "", "rating": 10**400})


@pytest.mark.parametrize("value", [b"bytes", ("a", "tuple"), {"a", "set"}], ids=["bytes", "tuple", "set"])
def test_a_value_that_json_has_not_is_called_by_its_type(value: object) -> None:
    """A row that was not made from JSON may hold other types; they are refused, and not called numbers."""
    for row in ({"transcript": value}, {"transcript": "", "model_type": value}):
        with pytest.raises(RowError) as caught:
            parse_red_team(row)
        assert "the number" not in caught.value.message


@pytest.mark.parametrize("key", [MISSPELT, CARD])
def test_both_spellings_of_the_key_are_read(key: str) -> None:
    """The file's own spelling and the dataset card's give the same field, and neither is an extra key."""
    attempt = parse_red_team({"transcript": "", key: 1.5})

    assert (attempt.task_description_harmlessness_score, attempt.extra) == (1.5, {})
    assert attempt.metadata()[CARD] == 1.5


def test_both_spellings_may_stand_together_if_they_agree() -> None:
    """A row with both keys is read if they say the same, and refused if they do not: neither is dropped in silence."""
    assert parse_red_team({"transcript": "", MISSPELT: 1, CARD: 1.0}).task_description_harmlessness_score == 1.0
    with pytest.raises(RowError, match=f"expected {MISSPELT} and {CARD} to agree") as caught:
        parse_red_team({"transcript": "", MISSPELT: 1, CARD: 2})

    assert caught.value.code == "wrong-type"


@pytest.mark.parametrize("key", [MISSPELT, CARD])
def test_the_error_about_a_misspelt_key_can_be_found_in_the_row(key: str) -> None:
    """A wrong value under either spelling is an error that names the field and the value."""
    with pytest.raises(
        RowError, match=r"expected task_descript\w+_harmlessness_score to be a number or null, found a list"
    ):
        parse_red_team({"transcript": "", key: []})


def test_a_row_without_a_transcript_is_refused() -> None:
    """The one key that must be there is named, beside those that are."""
    for row, found in (({}, "no keys"), ({"rating": 1, "text": "x"}, "'rating', 'text'")):
        with pytest.raises(RowError, match="expected the key 'transcript'") as caught:
            parse_red_team(row)
        assert caught.value.code == "no-known-column"
        assert caught.value.message.endswith(f"found {found}")


@pytest.mark.parametrize(
    "row", [None, "x", b"x", 1, [], [("transcript", "x")], object()], ids=lambda row: type(row).__name__
)
def test_only_a_mapping_is_a_row(row: Any) -> None:
    """What is no mapping is a wrong argument, not a bad row."""
    with pytest.raises(ArgumentError, match="expected a red-team row to be a mapping"):
        parse_red_team(row)


def test_any_mapping_is_a_row() -> None:
    """A read-only view serves as well as a dict, and is not changed."""
    row = {"transcript": "\n\nHuman: Hi", "tags": ["a"], "more": 1}

    assert parse_red_team(MappingProxyType(row)) == parse_red_team(row)
    assert row == {"transcript": "\n\nHuman: Hi", "tags": ["a"], "more": 1}


def test_tags_are_a_tuple_in_the_object_and_a_list_in_its_metadata() -> None:
    """The object cannot be changed, and what is written is JSON."""
    attempt = parse_red_team({"transcript": "", "tags": ["a", "b"]})

    assert (attempt.tags, attempt.metadata()["tags"]) == (("a", "b"), ["a", "b"])


def test_an_attempt_is_frozen_and_hashable() -> None:
    """Attempts are values: equal rows give equal attempts with equal hashes, and no field can be set."""
    one, other = (parse_red_team({"transcript": "x", "rating": 1, "more": [1]}) for _ in range(2))

    assert (one, hash(one)) == (other, hash(other))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        one.rating = 2.0  # type: ignore[misc]  # what is tested


def test_advisory_codes_are_found_when_asked_for() -> None:
    """The transcript's diagnostics are structural ones, or all of them, as for any text."""
    row = {"transcript": "\n\nHuman: He said Human: hi"}

    assert "label-inside" not in {found.code for found in parse_red_team(row).diagnostics}
    assert "label-inside" in {found.code for found in parse_red_team(row, diagnostics="all").diagnostics}
    with pytest.raises(OptionError):
        parse_red_team(row, diagnostics="some")  # type: ignore[arg-type]  # what is tested


def test_the_sample_is_read_whole(tmp_path: Path) -> None:
    """The shipped array gives each of its rows, and the same rows one a line give equal attempts."""
    rows = json.loads(SAMPLE.read_bytes())
    lines = tmp_path / "lines.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    attempts = list(read(SAMPLE))
    assert attempts == [parse_red_team(row) for row in rows] == list(read(lines))
    assert [attempt.line for attempt in read(lines)] == list(range(1, len(rows) + 1))
    assert {MISSPELT, CARD} <= {key for row in rows for key in row}
    assert any("tags" not in row for row in rows)


def test_an_attempt_knows_where_it_was_read(tmp_path: Path) -> None:
    """An attempt from a file has its place there, which does not make it unequal to one from elsewhere."""
    path = tmp_path / "rows.jsonl"
    path.write_text('[\n\n{"transcript": "x"}]', encoding="utf-8")

    (attempt,) = read(path)
    assert isinstance(attempt, RedTeamAttempt)
    assert (attempt.source, attempt.line) == (str(path), 3)
    assert attempt == parse_red_team({"transcript": "x"})


@pytest.mark.parametrize("key", sorted({MISSPELT, *FIELDS}))
def test_a_named_column_is_an_attempt_if_it_has_metadata(tmp_path: Path, key: str) -> None:
    """A dialogue under another name is an attempt with any one metadata key beside it, and a plain text without."""
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"dialog": "x", key: None}) + '\n{"dialog": "x", "other": 1}\n', encoding="utf-8")

    assert list(read(path, transcript="dialog")) == [parse_red_team({"transcript": "x"}), parse("x")]


def test_a_spelling_that_is_null_does_not_count() -> None:
    """A table that has both spellings of the key has null under one of them."""
    for filled, null in ((MISSPELT, CARD), (CARD, MISSPELT)):
        row = {"transcript": "", filled: 2.5, null: None}
        assert parse_red_team(row).task_description_harmlessness_score == 2.5
