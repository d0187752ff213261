"""A corpus of bad inputs: each file in `bad_inputs` has its outcome beside it, and every reader must come to it.

What is counted is counted here, in plain Python, from the files that were written.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import attrs
import pytest
from click.testing import CliRunner

import turnparse
from turnparse import DamagedError, IncompleteError, RowError, SourceError
from turnparse._chunk_columns import ChunkReader
from turnparse._cli import main
from written import convert, files_in, read_back, set_aside, zstd

FOLDER = Path(__file__).parent / "bad_inputs"
README = FOLDER.parents[1] / "README.md"
EXPECTED = ".expected.json"
EXITS = {type(None): 0, IncompleteError: 1, SourceError: 2, DamagedError: 2}


@attrs.frozen
class Case:
    """One bad input and its outcome.

    Attributes:
        path: the file.
        rows_in: rows, of which damage is one.
        rows_out: rows to be written.
        set_aside: the line and the codes of each of the others.
        blank_lines: lines of white space.
        exit: the exit code of the command.
        to: the target.
        lines: whether the file is plain text in lines, and stays the same with other line ends.
    """

    path: Path
    rows_in: int
    rows_out: int
    set_aside: list[dict[str, Any]]
    blank_lines: int
    exit: int
    to: str
    lines: bool

    @property
    def zips(self) -> bool:
        """Whether the file may be zipped: it is not zipped yet, and no table."""
        return not self.path.read_bytes().startswith(
            (b"\x1f\x8b", b"(\xb5/\xfd", b"P*M", b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")
        )


def _cases() -> list[Case]:
    found = []
    for expected in sorted(FOLDER.glob(f"*{EXPECTED}")):
        name = expected.name.removesuffix(EXPECTED)
        (path,) = (path for path in FOLDER.glob(f"{name}.*") if path != expected)
        found.append(Case(path, **json.loads(expected.read_text())))
    return found


CASES = _cases()


def _each(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.path.name)


EACH = _each(CASES)


class Outcome(NamedTuple):
    """What became of a file: the rows of both outputs, as they were read back, the counts and the exit code."""

    written: list[dict[str, Any]]
    aside: list[dict[str, Any]]
    summary: dict[str, Any]
    exit: int


def _converted(source: Path, output: Path, **options: Any) -> Outcome:
    """Convert *source* and read back what was written; there must be no other file than the two outputs."""
    failed: Any = None
    summary: dict[str, Any] = {}
    try:
        summary = convert(source, output, **options).as_dict()
    except IncompleteError as error:
        failed, summary = error, error.summary.as_dict()
    except SourceError as error:
        failed = error
    assert "\x1b" not in str(failed)
    assert len(str(failed)) < 1000
    written = read_back(output) if output.exists() else []
    aside = set_aside(output)
    assert not any(name.endswith(".part") for name in files_in(output.parent))
    return Outcome(written, aside, summary, EXITS[type(failed)])


def _check(case: Case, found: Outcome, *, at: int = 0) -> None:
    """Assert that *found* is what *case* expects; if *at* is not 0, its lines are all this one."""
    lines = [{"line": row["line"], "codes": row["codes"]} for row in found.aside]
    expected = [row | {"line": row["line"] and (at or row["line"])} for row in case.set_aside]

    assert lines == expected
    assert (len(found.written), found.exit) == (case.rows_out, case.exit)
    assert case.rows_in == len(found.written) + len(found.aside)
    if case.exit != 2:
        counts = ("rows_in", "rows_out", "rows_set_aside", "blank_lines")
        assert [found.summary[name] for name in counts] == [
            case.rows_in,
            case.rows_out,
            len(case.set_aside),
            case.blank_lines,
        ]
    for row in found.aside:
        assert len(row["message"]) <= 400
        assert row["message"].isprintable()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for the outputs of all cases."""
    return tmp_path_factory.mktemp("bad")


@contextmanager
def _in(folder: Path, name: str, data: bytes) -> Iterator[tuple[Path, Path]]:
    """Give a file in *folder* that holds *data*, and an empty folder for outputs."""
    source, outputs = folder / name, folder / "out"
    source.write_bytes(data)
    outputs.mkdir()
    try:
        yield source, outputs
    finally:
        for path in [*outputs.iterdir(), source]:
            path.unlink()
        outputs.rmdir()


def test_the_corpus_is_as_large_as_promised() -> None:
    """There are at least 150 cases, every file has its outcome beside it, and none is large."""
    names = {path.name for path in FOLDER.iterdir()} - {"README.md"}

    assert len(CASES) >= 150
    assert names == {case.path.name for case in CASES} | {case.path.name.split(".")[0] + EXPECTED for case in CASES}
    assert max(case.path.stat().st_size for case in CASES) < 32_000


@EACH
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_bad_input_has_its_outcome(folder: Path, case: Case, ending: str) -> None:
    """Rows in, rows out, and each row set aside with its line and codes are as expected, whatever is written."""
    with _in(folder, case.path.name, case.path.read_bytes()) as (source, outputs):
        first = _converted(source, outputs / f"out.{ending}", to=case.to, workers=1)
        _check(case, first)
        for path in outputs.iterdir():
            path.unlink()
        assert _converted(source, outputs / f"out.{ending}", to=case.to, workers=4) == first


@EACH
def test_a_bad_input_is_the_same_however_it_is_read(folder: Path, case: Case) -> None:
    """A clean chunk and a re-read one, small chunks and large ones, come to the same."""
    with _in(folder, case.path.name, case.path.read_bytes()) as (source, outputs):
        output = outputs / "out.jsonl"
        expected = _converted(source, output, to=case.to), files_in(outputs)
        with mock.patch.object(ChunkReader, "_at_once", return_value=None):
            assert (_converted(source, output, to=case.to), files_in(outputs)) == expected
        for size in (16, 100):
            with mock.patch("turnparse._chunks.CHUNK", size):
                assert (_converted(source, output, to=case.to, workers=2), files_in(outputs)) == expected


@_each([case for case in CASES if case.zips])
@pytest.mark.parametrize("zip_up", [gzip.compress, zstd])
def test_a_bad_input_is_the_same_when_it_is_zipped(folder: Path, case: Case, zip_up: Callable[[bytes], bytes]) -> None:
    """Rows of JSON are the same in a zipped file and a plain one."""
    with _in(folder, "in", zip_up(case.path.read_bytes())) as (source, outputs):
        _check(case, _converted(source, outputs / "out.jsonl", to=case.to))


@_each([case for case in CASES if case.lines])
def test_a_bad_input_is_the_same_with_other_line_ends(folder: Path, case: Case) -> None:
    """Rows of JSON lines are the same with a carriage return before each line feed."""
    data = re.sub(rb"(?<!\r)\n", b"\r\n", case.path.read_bytes())
    with _in(folder, "in", data) as (source, outputs):
        _check(case, _converted(source, outputs / "out.jsonl", to=case.to))


@EACH
def test_a_bad_input_is_read_row_by_row(case: Case) -> None:
    """`read` gives as many rows, or more, since it knows no policies, and each error has its code, file and line."""
    errors: list[RowError] = []
    rows: list[Any] = []
    damage: list[DamagedError] = []
    try:
        rows.extend(turnparse.read(case.path, on_error=errors.append))
    except DamagedError as error:
        damage = [error] if rows or errors else []
    except SourceError:
        assert case.exit == 2
    unread = {"bad-json", "not-an-object", "no-known-column", "duplicate-key", "wrong-type"}
    expected = [(row["line"], row["codes"][0]) for row in case.set_aside if row["codes"][0] in unread]

    assert [(error.line, error.code) for error in errors] == expected
    assert {error.source for error in [*errors, *damage]} <= {str(case.path)}
    assert all(error.offset <= case.path.stat().st_size for error in damage)
    assert len(rows) + len(errors) + len(damage) == case.rows_in


@EACH
def test_the_command_tells_of_a_bad_input(folder: Path, case: Case) -> None:
    """The command has the exit code that is expected, says something, and never shows a traceback."""
    with _in(folder, "in", case.path.read_bytes()) as (source, outputs):
        done = CliRunner().invoke(
            main, ["convert", str(source), "--to", case.to, "-o", str(outputs / "out.jsonl"), "--force"]
        )

    assert (done.exit_code, done.exc_info is None or done.exc_info[0] is SystemExit) == (case.exit, True)
    assert "Traceback" not in done.output
    assert ("turnparse: " in done.output) == bool(case.exit)


# What is too large to be kept as a file.


def _deep(opening: bytes, closing: bytes) -> bytes:
    return b'{"x": ' + opening * 100_000 + b"1" + closing * 100_000 + b", " + GOOD[1:]


GOOD = json.dumps({"chosen": "\n\nHuman: Hi\n\nAssistant: Ho.", "rejected": "\n\nHuman: Hi\n\nAssistant: No."}).encode()
HUGE = {
    "lists": (_deep(b"[", b"]"), ["bad-json"]),
    "objects": (_deep(b'{"a":', b"}"), ["bad-json"]),
    "lists-without-an-end": (b"[" * 100_000, ["bad-json"]),
    "objects-without-an-end": (b'{"a":' * 100_000, ["bad-json"]),
    "closing-brackets": (b"]" * 100_000, ["bad-json"]),
    "digits": (b'{"x": ' + b"1" * 100_000 + b", " + GOOD[1:], []),
    "digits-for-text": (b'{"chosen": ' + b"1" * 100_000 + b', "rejected": "a"}', ["wrong-type"]),
    "digits-of-an-exponent": (b'{"x": 1e' + b"9" * 100_000 + b", " + GOOD[1:], []),
    "backslashes": (b'{"x": "' + b"\\" * 100_001 + b'", ' + GOOD[1:], ["bad-json"]),
    "keys": (b"{" + b"".join(b'"k%d": 1, ' % n for n in range(2_000)) + GOOD[1:], []),
    "keys-all-the-same": (b"{" + b'"k": 1, ' * 20_000 + GOOD[1:], []),
    "text-key-many-times": (b"{" + b'"chosen": "a", ' * 20_000 + GOOD[1:], ["duplicate-key"]),
    "name-of-a-key": (b'{"' + b"k" * 1_000_000 + b'": 1}', ["no-known-column"]),
    "escape-codes": (b'{"' + b"\\u001b[2J" * 50_000 + b'": 1}', ["no-known-column"]),
    "spaces": (GOOD[:-1] + b" " * 1_000_000 + b"}", []),
    "word": (b"x" * 1_000_000, ["bad-json"]),
}
"""{name: (a line, the codes of the row that it is, none if it is written)}."""

OPEN = {"lists-without-an-end", "objects-without-an-end", "closing-brackets"}


@pytest.mark.parametrize(
    ("name", "as_array"),
    # Some rows are not one element.
    [(name, as_array) for name in HUGE for as_array in (False, True) if not (as_array and name in OPEN)],
)
def test_a_huge_row_costs_no_neighbour(folder: Path, name: str, *, as_array: bool) -> None:
    """A row that is deep or long beyond reason is told apart from its neighbours, in lines and in an array."""
    row, codes = HUGE[name]
    data = b"[" + b",\n".join([GOOD, row, GOOD]) + b"]" if as_array else b"\n".join([GOOD, row, GOOD])
    with _in(folder, "in", data) as (source, outputs):
        found = _converted(source, outputs / "out.jsonl")
        with mock.patch.object(ChunkReader, "_at_once", return_value=None):
            assert _converted(source, outputs / "out.jsonl") == found
        for ending in ("jsonl", "parquet"):
            _converted(source, outputs / f"out.{ending}", keep_columns=True)

    assert [(one["line"], one["codes"]) for one in found.aside] == [(2, codes)] * bool(codes)
    assert len(found.written) == 3 - bool(codes)
    assert all(len(one["message"]) <= 400 and one["message"].isprintable() for one in found.aside)


def test_the_figures_of_the_readme_are_those_of_the_corpus(folder: Path) -> None:
    """The README says how many cases there are, and how many rows come in, out and aside, as counted from the files written."""
    rows_in = rows_out = aside = 0
    for case in CASES:
        with _in(folder, case.path.name, case.path.read_bytes()) as (source, outputs):
            found = _converted(source, outputs / "out.jsonl", to=case.to)
        rows_in, rows_out, aside = rows_in + case.rows_in, rows_out + len(found.written), aside + len(found.aside)
    lost = rows_in - rows_out - aside

    assert lost == 0
    assert f"| {len(CASES)} | {rows_in:,} | {rows_out:,} | {aside:,} | {lost} |" in README.read_text()
