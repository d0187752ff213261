from __future__ import annotations

import json
import math
import re
import shutil
import sys
import types
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

import turnparse
from strategies import ODD_ROWS, PAIR_ROWS, json_files
from turnparse import ArgumentError, OptionError, Pair, RedTeamAttempt, SourceError, Spread, Stats, Transcript
from turnparse._cli import main
from turnparse._distinct import SIZE, DistinctDigests
from turnparse._distributions import EXACT, Distribution
from turnparse._pieces import stretches
from turnparse._spreads import PERCENTILES
from turnparse._stats_formats import as_json, as_parquet, as_text, figures
from turnparse._stats_tally import LATEST_PARTING, MOST_MODELS, MOST_TAGS
from written import as_lines, pairs, talks, write_rows, zstd

Item = Pair | RedTeamAttempt | Transcript

SAMPLES = Path(turnparse.__file__).parent / "samples"
PAIRS, RED_TEAM, DAMAGED = (SAMPLES / f"{name}.jsonl" for name in ("pairs", "red_team", "damaged"))
LEAST = 1 << 10


def _spread(values: Iterable[float]) -> dict[str, float] | None:
    """Return what plain Python tells of a distribution; its percentiles are not cut down."""
    ordered = sorted(values)
    if not ordered:
        return None
    total = sum(map(Fraction, ordered), Fraction())
    percentiles = {f"p{percent}": ordered[max(1, math.ceil(Fraction(len(ordered) * percent, 100))) - 1] for percent in PERCENTILES}  # fmt: skip
    return {
        "count": len(ordered), "total": int(total) if total.denominator == 1 and abs(total) < 1 << 63 else float(total), "mean": float(total / len(ordered)), "min": ordered[0], **percentiles,
        "max": ordered[-1],
    }  # fmt: skip


def _is_near(found: Spread | None, values: Iterable[float]) -> bool:
    """Tell whether a spread is that of *values*, as far as its documentation promises."""
    expected = _spread(values)
    if found is None or expected is None:
        return found is None and expected is None
    told = {name: getattr(found, name) for name in expected}
    exact = all(told[name] == expected[name] for name in ("count", "total", "mean", "min", "max"))
    near = all(
        abs(told[name] - expected[name]) <= (0 if _is_exact(expected[name]) else abs(expected[name]) / (EXACT // 2))
        for name in expected
    )
    return exact and near


def _is_exact(value: float) -> bool:
    return float(value).is_integer() and abs(value) <= EXACT


def _items(path: Path) -> tuple[list[Item], int]:
    """Return the rows of a file that can be read, one by one, and how many cannot."""
    errors: list[turnparse.RowError] = []
    items: list[Item] = []
    try:
        items += turnparse.read(path, on_error=errors.append)
    except turnparse.DamagedError:
        # Those before it were lost with the exception, so they are read again.
        errors.clear()
        items = list(_before_damage(path, errors))
        return items, len(errors) + bool(items or errors)
    return items, len(errors)


def _before_damage(path: Path, errors: list[turnparse.RowError]) -> Iterable[Item]:
    try:
        yield from turnparse.read(path, on_error=errors.append)
    except turnparse.DamagedError:
        return


def _texts(item: Item) -> tuple[str, ...]:
    if isinstance(item, Pair):
        return str(item.chosen_transcript), str(item.rejected_transcript)
    return (str(item.transcript if isinstance(item, RedTeamAttempt) else item),)


def _prompt(item: Item) -> tuple[tuple[str, str], ...]:
    if isinstance(item, Pair):
        turns = item.shared
    else:
        turns = (item.transcript if isinstance(item, RedTeamAttempt) else item).message_turns
        turns = turns[:-1] if turns and turns[-1].role == "assistant" else turns
    return tuple((turn.role, turn.content) for turn in turns)


def _lengths(item: Item, measure: str) -> dict[str, int]:
    def length(turns: Iterable[Any]) -> int:
        return sum(1 if measure == "turns" else len(turn.content) for turn in turns)

    if isinstance(item, Pair):
        prompt, chosen, rejected = map(length, (item.shared, item.chosen, item.rejected))
        return {
            "prompt": prompt, "chosen": chosen, "rejected": rejected, "whole_chosen": prompt + chosen,
            "whole_rejected": prompt + rejected,
        }  # fmt: skip
    return {"transcript": length((item.transcript if isinstance(item, RedTeamAttempt) else item).message_turns)}


def _agrees(result: Stats, items: list[Item], unreadable: int) -> None:
    """Assert that figures are those that plain Python works out of the rows one by one."""
    both = [item for item in items if isinstance(item, Pair)]
    assert result.rows.read == result.rows.counted + result.rows.unreadable
    assert (result.rows.counted, result.rows.unreadable) == (len(items), unreadable)
    assert result.relations == dict(Counter(pair.relation for pair in both))
    codes = Counter(code for item in items for code in item.codes)
    assert {code: count for code, count in result.diagnostics.items() if code in codes} == dict(codes)
    for measure in ("turns", "characters"):
        lengths = [_lengths(item, measure) for item in items]
        for part in {part for length in lengths for part in length}:
            assert _is_near(result.lengths[measure][part], [length[part] for length in lengths if part in length])
        if not both:
            assert measure not in result.length_bias
            continue
        answers = [(length["chosen"], length["rejected"]) for length in lengths if "chosen" in length]
        bias = result.length_bias[measure]
        assert bias.chosen_longer == sum(chosen > rejected for chosen, rejected in answers)
        assert bias.rejected_longer == sum(chosen < rejected for chosen, rejected in answers)
        assert bias.equal == sum(chosen == rejected for chosen, rejected in answers)
        assert bias.chosen_longer_share == bias.chosen_longer / len(answers)
        assert _is_near(bias.difference, [chosen - rejected for chosen, rejected in answers])
        wholes = [(length["prompt"], length["whole_chosen"] + length["whole_rejected"]) for length in lengths if "prompt" in length]  # fmt: skip
        assert _is_near(result.shared_prefix[measure].pairs, [2 * prompt / whole for prompt, whole in wholes if whole])
        whole = sum(whole for _, whole in wholes)
        share = 2 * sum(prompt for prompt, _ in wholes) / whole if whole else None
        assert result.shared_prefix[measure].share == share
    turns = [len(pair.shared) + 1 for pair in both if pair.relation not in ("identical", "empty")]
    assert result.parting == dict(Counter(str(turn) if turn <= LATEST_PARTING else "later" for turn in sorted(turns)))


def _same_in(result: Stats, files: list[list[Item]]) -> None:
    """Assert that duplicates, within files and between them, are those that plain sets have."""
    for name, key in (("rows", _texts), ("prompts", _prompt)):
        found = [[value for item in items if (value := key(item)) or name == "rows"] for items in files]
        distinct = [set(values) for values in found]
        owners = Counter(value for values in distinct for value in values)
        duplicates = result.duplicates[name]
        assert duplicates.counted == sum(map(len, found))
        assert duplicates.distinct == len(owners)
        assert duplicates.repeated == sum(map(len, found)) - sum(map(len, distinct))
        assert duplicates.in_several_sources == sum(count > 1 for count in owners.values())
        assert [getattr(source, f"distinct_{name}") for source in result.sources] == list(map(len, distinct))
        elsewhere = [sum(owners[value] > 1 for value in values) for values in distinct]
        assert [getattr(source, f"{name}_elsewhere") for source in result.sources] == elsewhere


@given(data=json_files(), size=st.sampled_from([1, 16, 100, 1 << 22]))
def test_figures_of_any_file_are_those_of_its_rows_one_by_one(
    data: bytes, size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever a file holds, and however it is cut into chunks, the figures are those of plain Python."""
    path = tmp_path_factory.mktemp("stats") / "rows.jsonl"
    path.write_bytes(data)
    with mock.patch("turnparse._chunks.CHUNK", size):
        try:
            result = turnparse.stats(path)
        except SourceError:
            with pytest.raises(SourceError):
                list(turnparse.read(path, on_error=lambda _: None))
            return
    items, unreadable = _items(path)

    _agrees(result, items, unreadable)
    _same_in(result, [items])


@given(files=st.lists(PAIR_ROWS | ODD_ROWS, min_size=1, max_size=3), ending=st.sampled_from(["jsonl", "parquet", "arrow"]))  # fmt: skip
def test_figures_of_pairs_are_those_of_plain_python(
    files: list[list[tuple[str, str]]], ending: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Regular pairs and odd ones, in several files of any format, with rows that stand in several of them."""
    folder = tmp_path_factory.mktemp("stats")
    paths = []
    for number, rows in enumerate(files):
        path = folder / f"{number}.{ending}"
        sides = [*rows, *files[0][:2], *files[0][:1]] or [("\n\nHuman: q", "")]
        write_rows(path, [{"chosen": chosen, "rejected": rejected} for chosen, rejected in sides])
        paths.append(path)
    result = turnparse.stats(paths)
    read = [list(turnparse.read(path)) for path in paths]

    _agrees(result, [item for items in read for item in items], 0)
    _same_in(result, read)


WHOLE = st.lists(st.integers(-(1 << 53), 1 << 53) | st.integers(-9, 9) | st.integers(0, 1 << 13), max_size=30)
FRACTIONS = st.lists(
    st.floats(-1e288, 1e288, allow_subnormal=False)
    | st.floats(-1, 1, allow_subnormal=False)
    | st.sampled_from([0.0, -0.0, 0.1]),
    max_size=30,
)


@given(values=WHOLE | FRACTIONS, cuts=st.lists(st.integers(0, 30), max_size=3), at_once=st.sampled_from([1, 1 << 16]))
def test_distributions_are_exact_but_for_percentiles(values: list[float], cuts: list[int], at_once: int) -> None:
    """However values are cut, counted and put together: all is exact, percentiles to within one part in 2,048."""
    kind: Any = np.int64 if all(isinstance(value, int) for value in values) else np.float64
    edges = [0, *sorted(cuts), len(values)]
    total = Distribution()
    with mock.patch("turnparse._distributions.AT_ONCE", at_once):
        for begin, end in pairwise(edges):
            some = Distribution()
            some.take(np.array(values[begin:end], kind))
            total.add(some)

    assert _is_near(total.spread(), values)


def test_what_is_no_number_does_not_count() -> None:
    """NaN, the infinities, and what would bring a sum there, are no part of a distribution."""
    distribution = Distribution()
    distribution.take(np.array([np.nan, np.inf, -np.inf, 1e308, 2.5]))

    assert _is_near(distribution.spread(), [2.5])


DIGEST_LISTS = st.lists(
    st.lists(
        st.binary(min_size=SIZE, max_size=SIZE)
        | st.sampled_from([bytes(SIZE), b"\0" * 15 + b"\1", b"\1" + b"\0" * 15, b"\xff" * SIZE, *(bytes([n]) * SIZE for n in range(9))]),
        max_size=40,
    ),
    min_size=1,
    max_size=5,
)  # fmt: skip


@given(
    files=DIGEST_LISTS,
    memory=st.sampled_from([16, 64, 200, 1 << 30]),
    step=st.integers(1, 9),
    groups=st.lists(st.integers(-1, 1), min_size=5, max_size=5),
    forgotten=st.integers(-1, 4),
)
@settings(max_examples=200)
def test_distinct_digests_are_those_of_plain_sets(
    files: list[list[bytes]], memory: int, step: int, groups: list[int], forgotten: int
) -> None:
    """With next to no memory or plenty of it, on disk or not: counts are exact, also of sources that are forgotten."""
    with DistinctDigests(memory) as digests:
        for number, found in enumerate(files):
            for at in range(0, len(found), step):
                digests.add(number, b"".join(found[at : at + step]))
            if number == forgotten:
                digests.forget(number)
        told = digests.overlaps(len(files), groups[: len(files)], 2)
    sets = [set[bytes]() if number == forgotten else set(found) for number, found in enumerate(files)]
    owners = Counter(digest for one in sets for digest in one)
    groups_of = [
        {digest for one, group in zip(sets, groups, strict=False) if group == wanted for digest in one}
        for wanted in (0, 1)
    ]

    assert (told.distinct, told.several) == (len(owners), sum(count > 1 for count in owners.values()))
    assert told.by_source.tolist() == [len(one) for one in sets]
    assert told.elsewhere.tolist() == [sum(owners[digest] > 1 for digest in one) for one in sets]
    assert told.groups.tolist() == [[len(one & other) for other in groups_of] for one in groups_of]


def test_memory_is_kept_to_by_what_is_held() -> None:
    """What is repeated takes no room, and past half of the memory nothing is held: it is on disk."""
    with DistinctDigests(1 << 12) as digests:
        for _ in range(100):
            digests.add(0, bytes(SIZE) * 1000)
        assert (digests.held, digests.spilt) == (SIZE, 0)
        digests.add(0, np.arange(4000, dtype=np.uint64).tobytes())

        assert (digests.held, digests.spilt) == (0, 2001)
        assert digests.overlaps(1, [-1], 0).distinct == 2001


def test_little_memory_changes_no_figure(tmp_path: Path) -> None:
    """With digests on disk the figures are the same as without."""
    write_rows(tmp_path / "train.jsonl", pairs(300))
    write_rows(tmp_path / "test.jsonl", [*pairs(200, 250), *pairs(3, 250)])
    paths = [tmp_path / "train.jsonl", tmp_path / "test.jsonl"]
    result = turnparse.stats(paths, memory=LEAST)

    assert result == turnparse.stats(paths)
    assert result.overlap["rows"] == {"train": {"train": 300, "test": 50}, "test": {"train": 50, "test": 200}}
    assert result.duplicates["rows"].repeated == 3
    assert [source.split for source in result.sources] == ["train", "test"]


def test_digests_that_cannot_be_spilled_are_told_of(tmp_path: Path) -> None:
    """A full disk ends in an error that says what could not be written."""
    write_rows(tmp_path / "rows.jsonl", pairs(300))
    full = mock.Mock(write=mock.Mock(side_effect=OSError(28, "No space left on device")))
    with (
        mock.patch("tempfile.TemporaryFile", return_value=full),
        pytest.raises(turnparse.OutputError, match="expected to write digests to disk, found: No space left"),
    ):
        turnparse.stats(tmp_path / "rows.jsonl", memory=LEAST)


def test_splits_are_told_by_names_alone(tmp_path: Path) -> None:
    """A file whose name tells no split is no part of the overlap; with one split there is none."""
    for name in ("train", "other"):
        write_rows(tmp_path / f"{name}.jsonl", pairs(3))
    result = turnparse.stats(tmp_path)

    assert result.overlap == {}
    assert {source.source.rpartition("/")[2]: source.split for source in result.sources} == {"train.jsonl": "train", "other.jsonl": None}  # fmt: skip
    assert [source.rows_elsewhere for source in result.sources] == [3, 3]


def test_one_prompt_is_the_same_in_pairs_and_attempts(tmp_path: Path) -> None:
    """What comes before the last answer is a prompt, whatever kind of row it stands in; the texts need not be the same."""
    write_rows(tmp_path / "a.jsonl", pairs(2))
    write_rows(tmp_path / "b.jsonl", talks(1))
    write_rows(tmp_path / "c.jsonl", [{"transcript": f"{row['text']}  "} for row in talks(1)])
    result = turnparse.stats(tmp_path)

    assert (result.duplicates["prompts"].distinct, result.duplicates["prompts"].in_several_sources) == (1, 1)
    assert (result.duplicates["rows"].distinct, result.duplicates["rows"].in_several_sources) == (4, 0)
    assert result.kinds == {"pair": 2, "red-team": 1, "transcript": 1}


def test_sides_are_not_the_same_if_they_are_cut_elsewhere(tmp_path: Path) -> None:
    """Rows whose texts are the same one behind the other, but end elsewhere, differ; so do a pair and one text."""
    rows = [{"chosen": "ab", "rejected": "c"}, {"chosen": "a", "rejected": "bc"}, {"chosen": "abc", "rejected": ""}, {"text": "abc"}]  # fmt: skip
    write_rows(tmp_path / "rows.jsonl", rows)

    assert turnparse.stats(tmp_path / "rows.jsonl").duplicates["rows"].distinct == 4


ATTEMPTS = st.lists(
    st.fixed_dictionaries(
        {"transcript": st.sampled_from(["\n\nHuman: q\n\nAssistant: a", "\n\nHuman: q", "", "\n\nHuman: q\n\nAssistant: "])},
        optional={
            "model_type": st.sampled_from(["rlhf", "plain lm", "\x1b[31m", None]),
            "rating": st.none() | st.sampled_from([0, 0.5, 4]) | st.floats(-9, 9, allow_subnormal=False),
            "min_harmlessness_score_transcript": st.none() | st.floats(-9, 9, allow_subnormal=False),
            "tags": st.none() | st.lists(st.sampled_from(["a", "b", "a b", "\x07"]), max_size=3),
        },
    ),
    min_size=1,
    max_size=12,
)  # fmt: skip


@given(rows=ATTEMPTS, ending=st.sampled_from(["jsonl", "parquet"]))
def test_attempts_are_counted_by_the_type_of_model(
    rows: list[dict[str, Any]], ending: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Ratings, scores and tags of each type are those that plain Python finds; a tag that stands twice counts once."""
    path = tmp_path_factory.mktemp("stats") / f"rows.{ending}"
    write_rows(path, rows)
    items = [item for item in turnparse.read(path) if isinstance(item, RedTeamAttempt)]
    found = {model.model_type: model for model in turnparse.stats(path).red_team}

    assert len(items) == len(rows)
    assert set(found) == {None if item.model_type is None else item.model_type.replace("\x1b", "\\x1b") for item in items}  # fmt: skip
    for name, model in found.items():
        own = [item for item in items if (item.model_type and item.model_type.replace("\x1b", "\\x1b")) == name]
        assert (model.rows, model.pooled, model.more_tags) == (len(own), False, 0)
        assert _is_near(model.rating, [item.rating for item in own if item.rating is not None])
        scores = [item.min_harmlessness_score_transcript for item in own]
        assert _is_near(model.min_harmlessness_score_transcript, [score for score in scores if score is not None])
        assert model.tagged == sum(bool(item.tags) for item in own)
        tags = Counter(tag.replace("\x07", "\\x07") for item in own for tag in set(item.tags or ()))
        assert model.tags == dict(tags)
        assert list(model.tags.values()) == sorted(tags.values(), reverse=True)


def test_types_and_tags_without_end_are_pooled(tmp_path: Path) -> None:
    """Beyond a hundred types, and a thousand tags, the rest is counted together: hostile data take no more memory."""
    text = "\n\nHuman: q\n\nAssistant: a"
    many = [{"transcript": text, "model_type": f"m{n}", "tags": []} for n in range(MOST_MODELS + 5)]
    tagged = [{"transcript": text, "model_type": "m0", "tags": [f"t{n}"]} for n in range(MOST_TAGS + 7)]
    write_rows(tmp_path / "a.jsonl", many)
    write_rows(tmp_path / "b.jsonl", tagged)
    *models, more = turnparse.stats([tmp_path / "a.jsonl", tmp_path / "b.jsonl"]).red_team

    assert (len(models), more.pooled, more.rows) == (MOST_MODELS, True, 5)
    assert (models[0].model_type, len(models[0].tags), models[0].more_tags) == ("m0", MOST_TAGS, 7)


def test_a_source_that_proves_damaged_is_counted_up_to_there(tmp_path: Path) -> None:
    """Rows before the damage count, the rest is one unreadable row, and the failure is told."""
    packed = zstd(as_lines(pairs(4000)))
    (tmp_path / "cut.jsonl.zst").write_bytes(zstd(as_lines(pairs(10))) + packed[: len(packed) // 2])
    result = turnparse.stats(tmp_path / "cut.jsonl.zst")

    assert result.rows.unreadable == 1
    assert result.rows.read == result.rows.counted + 1 > 10
    assert result.diagnostics["source-damaged"] == 1
    assert len(result.failures) == 1
    assert result.sources[0].rows == result.rows.read


def test_a_source_that_fails_is_not_counted(tmp_path: Path) -> None:
    """Where a read fails though nothing need be wrong with the file, nothing of it counts, and the others do."""
    for name in ("a", "b"):
        write_rows(tmp_path / f"{name}.jsonl", pairs(5))

    def failing(path: str, *arguments: Any) -> Any:
        yield from stretches(path, *arguments)
        if path.endswith("a.jsonl"):
            raise turnparse.FaultError("expected to read on, found an error", source=path)

    with mock.patch("turnparse._stats_tally.stretches", failing):
        result = turnparse.stats(tmp_path)

    assert (result.rows.read, len(result.failures)) == (5, 1)
    assert [(source.rows, source.distinct_rows, source.rows_elsewhere) for source in result.sources] == [(0, 0, 0), (5, 5, 0)]  # fmt: skip


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    """If no source can be read, that is raised rather than told in figures."""
    with pytest.raises(SourceError):
        turnparse.stats(tmp_path / "missing.jsonl")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"memory": "1G"}, ArgumentError, "expected memory to be an int, found str"),
        ({"memory": True}, ArgumentError, "expected memory to be an int, found bool"),
        ({"memory": 1}, OptionError, "expected memory to be at least 1,024 bytes, found 1"),
        ({"tokenizer": 1}, ArgumentError, "expected the tokenizer to be a path, found int"),
        ({"on_bytes": 1}, ArgumentError, "expected on_bytes to be callable, found int"),
        ({"dialect": "nobody"}, turnparse.DialectError, "nobody"),
    ],
)
def test_mistakes_in_the_call_are_told(options: dict[str, Any], error: type[Exception], message: str) -> None:
    """Each names what was expected and what was found."""
    with pytest.raises(error, match=re.escape(message)):
        turnparse.stats(PAIRS, **options)


class _Words:
    """A tokenizer that takes words for tokens, and adds one where it is let."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    @classmethod
    def from_file(cls, path: str) -> _Words:
        if "bad" in path:
            raise ValueError("no tokenizer\x1b")
        return cls()

    def no_truncation(self) -> None:
        self.calls.append("no_truncation")

    def no_padding(self) -> None:
        self.calls.append("no_padding")

    def encode_batch(self, texts: list[str], *, add_special_tokens: bool) -> list[types.SimpleNamespace]:
        assert self.calls == ["no_truncation", "no_padding"]
        assert not add_special_tokens
        return [types.SimpleNamespace(ids=text.split()) for text in texts]


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put stand-ins in the place of tokenizers and transformers, which the tests do not install."""

    def from_pretrained(name: str, *, local_files_only: bool) -> Any:
        assert local_files_only
        if name == "nobody":
            raise OSError("not there\x1b")
        return lambda texts, **_: {"input_ids": [text.split() for text in texts]}

    tokenizers, transformers = types.ModuleType("tokenizers"), types.ModuleType("transformers")
    vars(tokenizers)["Tokenizer"] = _Words
    vars(transformers)["AutoTokenizer"] = types.SimpleNamespace(from_pretrained=from_pretrained)
    monkeypatch.setitem(sys.modules, "tokenizers", tokenizers)
    monkeypatch.setitem(sys.modules, "transformers", transformers)


@pytest.mark.usefixtures("packages")
def test_tokens_are_counted_where_a_tokenizer_is_named(tmp_path: Path) -> None:
    """By a file, by its folder, or by a name: the tokens of each message alone, beside turns and characters."""
    (tmp_path / "tokenizer.json").write_text("{}")
    expected = [
        sum(len(turn.content.split()) for turn in pair.chosen)
        for pair in turnparse.read(PAIRS)
        if isinstance(pair, Pair)
    ]
    for tokenizer in (tmp_path / "tokenizer.json", tmp_path, "words"):
        result = turnparse.stats(PAIRS, tokenizer=tokenizer)

        assert list(result.lengths) == ["turns", "characters", "tokens"]
        assert _is_near(result.lengths["tokens"]["chosen"], expected)
        assert set(result.length_bias) == set(result.shared_prefix) == set(result.lengths)


@pytest.mark.usefixtures("packages")
def test_a_tokenizer_that_cannot_be_had_is_told_of(tmp_path: Path) -> None:
    """A file that is none, and a name that is not on this machine, end in a message fit for a terminal."""
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(OptionError, match=re.escape("found: no tokenizer\\x1b") + "|" + re.escape("no tokenizer\\x1b")):
        turnparse.stats(PAIRS, tokenizer=tmp_path / "bad.json")
    with pytest.raises(OptionError, match=r"found none of the name 'nobody': not there\\x1b; name a tokenizer.json"):
        turnparse.stats(PAIRS, tokenizer="nobody")


def test_packages_of_tokenizers_are_asked_for_when_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where what reads a tokenizer is not installed, the message says what to install, or to do without."""
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    monkeypatch.setitem(sys.modules, "transformers", None)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(OptionError, match=r"install it with `pip install tokenizers`, or leave --tokenizer out"):
        turnparse.stats(PAIRS, tokenizer=tmp_path)
    with pytest.raises(OptionError, match=r"install it with `pip install transformers`, or leave --tokenizer out"):
        turnparse.stats(PAIRS, tokenizer="gpt2")


def _flat(value: Any, path: tuple[str, ...] = ()) -> Iterable[tuple[tuple[str, ...], Any]]:
    """Yield the leaves of JSON but for what names members of lists, and nulls."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _flat(inner, (*path, str(number)))
    elif value is not None and path[-1] not in ("source", "model_type", "pooled"):
        yield path, value


@pytest.fixture(scope="module")
def all_samples(tmp_path_factory: pytest.TempPathFactory) -> Stats:
    """Return the figures of all samples, some of them twice, so that each section has something in it."""
    folder = tmp_path_factory.mktemp("samples")
    for name in ("train", "test"):
        shutil.copy(PAIRS, folder / f"{name}.jsonl")
    return turnparse.stats([folder, RED_TEAM, DAMAGED])


def test_all_formats_tell_the_same(all_samples: Stats, tmp_path: Path) -> None:
    """JSON, Parquet and text have the same figures, in the same order."""
    from_json = [value for _, value in _flat(json.loads(as_json(all_samples)))]
    (tmp_path / "x.parquet").write_bytes(as_parquet(all_samples))
    rows = pq.read_table(tmp_path / "x.parquet").to_pylist()
    text = as_text(all_samples)

    assert json.loads(as_json(all_samples)) == all_samples.as_dict()
    assert [row["value"] if row["text"] is None else row["text"] for row in rows] == from_json
    assert len({(row["section"], row["of"], row["figure"]) for row in rows}) == len(rows)
    for figure in figures(all_samples):
        if figure.section == "failures":
            continue
        shown = figure.value if isinstance(figure.value, str) else f"{figure.value:,}" if isinstance(figure.value, int) else None  # fmt: skip
        assert figure.name in text
        assert figure.of in text
        assert shown is None or shown in text


def test_a_table_of_the_text_holds_the_figures_of_json(all_samples: Stats) -> None:
    """Below the heads of its columns each figure stands in the line of what it is of."""
    lines = as_text(all_samples).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("lengths"))
    head = lines[at].split()[1:]
    rows = {tuple(line.split()[:2]): line.split()[2:] for line in lines[at + 1 : lines.index("", at)]}
    lengths = all_samples.as_dict()["lengths"]

    assert set(rows) == {(measure, part) for measure in lengths for part in lengths[measure]}
    for (measure, part), cells in rows.items():
        told = dict(zip(head, cells, strict=True))
        assert all(float(told[name].replace(",", "")) == pytest.approx(value, rel=0.005) for name, value in lengths[measure][part].items())  # fmt: skip


def test_text_tells_of_the_first_and_says_of_how_many_more(tmp_path: Path) -> None:
    """Of many sources, types and tags the text is no endless list."""
    row: dict[str, Any] = {"transcript": "\n\nHuman: q", "tags": [f"t{number:02}" for number in range(25)]}
    for number in range(25):
        write_rows(tmp_path / f"{number:02}.jsonl", [row | {"model_type": f"m{number:02}"}])
        row["tags"] = []
    text = as_text(turnparse.stats(tmp_path))

    assert "and 5 sources more, of which JSON and Parquet tell" in text
    assert "and 5 types of models more, of which JSON and Parquet tell" in text
    for name in ("{:02}.jsonl ", "\nm{:02} ", " t{:02} 1"):
        assert [name.format(number) in text for number in range(25)] == [True] * 20 + [False] * 5


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["stats", *map(str, arguments)])


def test_the_command_prints_figures(tmp_path: Path) -> None:
    """As text, as JSON, or to a file whose ending tells the format; there it replaces nothing unless it may."""
    result = turnparse.stats([PAIRS, RED_TEAM])
    for arguments, expected in [((), as_text(result)), (("--format", "json"), as_json(result))]:
        done = _run(PAIRS, RED_TEAM, *arguments)
        assert (done.exit_code, done.stdout, done.stderr) == (0, expected, "")
    for ending in ("json", "parquet", "txt"):
        file = tmp_path / f"figures.{ending}"
        assert _run(PAIRS, RED_TEAM, "-o", file).exit_code == 0
        made = {"json": as_json(result).encode(), "parquet": as_parquet(result), "txt": as_text(result).encode()}[
            ending
        ]
        assert file.read_bytes() == made
        taken = _run(PAIRS, "-o", file)
        assert (taken.exit_code, file.read_bytes()) == (1, made)
        assert "--force" in taken.stderr
        assert _run(PAIRS, "-o", file, "--force").exit_code == 0
        assert file.read_bytes() != made


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "parquet"], "expected a file for --format parquet, found none: name it with --output"),
        (["--memory", "much"], "expected a number of bytes, as in 512M or 2G, found 'much'"),
        (["--memory", "1"], "expected at least 1,024 bytes, found '1'"),
        (["--memory", "2K", "--tokenizer", "/dev/null"], "expected"),
    ],
)
def test_bad_usage_is_exit_code_2(arguments: list[str], message: str) -> None:
    """What cannot be is told before anything is read."""
    done = _run(PAIRS, *arguments)

    assert done.exit_code == 2
    assert message in done.stderr


def test_a_source_that_cannot_be_read_to_its_end_is_exit_code_1(tmp_path: Path) -> None:
    """The figures of all else are printed, and the failure is told."""
    done = _run(PAIRS, tmp_path / "missing.jsonl", "--memory", "2MiB")

    assert done.exit_code == 1
    assert "rows: read 85" in done.stdout
    assert "missing.jsonl" in done.stderr


def test_nothing_of_the_data_is_printed(tmp_path: Path) -> None:
    """No text of a row is in the figures, in any format; types and tags are, with what would command a terminal escaped."""
    unseen = "xyzzy"
    rows = [{"transcript": f"\n\nHuman: {unseen}\n\nAssistant: {unseen}", "task_description": unseen, "model_type": "\x1b[2J", "tags": ["\x07" * 90], unseen: 1}]  # fmt: skip
    write_rows(tmp_path / "rows.jsonl", rows)
    result = turnparse.stats(tmp_path / "rows.jsonl")
    made = as_text(result) + as_json(result) + repr(result)

    assert unseen not in made
    assert unseen.encode() not in as_parquet(result)
    assert made.replace("\n", "").isprintable()
    assert "\\x1b[2J" in made
