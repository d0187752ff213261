"""The dataset card: what it says is so, the Hub's own readers take it, and nobody's README.md is lost to it."""

from __future__ import annotations

import ast
import pickle
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import turnparse
from turnparse import Dialect, IncompleteError, OptionError, Summary
from turnparse._card_metadata import CardFile, as_yaml, configs, metadata, size_category
from turnparse._cli import main
from turnparse._command import command, last_name
from turnparse._sources import STDIN
from turnparse._target import targets
from turnparse._urls import redacted
from written import FORMATS, SET_ASIDE, all_in, as_lines, convert, files_in, pairs, read_back, talks

SAMPLES = Path(turnparse.__file__).parent / "samples"
HOSTILE = [
    "a*b/train.jsonl",
    "c[d]e/te?st.jsonl",
    "--- x/---.jsonl",
    "q'\"`|<b>/train.jsonl",
    "e\x1b[31m\n---\nlicense: x\n---\n/test.jsonl",
    "ü\u202e/ñ.jsonl",
    "a:b#c/train.jsonl",
    "train.jsonl",
]
"""Names of files that Markdown, YAML, a terminal, a shell, a pattern or a URL would each take for more than a name."""


def sources_in(folder: Path, *names: str) -> Path:
    """Return *folder* with a sample under each of *names*: red-team attempts if it says so, else pairs."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((SAMPLES / ("red_team.jsonl" if "red" in name else "pairs.jsonl")).read_bytes())
    return folder


def card_of(output: Path) -> str:
    """Return the card in *output*, a folder."""
    return (output / "README.md").read_text(encoding="utf-8")


def table(card: str, first: str) -> list[list[str]]:
    """Return the rows of the table in *card* whose header begins with *first*."""
    found = re.search(rf"^\| {first} \|.*\n\| --- .*\n((?:\|.*\n)*)", card, flags=re.MULTILINE)
    return [] if found is None else [row.strip("| ").split(" | ") for row in found[1].splitlines()]


# What it says.


def test_its_counts_are_those_of_the_summary(tmp_path: Path) -> None:
    """Every count of a card is the run's own: of each output, of all, by reason, by code and by relation."""
    source = sources_in(tmp_path / "in", "helpful/train.jsonl", "helpful/test.jsonl", "red/red.jsonl")
    each = [convert(source / name, tmp_path / "x.jsonl") for name in ("helpful/test.jsonl", "red/red.jsonl")]
    counts = convert(source, f"{tmp_path}/out/", card=True)
    card = card_of(tmp_path / "out")

    def told(one: Summary) -> list[str]:
        return [str(n) for n in (one.rows_in, one.rows_out, one.rows_set_aside, one.records_out)]

    rows = {row[0]: row[-4:] for row in table(card, "output")}
    assert rows["`helpful/test.jsonl`"] == rows["`helpful/train.jsonl`"] == told(each[0])
    assert rows["`red/red.jsonl`"] == told(each[1])
    assert rows["all"] == told(counts)
    meaning = r"\| `([a-z-]+)` \| (\d+) \| "
    assert {
        name: int(count) for name, count in re.findall(meaning + "[^|]*[.] \\|$", card, flags=re.MULTILINE)
    } == dict(counts.reasons)
    codes = {
        row[0].strip("`"): int(row[1])
        for row in re.findall(r"^\| (`[a-z-]+`) \| (\d+) \| [a-z-]* \| ", card, re.MULTILINE)
    }
    assert codes == dict(counts.diagnostics)
    assert {name.strip("`"): int(count) for name, count in table(card, "relation")} == dict(counts.relations)


def test_intended_use_is_told_of_the_kinds_that_are_there(tmp_path: Path) -> None:
    """Pairs and red-team attempts each bring their notice, other rows none; a format against it is not commended."""
    named = {"pair": "Preference pairs (85 rows here)", "red-team": "Red-team attempts (13 rows here)"}
    for kind, name in (("pair", "pairs.jsonl"), ("red-team", "red_team.jsonl")):
        convert(SAMPLES / name, tmp_path / "x.jsonl", to="messages", card=True)
        card = card_of(tmp_path)
        assert [other for other, told in named.items() if told in card] == [kind]
        assert "https://huggingface.co/datasets/Anthropic/hh-rlhf" in card

    convert(SAMPLES / "pairs.jsonl", tmp_path / "x.jsonl", to="openai", card=True)
    assert "do not use it for that" in card_of(tmp_path)
    assert "task_categories" not in card_of(tmp_path)

    convert(SAMPLES / "pairs.jsonl", tmp_path / "x.jsonl", card=True)
    assert "do not use it for that" not in card_of(tmp_path)
    assert "task_categories" in card_of(tmp_path)

    (tmp_path / "talks.jsonl").write_bytes(as_lines(talks(3)))
    convert(tmp_path / "talks.jsonl", tmp_path / "x.jsonl", to="openai", card=True)
    assert "Intended use" not in card_of(tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"preset": "strict", "policies": {"same-speaker": "merge", "blank-preamble": "set-aside"}, "side": "rejected"},
        {"to": "openai", "system": "It's \x1b[31m\u202e“kind”.\nBe brief.", "loss": "last-turn", "provenance": True},
        {"to": "trl-text", "keep_columns": True, "diagnostics": "all", "max_row_bytes": 300},
        {"dialect": Dialect.named().with_labels(user=["User", "Human"], assistant="Assistant")},
    ],
)
def test_its_command_makes_the_same_again(tmp_path: Path, options: dict[str, Any]) -> None:
    """The command of a card, run by a shell beside the same source, makes the same files, the card itself among them."""
    for folder in ("one", "two"):
        sources_in(tmp_path / folder, "in put/train.jsonl")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path / "one")
        convert("in put", "out/", card=True, **options)
    (line,) = re.findall(r"^```bash\n(.*)\n```$", card_of(tmp_path / "one" / "out"), flags=re.MULTILINE)
    again = shlex.quote(sys.executable) + " -m " + line
    subprocess.run(["/bin/bash", "-c", again], cwd=tmp_path / "two", check=True, capture_output=True)

    assert all_in(tmp_path / "two") == all_in(tmp_path / "one")


def test_what_a_command_cannot_ask_for_is_told_beside_it(tmp_path: Path) -> None:
    """Labels add up as a dialect's own calls do; a grammar given as text, and a target that is not registered, are told of."""
    hh = Dialect.named()
    changed = hh.with_labels(user=["Me", "Myself"], assistant="Bot").with_labels(user="You")
    assert command(["a"], "b", changed, {}) == "turnparse convert a --output b --label assistant=Bot --label user=You"
    assert pickle.loads(pickle.dumps(changed)).origin == changed.origin  # noqa: S301  # our own
    (tmp_path / "x.lark").write_text(hh.grammar)
    assert Dialect.from_file(tmp_path / "x.lark").origin == (str(tmp_path / "x.lark"),)

    target = attrs.evolve(targets()["trl"], name="mine", about="`Mine` | <b>*mine*</b>")
    dialect = Dialect.from_text(hh.grammar, name="of `mine`\n")
    convert(SAMPLES / "pairs.jsonl", tmp_path / "x.jsonl", card=True, to=target, dialect=dialect)
    card = card_of(tmp_path)
    assert "--to mine --card --dialect GRAMMAR.lark" in card
    assert "`GRAMMAR.lark` stands for the grammar `of \\x60mine\\x60\\n`" in card
    assert "The command knows the target `mine` where it is registered." in card
    assert r"[\`Mine\` \| \<b\>\*mine\*\</b\>]" in card


@pytest.mark.parametrize(("ending", "loader"), [("jsonl.gz", "json"), ("parquet", "parquet"), ("arrow", "arrow")])
def test_a_single_file_is_loaded_by_its_path_and_format(tmp_path: Path, ending: str, loader: str) -> None:
    """The snippet for one file names its folder and its format, and is Python whatever the file is called."""
    folder = tmp_path / "in" / "deep er"
    folder.mkdir(parents=True)
    (folder / 'a "b"\x1b.jsonl').write_bytes((SAMPLES / "pairs.jsonl").read_bytes())
    convert(tmp_path / "in", f"{tmp_path / 'out'}/", card=True, format=ending)
    snippet = next(line for line in card_of(tmp_path / "out").splitlines() if f'load_dataset("{loader}"' in line)
    (call,) = [node for node in ast.walk(ast.parse(snippet)) if isinstance(node, ast.Call)]

    assert {word.arg: ast.literal_eval(word.value) for word in call.keywords}[
        "data_files"
    ] == f'deep er/a "b"\x1b.{ending}'


def test_files_that_are_not_in_the_default_part_are_told_of(tmp_path: Path) -> None:
    """Where files of other columns have parts of their own, the card says that the default is not all."""
    (tmp_path / "in").mkdir()
    for name in ("pairs", "red_team"):
        (tmp_path / "in" / f"{name}.jsonl").write_bytes((SAMPLES / f"{name}.jsonl").read_bytes())
    convert(tmp_path / "in", f"{tmp_path / 'out'}/", to="messages", card=True)

    assert "Without one it loads those 1 of 2 files that have the same columns." in card_of(tmp_path / "out")


def test_what_is_nobodys_business_is_left_out() -> None:
    """Of URLs neither credentials nor what may be a key are shown, and of an output only its last name."""
    assert redacted("https://me:secret@host/a.jsonl?X-Signature=1#x") == "https://host/a.jsonl"
    assert redacted("zip://a.jsonl::s3://key:secret@bucket/a?b.zip") == "zip://a.jsonl::s3://bucket/a?b.zip"
    assert redacted("hf://datasets/a/b@main/x.jsonl") == "hf://datasets/a/b@main/x.jsonl"
    assert redacted("me@home/?.jsonl") == "me@home/?.jsonl"
    assert last_name("/home/me/out/") == "out"
    assert last_name("/home/me/out.jsonl") == "out.jsonl"
    assert last_name("./") == "output"
    line = command(["-x", "https://me:secret@host/a?k=1", STDIN], "o/", Dialect.named(), {"to": "trl"})
    assert line == "turnparse convert ./-x https://host/a - --output o/ --to trl"


# What it is beside.


def test_it_lies_beside_a_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an output that is a file the card is in the same folder, also where that is the working one."""
    convert(SAMPLES / "pairs.jsonl", tmp_path / "x.jsonl", card=True)
    monkeypatch.chdir(tmp_path)
    assert '- "x.jsonl"' in card_of(tmp_path)
    convert(SAMPLES / "pairs.jsonl", "y.jsonl", card=True)
    assert '- "y.jsonl"' in card_of(tmp_path)


def test_standard_output_has_none(tmp_path: Path) -> None:
    """A card for standard output is refused before anything is read."""
    with pytest.raises(OptionError, match="expected a file or a folder as output, for a card"):
        turnparse.convert(tmp_path / "none.jsonl", "-", card=True)


# Nobody's file is lost.


@pytest.mark.parametrize("mode", ["force", "resume"])
def test_a_card_is_written_over_only_as_it_was_written(tmp_path: Path, mode: str) -> None:
    """Without leave a card that is there is kept; with it, one that somebody has changed, in any byte of it, still is."""
    again = {"force": mode == "force", "resume": mode == "resume"}
    output = tmp_path / "out"
    source = sources_in(tmp_path / "in", "train.jsonl")
    turnparse.convert(source, f"{output}/", card=True)
    first = (output / "README.md").read_bytes()
    with pytest.raises(OptionError, match="not there yet"):
        turnparse.convert(source, output, card=True)
    convert(source, output, card=True, preset="strict", **again)
    assert (output / "README.md").read_bytes() != first

    for own in (first.replace(b"Columns:", b"columns:"), first + b"\n", first[4:], b"", b"# Mine\n", b"---\n" + first):
        (output / "README.md").write_bytes(own)
        before = all_in(tmp_path)
        with pytest.raises(OptionError, match=r"expected no README\.md, or a card as turnparse wrote it"):
            convert(source, output, card=True, **again)
        assert all_in(tmp_path) == before
    (output / "README.md").unlink()
    (output / "README.md").mkdir()
    with pytest.raises(OptionError, match=r"expected no README\.md"):
        turnparse.convert(source, output, card=True, force=True)


def test_a_link_is_refused(tmp_path: Path) -> None:
    """A README.md that is a symbolic link is no place for a card, wherever it leads."""
    (tmp_path / "README.md").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OptionError, match="found a symbolic link"):
        convert(SAMPLES / "pairs.jsonl", tmp_path / "x.jsonl", card=True)


def test_a_readme_that_comes_meanwhile_is_kept(tmp_path: Path) -> None:
    """What somebody puts there while rows are converted is kept, and the run says so."""
    path = tmp_path / "README.md"
    with pytest.raises(turnparse.OutputError, match=r"expected no README\.md"):
        convert(SAMPLES / "pairs.jsonl", tmp_path / "x.jsonl", card=True, on_bytes=lambda _: path.write_text("Mine."))
    assert path.read_text() == "Mine."


# The same from run to run.


def test_it_is_the_same_however_the_run_went(tmp_path: Path) -> None:
    """A card is the same, byte by byte, with one worker or four, and after a resumed run that did some outputs or none."""
    source = sources_in(tmp_path / "in", "a/train.jsonl", "a/test.jsonl", "red/red.jsonl")
    for name, workers in (("one", 1), ("four", 4)):
        convert(source, f"{tmp_path}/{name}/out/", card=True, to="messages", workers=workers)
    expected = all_in(tmp_path / "one")
    assert all_in(tmp_path / "four") == expected

    output = tmp_path / "four" / "out"
    for lost in (["a/test.jsonl"], ["README.md"], ["red/red.jsonl", "README.md"], []):
        for path in lost:
            (output / path).unlink()
        convert(source, output, card=True, to="messages", force=False, resume=True)
        assert all_in(tmp_path / "four") == expected


def test_outputs_that_were_not_written_are_not_told_of(tmp_path: Path) -> None:
    """Of a source that could not be read the card says nothing, and all that it says of the others holds."""
    source = sources_in(tmp_path / "in", "a.jsonl", "b.jsonl")
    (source / "b.jsonl").unlink()
    (source / "b.jsonl").symlink_to("nowhere")
    with pytest.raises(IncompleteError) as caught:
        convert(source, f"{tmp_path}/out/", card=True)
    card = card_of(tmp_path / "out")

    assert [row[0] for row in table(card, "output")] == ["`a.jsonl`"]
    assert caught.value.summary.rows_in == 85


# The metadata.


TEXTS = st.dictionaries(st.from_regex(r"k[a-z_]+", fullmatch=True), st.text(st.characters(exclude_categories=["Cs"])))


@given(TEXTS)
def test_every_text_is_one_line_of_yaml(texts: dict[str, str]) -> None:
    """Whatever stands in a text, it takes one line, in which all can be printed."""
    lines = list(as_yaml(texts))
    assert len(lines) == len(texts)
    assert all(line.isprintable() for line in lines)


@given(TEXTS)
def test_every_text_is_a_text_in_yaml(texts: dict[str, str]) -> None:
    """Whatever stands in a text, a reader of YAML has it back."""
    yaml = pytest.importorskip("yaml")
    assert (yaml.safe_load("\n".join(as_yaml(texts))) or {}) == texts


def test_nothing_is_claimed_that_is_not_known() -> None:
    """A licence and the datasets that rows are from are told where every source is on the Hub and known, and else not."""
    file = [CardFile("train.jsonl", 10)]

    def told(*sources: str) -> tuple[Any, Any]:
        found = metadata(file, sources, [], [], alike=True)
        return found.get("license"), found.get("source_datasets")

    hh = "hf://datasets/Anthropic/hh-rlhf/helpful-base/train.jsonl.gz"
    assert told(hh, hh.replace("hh-rlhf/", "hh-rlhf@main/")) == ("mit", ["Anthropic/hh-rlhf"])
    assert told("https://huggingface.co/datasets/Anthropic/hh-rlhf/resolve/main/a.jsonl") == (
        "mit",
        ["Anthropic/hh-rlhf"],
    )
    assert told(hh, "hf://datasets/some/copy/a.jsonl") == (None, ["Anthropic/hh-rlhf", "some/copy"])
    assert told(hh, "train.jsonl") == (None, ["Anthropic/hh-rlhf"])
    assert told("Anthropic/hh-rlhf/train.jsonl") == (None, None)


@pytest.mark.parametrize(
    ("records", "name"),
    [
        (0, "n<1K"),
        (999, "n<1K"),
        (1_000, "1K<n<10K"),
        (160_800, "100K<n<1M"),
        (10**12 - 1, "100B<n<1T"),
        (10**12, "n>1T"),
    ],
)
def test_size(records: int, name: str) -> None:
    """Sizes are named as the Hub names them."""
    assert size_category(records) == name


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("a/train.jsonl", "train"),
        ("test.jsonl.gz", "test"),
        ("Test-00000-of-00002.parquet", "test"),
        ("dev.trl.jsonl", "validation"),
        ("red_team_attempts.jsonl", "train"),
        ("contest.jsonl", "train"),
        ("test/1.arrow", "train"),
    ],
)
def test_splits_are_told_by_names(name: str, split: str) -> None:
    """The first word of a file's name tells its split; a name that tells of none is of the first."""
    assert CardFile(name, 1).split == split


def test_what_differs_in_columns_is_apart() -> None:
    """Files with more columns are a configuration of their own, and no part of the default one."""
    files = [CardFile("a/train.jsonl", 1), CardFile("a/red.jsonl", 1, has_more=True), CardFile("b/test.jsonl", 1)]
    found = {one["config_name"]: one["data_files"] for one in configs(files, alike=True)}

    assert list(found) == ["default", "a", "a-more", "b"]
    assert [one["path"] for one in found["default"]] == [["a/train.jsonl"], ["b/test.jsonl"]]
    assert [one["config_name"] for one in configs(files, alike=False)] == ["a", "a-more", "b"]
    same = configs([CardFile("x y/1.jsonl", 1), CardFile("x?y/1.jsonl", 1), CardFile("default/1.jsonl", 1)], alike=True)
    assert [one["config_name"] for one in same] == ["default", "x-y", "x-y-2", "default-2"]


def test_hostile_names_stay_names(tmp_path: Path) -> None:
    """Whatever files are called, a card is printable lines with one head, and names stand in spans of code alone."""
    source = sources_in(tmp_path / "in", *HOSTILE)
    convert(source, f"{tmp_path}/out/", card=True)
    lines = card_of(tmp_path / "out").splitlines()

    assert all(line.isprintable() for line in lines)
    assert [number for number, line in enumerate(lines) if line == "---"] == [0, lines.index("---", 1)]
    assert not any(line.startswith("license") for line in lines)
    rows = table(card_of(tmp_path / "out"), "output")
    assert len(rows) == len(HOSTILE) + 1
    assert all(re.fullmatch("`[^`|]+`", row[0]) and re.fullmatch("`[^`|]+`", row[1]) for row in rows[:-1])
    assert all(len(row) == 6 for row in rows)


# The Hub's own readers.


PLAIN = ["helpful-base/train.jsonl", "helpful-base/test.jsonl", "red-team-attempts/red_team.jsonl"]
LOADED = [
    *((PLAIN, "trl", ending) for ending in FORMATS),
    (PLAIN, "messages", "jsonl"),
    ([*HOSTILE, "a*b/red.jsonl", "a/left::out.jsonl"], "messages", "jsonl"),
]


@pytest.mark.parametrize(("names", "to", "ending"), LOADED)
def test_the_hub_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], to: str, ending: str
) -> None:
    """The Hub's own client takes the metadata, and `load_dataset` on the folder reads each split of each part whole."""
    for name in ("HF_HOME", "HF_DATASETS_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub, datasets = pytest.importorskip("huggingface_hub"), pytest.importorskip("datasets")
    output = tmp_path / "out"
    convert(sources_in(tmp_path / "in", *names), f"{output}/", to=to, format=ending, card=True)
    card = hub.DatasetCard.load(output / "README.md", ignore_metadata_errors=False)

    assert card.data.tags[0] == "turnparse"
    told = set()
    for config in card.data.configs:
        found = datasets.load_dataset(str(output), config["config_name"], cache_dir=str(tmp_path / "cache"))
        for split in config["data_files"]:
            paths = [output / re.sub(r"\[(.)\]", r"\1", pattern) for pattern in split["path"]]
            assert len(found[split["split"]]) == sum(len(read_back(path)) for path in paths) > 0
            told.update(paths)
        assert set(found) == {split["split"] for split in config["data_files"]}
    written = {path for path in output.rglob(f"*.{ending}") if SET_ASIDE not in path.name}
    assert told == {path for path in written if read_back(path) and "::" not in path.name}


# The command.


def test_the_command_writes_one(tmp_path: Path) -> None:
    """`--card` is the option of the call, and leaves nothing else that is different."""
    arguments = ["convert", str(SAMPLES / "pairs.jsonl"), "--output", str(tmp_path / "x.jsonl"), "--card"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    by_command = files_in(tmp_path)
    convert(SAMPLES / "pairs.jsonl", tmp_path / "x.jsonl", card=True)

    assert files_in(tmp_path) == by_command
    assert "README.md" in by_command


def test_many_sources_of_one_output(tmp_path: Path) -> None:
    """Of one output of many sources all are named, up to a number that a reader can bear."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(210):
        (folder / f"{number:03}.jsonl").write_bytes(as_lines(pairs(1, number)))
    convert(folder, tmp_path / "x.jsonl", card=True)
    ((_, sources, *counts),) = table(card_of(tmp_path), "output")

    assert sources.count("`") == 2 * 200
    assert sources.endswith("10 more")
    assert counts == ["210", "210", "0", "210"]
