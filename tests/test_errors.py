"""Errors are one family, cross process borders, never obey hostile data, and nothing else ever escapes."""

from __future__ import annotations

import copy
import errno
import gzip
import json
import os
import pickle
import re
import shutil
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import turnparse
from strategies import ANY_TEXT, JSON_VALUES, TEXT
from turnparse import (
    ArgumentError,
    DamagedError,
    Dialect,
    DialectError,
    FaultError,
    IncompleteError,
    OptionError,
    OutputError,
    ParseError,
    RenderError,
    RowError,
    SourceError,
    Summary,
    TurnparseError,
    convert,
    parse,
    parse_pair,
    parse_red_team,
    parse_tree,
    read,
    render,
)
from written import set_aside, write_rows

PLACE: dict[str, Any] = {"source": "rows.jsonl", "row": 3, "line": 4, "column": 5}

HOSTILE = "\x1b[31m\r\n\x00\u202e\u2028\x85\ud800 é"
"""What a terminal might obey, what might begin a new line of a log, and what cannot even be written."""

HUGE = 10**5_000
"""An int that Python refuses to print."""


def _errors() -> list[TurnparseError]:
    """Return an error of every class, each attribute set to something."""
    parse_error = ParseError("expected a", **PLACE)
    parse_error.offset = 7
    return [
        TurnparseError("expected a, found b", **PLACE),
        ArgumentError("expected a, found b", **PLACE),
        OptionError("expected a, found b", **PLACE),
        DialectError("expected a, found b", **PLACE),
        parse_error,
        RenderError("expected a, found b", index=2, offset=6),
        RowError("expected a, found b", code="bad-json", raw=b"\xff", **PLACE),
        SourceError("expected a, found b", **PLACE),
        DamagedError("expected a, found b", offset=8, **PLACE),
        FaultError("expected a, found b", **PLACE),
        OutputError("expected a, found b", **PLACE),
        IncompleteError("expected a, found b", Summary(rows_in=3, rows_out=3)),
    ]


ERRORS = pytest.mark.parametrize("error", _errors(), ids=lambda error: type(error).__name__)


def test_every_error_class_is_tested_here() -> None:
    """The tests below meet every class of error that the package exports."""
    exported = [getattr(turnparse, name) for name in turnparse.__all__]
    raised = {item for item in exported if isinstance(item, type) and issubclass(item, Exception)}
    classes = {item for item in raised if not issubclass(item, Warning)}

    assert {type(error) for error in _errors()} == classes
    assert all(issubclass(one, TurnparseError) for one in classes)


@ERRORS
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_survives_pickling(error: TurnparseError, protocol: int) -> None:
    """An error that crosses a process border is the same: type, text, arguments, and every attribute."""
    twin = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301  # our own

    assert type(twin) is type(error)
    assert vars(twin) == vars(error)
    assert (str(twin), repr(twin), twin.args) == (str(error), repr(error), error.args)


@ERRORS
def test_an_error_survives_copying(error: TurnparseError) -> None:
    """A copy of an error, shallow or deep, is the same."""
    for twin in (copy.copy(error), copy.deepcopy(error)):
        assert (type(twin), vars(twin), str(twin)) == (type(error), vars(error), str(error))


@ERRORS
def test_an_error_says_what_it_is_about(error: TurnparseError) -> None:
    """An error's text is its message, and before it the place, as far as it is known."""
    place = "rows.jsonl:4:5: " if error.source else ""

    assert str(error) == place + error.message


@given(
    source=st.none() | st.just("u.parquet"),
    row=st.none() | st.integers(0, 10**9),
    line=st.none() | st.integers(1, 10**9),
    column=st.none() | st.integers(1, 10**9),
)
def test_a_place_is_taken_for_no_other(
    source: str | None, row: int | None, line: int | None, column: int | None
) -> None:
    """What follows a name and a colon is a line, and what follows that a column: without lines it is the row that is told, in words."""
    error = TurnparseError("expected a, found b", source=source, row=row, line=line, column=column)
    place = str(error).removesuffix(error.message).removesuffix(": ")
    after = place.removeprefix(source or "").strip(":")

    if line is not None:
        assert after == (f"{line}" if column is None else f"{line}:{column}")
    else:
        assert after.removeprefix(", ") == ("" if row is None else f"row {row}")


@pytest.mark.parametrize(
    ("ours", "builtin"),
    [
        (ArgumentError, TypeError),
        (OptionError, ValueError),
        (DialectError, ValueError),
        (ParseError, ValueError),
        (RenderError, ValueError),
        (RowError, ValueError),
        (SourceError, OSError),
        (DamagedError, OSError),
        (FaultError, OSError),
        (OutputError, OSError),
        (IncompleteError, RuntimeError),
    ],
)
def test_an_error_is_the_builtin_that_it_is_most_like(ours: type[TurnparseError], builtin: type[Exception]) -> None:
    """Who catches Python's own errors catches ours of that kind."""
    assert issubclass(ours, builtin)


def test_errors_of_rows_are_pickled_with_their_row(tmp_path: Path) -> None:
    """An error met in reading a file carries where and what the row is, and takes it along."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\n\n{} x\n")
    with pytest.raises(RowError) as caught:
        list(read(path))

    twin = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  # our own
    assert (twin.source, twin.line, twin.row, twin.raw, twin.code) == (str(path), 3, 0, b"{} x", "bad-json")


# Nothing else escapes.


def _only_ours(call: Callable[..., object], *args: Any, **options: Any) -> None:
    """Make a call that may raise our own errors, each of one printable line, and no other."""
    try:
        with warnings.catch_warnings():
            # Python warns about some regular expressions in users' grammars.
            warnings.simplefilter("ignore")
            call(*args, **options)
    except TurnparseError as error:
        shown = str(error)
        assert shown.isprintable()
        assert len(shown) < 2_000


VALUES: st.SearchStrategy[Any] = st.one_of(
    JSON_VALUES,
    TEXT,
    st.binary(max_size=5),
    st.floats(),
    st.just(HUGE),
    st.complex_numbers(),
    st.tuples(ANY_TEXT),
    st.frozensets(ANY_TEXT, max_size=2),
    st.sampled_from([object(), str, len, ..., NotImplemented, Path("x"), range(3), {1: {2: {3}}}, [[[]]], iter(())]),
    st.dictionaries(st.one_of(ANY_TEXT, st.integers(), st.none()), ANY_TEXT, max_size=2),
    st.builds(bytearray),
)
"""Anything that a Python program may hand over by mistake."""

MESSAGES: st.SearchStrategy[Any] = st.lists(
    st.one_of(
        VALUES,
        st.dictionaries(st.sampled_from(["role", "content", "name"]), st.sampled_from(["user", "system"]) | VALUES),
        st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system"]), "content": TEXT | VALUES}),
    ),
    max_size=4,
)

RED_TEAM_KEYS = ["transcript", "rating", "tags", "num_params", "is_upworker", "red_team_member_id"]


@given(VALUES)
@example(HOSTILE)
def test_parse_raises_only_our_errors(value: Any) -> None:
    """`parse` takes any `str`, and refuses any other value with our own error."""
    for call in (parse, parse_tree):
        _only_ours(call, value)
        if isinstance(value, str):
            call(value)
        else:
            with pytest.raises(ArgumentError):
                call(value)


@given(VALUES, VALUES)
@example("", None)
@example(None, "")
def test_parse_pair_raises_only_our_errors(chosen: Any, rejected: Any) -> None:
    """`parse_pair` takes any two `str`, and refuses any other values with our own error."""
    _only_ours(lambda: parse_pair(chosen, rejected).diagnostics)
    if isinstance(chosen, str) and isinstance(rejected, str):
        parse_pair(chosen, rejected, diagnostics="all")
    else:
        with pytest.raises(ArgumentError):
            parse_pair(chosen, rejected)


@given(st.one_of(VALUES, st.dictionaries(st.one_of(st.sampled_from(RED_TEAM_KEYS), ANY_TEXT), VALUES, max_size=4)))
@example({"transcript": "", "num_params": HUGE})
@example({"transcript": "", "rating": HUGE})
@example({"transcript": "", "is_upworker": HUGE})
@example({"transcript": HUGE})
@example({HUGE: ""})
@example({"transcript": "", HOSTILE: HOSTILE, "rating": HOSTILE})
def test_parse_red_team_raises_only_our_errors(row: Any) -> None:
    """`parse_red_team` reads a row or refuses it with our own error, whatever its keys and values."""
    _only_ours(lambda: parse_red_team(row).metadata())


@given(st.one_of(VALUES, MESSAGES, MESSAGES.map(iter)))
@example([{HUGE: ""}])
@example([{"role": HUGE, "content": ""}])
@example([{"role": HOSTILE, "content": HOSTILE}])
@example([{"role": "user", "content": f"\n\nHuman: {HOSTILE}"}])
def test_render_raises_only_our_errors(messages: Any) -> None:
    """`render` writes messages or refuses them with our own error, whatever is handed over in their place."""
    _only_ours(render, messages)


@given(st.sampled_from(["dialect", "diagnostics"]), VALUES)
@example("dialect", HOSTILE)
@example("dialect", HOSTILE + ".lark")
@example("diagnostics", HOSTILE)
def test_wrong_options_raise_only_our_errors(name: str, value: Any) -> None:
    """Each option of the calls takes its values and refuses any other with our own error."""
    options: dict[str, Any] = {name: value}
    _only_ours(parse, "x", **options)
    _only_ours(parse_pair, "x", "y", **options)
    _only_ours(parse_red_team, {"transcript": "x"}, **options)
    if name == "dialect":
        _only_ours(parse_tree, "x", **options)
        _only_ours(render, [{"role": "user", "content": "x"}], **options)


# Grammars.

GRAMMAR = "\n".join(line for line in Dialect.named().grammar.splitlines() if line and not line.startswith("//"))
FRAGMENTS = [
    "(", ")", "[", "]", "|", "?", "*", "+", "~3", "~2..1", "->x", "!", ".5", ":", '"', "/", "\\", "\n", "\ud800", "\0", "//",
    "%ignore TEXT", "%import common.WS", "%import nothing.X", "%import .nothing (X)", '%override USER: "X"', "%declare X",
    "USER", "TEXT", "MARKER", "turn", "transcript", '""', '"a".."z"', '"a"i', "/[[a]/", "/a{99999999999}/", "/(?<=a)b/",
    "/\\1/", "/(?P<USER>x)/", "/x/imsux", "/(a|b)*/", "_x{y}: y\n",
]  # fmt: skip
TEXTS = ["", "x", "\n\nHuman: a\n\nAssistant: b", "Human: a\n\nHuman", "\ud800"]


@st.composite
def grammars(draw: st.DrawFn) -> str:
    """Draw the shipped grammar with some of it cut out and pieces of grammars put in, such as ``turn: MARKER TEXT*+``."""
    text = GRAMMAR
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 0, 1, 3, 10, 30])))
        text = text[:start] + draw(st.sampled_from(["", *FRAGMENTS])) + text[end:]
    return text


def _used(grammar: str) -> None:
    """Use a grammar in every way there is."""
    dialect = Dialect.from_text(grammar)
    for text in TEXTS:
        _only_ours(lambda text: parse(text, dialect=dialect).diagnostics, text)
        _only_ours(lambda text: parse_pair(text, TEXTS[2], dialect=dialect, diagnostics="all").diagnostics, text)
        _only_ours(parse_tree, text, dialect=dialect)
        _only_ours(render, [{"role": "user", "content": text}], dialect=dialect)


@given(st.one_of(grammars(), grammars(), ANY_TEXT))
@example(GRAMMAR.replace("TEXT*", "TEXT* /a{99999999999}/"))
@example(GRAMMAR + "\n%import nothing.X\n")
@example(GRAMMAR + "\n%import .nothing (X)\n")
@example(GRAMMAR.replace('"Human"', '"' + "H" * 1_500 + '"'))
@example(GRAMMAR.replace("turn*", "(" * 1_500 + "turn" + ")" * 1_500 + "*"))
@example(GRAMMAR.replace('"Human"', "/" + "(" * 1_500 + "H" + ")" * 1_500 + "/"))
@example(GRAMMAR.replace('"Human"', f'"{HOSTILE}"'))
@example("")
def test_any_text_as_a_grammar_raises_only_our_errors(grammar: str) -> None:
    """A text given as a grammar is a dialect or refused with our own error, and so is every text read by it."""
    _only_ours(_used, grammar)


@given(VALUES)
def test_any_value_as_a_grammar_raises_only_our_errors(value: Any) -> None:
    """What is no text is no grammar, no name of a dialect and no path of one."""
    _only_ours(Dialect.from_text, value)
    _only_ours(Dialect.named, value)
    _only_ours(Dialect.from_file, value)


# Files.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all examples of a property may write to."""
    return tmp_path_factory.mktemp("errors")


ROWS = st.one_of(
    JSON_VALUES.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(st.sampled_from(["chosen", "rejected", "text", *RED_TEAM_KEYS]), JSON_VALUES, max_size=4).map(
        lambda row: json.dumps(row).encode()
    ),
    st.binary(max_size=12),
    st.sampled_from([b"[", b"]", b",", b"\\", b'"', b"\xef\xbb\xbf", b"\x1f\x8b", b"[" * 2_000, b'{"text":"\\ud800"}']),
)


@given(rows=st.lists(ROWS, max_size=5), between=st.sampled_from([b"\n", b",", b"\r\n", b""]), zipped=st.booleans())
@example(rows=[b"\x1f\x8b\x08\x00" + b"\xff" * 40], between=b"\n", zipped=False)
def test_any_bytes_of_a_file_raise_only_our_errors(
    *, folder: Path, rows: list[bytes], between: bytes, zipped: bool
) -> None:
    """Whatever a file holds, `read` and `convert` read it or refuse it, by row or as a whole, with our own errors."""
    data = between.join(rows)
    source = folder / "source"
    errors: list[RowError] = []
    source.write_bytes(gzip.compress(data) if zipped else data)

    _only_ours(lambda: list(read(source)))
    _only_ours(lambda: list(read(source, on_error=errors.append, diagnostics="all")))
    for to in ("trl", "messages"):
        _only_ours(convert, source, folder / "out.jsonl", to=to, keep_columns=True)
    for error in errors:
        assert str(error).isprintable()


@given(VALUES)
def test_any_value_as_a_source_raises_only_our_errors(value: Any) -> None:
    """What is no path of a file raises our own error when it is to be read."""
    _only_ours(lambda: list(read(value)))


@given(st.sampled_from(["sources", "output", "set_aside", "summary"]), VALUES)
@example("sources", 5)
@example("output", None)
@example("output", b"out.jsonl")
@example("set_aside", 5)
@example("summary", 5)
def test_any_value_as_a_path_raises_only_our_errors(folder: Path, name: str, value: Any) -> None:
    """What is no path raises our own error wherever `convert` wants one."""
    if name == "summary" and isinstance(value, (str, Path)):
        # Any string is a good name of a summary, and would be written here.
        return
    source = folder / "one.jsonl"
    source.write_text("{}\n", encoding="utf-8")
    paths: dict[str, Any] = {"sources": source, "output": folder / "out.jsonl", name: value}
    _only_ours(convert, **paths)


@given(
    st.sampled_from(["to", "preset", "policies", "dialect", "diagnostics", "side", "chosen", "rejected", "transcript"]),
    VALUES,
)
@example("to", [])
@example("policies", 5)
@example("policies", {"uneven": []})
@example("policies", {HOSTILE: HOSTILE})
@example("chosen", 5)
@example("chosen", HOSTILE)
@example("transcript", [])
@example("side", HOSTILE)
@example("preset", HOSTILE)
@example("preset", [])
@example("to", HOSTILE)
def test_any_value_as_an_option_raises_only_our_errors(folder: Path, name: str, value: Any) -> None:
    """Each option of `convert` takes its values and refuses any other with our own error."""
    source = folder / "one.jsonl"
    source.write_text("{}\n", encoding="utf-8")
    options: dict[str, Any] = {name: value}
    _only_ours(convert, source, folder / "out.jsonl", **options)
    if name in ("dialect", "diagnostics", "chosen", "rejected", "transcript"):
        _only_ours(lambda: list(read(source, **options)))


# Messages.


@pytest.mark.parametrize(
    "name", [HOSTILE.replace("\x00", ""), "x" * 5_000, "a/b\x1b/c"], ids=["hostile", "long", "folders"]
)
def test_names_of_files_are_escaped(tmp_path: Path, name: str) -> None:
    """The name of a file that is not there, or cannot be, does not reach a terminal as it is."""
    path = str(tmp_path / name)
    _only_ours(lambda: list(read(path)))
    _only_ours(convert, path, tmp_path / "out.jsonl")
    _only_ours(convert, path, path)
    _only_ours(convert, path, path + ".jsonl", set_aside=path + ".jsonl")
    _only_ours(parse, "x", dialect=path)
    _only_ours(parse, "x", dialect=path + ".lark")


@pytest.mark.parametrize(
    "grammar",
    [
        "",
        "transcript: ",
        "transcript: A\nA: /x/",
        GRAMMAR.replace("USER", "HUMAN").replace("ASSISTANT", "BOT"),
        GRAMMAR[:-9],
    ],
    ids=["empty", "cut", "no turn", "no labels", "cut at the end"],
)
def test_names_of_dialects_are_escaped(tmp_path: Path, grammar: str) -> None:
    """A grammar that cannot serve is named in its error, by a name or a file's, without control characters."""
    file = tmp_path / "\x1b[31m\r.lark"
    file.write_text(grammar, encoding="utf-8")
    _only_ours(Dialect.from_text, grammar, name=HOSTILE)
    _only_ours(Dialect.from_file, file)
    with pytest.raises(DialectError):
        Dialect.from_file(file)


def test_texts_are_escaped_in_errors_about_them() -> None:
    """What a grammar or a message list stumbles over is shown without control characters, and short."""
    grammar = 'transcript: turn*\nturn: USER TEXT\nUSER: "U "\nTEXT: /[a-z]+;/\n'
    with pytest.raises(ParseError) as caught:
        parse_tree("U hi;" + HOSTILE, dialect=Dialect.from_text(grammar, name=HOSTILE))
    assert str(caught.value).isprintable()
    assert caught.value.offset == 5

    with pytest.raises(RenderError) as refused:
        render([{"role": "user", "content": "a\n\nHuman:" + HOSTILE}])
    assert str(refused.value).isprintable()
    assert (refused.value.index, refused.value.offset) == (0, 1)


def test_values_of_rows_are_escaped_and_short(tmp_path: Path) -> None:
    """A row's own keys and values come into a message only in part and escaped."""
    text = json.dumps(HOSTILE.replace("\ud800", "") * 1_000)
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{{text}: 1}}\n{{"transcript": "", "rating": {text}}}\n{{"text": {text}x}}\n', encoding="utf-8")
    errors: list[RowError] = []
    list(read(path, on_error=errors.append))

    assert [error.code for error in errors] == ["no-known-column", "wrong-type", "bad-json"]
    assert all(error.message.isprintable() and len(error.message) < 1_000 for error in errors)


ROW: dict[str, Any] = {"wonne": "\n\nHuman: a\n\nAssistant: b", "lost": "\n\nHuman: a\n\nAssistant: c", "n": 1}


@pytest.mark.parametrize("ending", ["jsonl", "parquet", "arrow"])
@pytest.mark.parametrize("options", [{}, {"from_": "trl", "to": "hh"}, {"keep_columns": True}], ids=str)
def test_columns_of_other_names_are_listed(tmp_path: Path, ending: str, options: dict[str, Any]) -> None:
    """Of a row without a known column every reader says which columns it has, and what to do."""
    path = tmp_path / f"rows.{ending}"
    write_rows(path, [ROW, ROW])
    convert(path, tmp_path / "out.jsonl", **options)
    told = {row["message"] for row in set_aside(tmp_path / "out.jsonl")}

    assert len(told) == 1
    assert re.search(r"found 'wonne', 'lost', 'n'; name (yours )?with --(from|chosen)", told.pop())


def test_columns_are_listed_in_a_few_printable_words(tmp_path: Path) -> None:
    """However many columns there are, and whatever they are called, a message lists some of them, quoted and escaped."""
    row = {f"\x1b[{number}m" + "x" * 10_000: number for number in range(1_000)}
    for ending in ("jsonl", "parquet"):
        path = tmp_path / f"rows.{ending}"
        write_rows(path, [row])
        _only_ours(convert, path, tmp_path / "out.jsonl", force=True)
        (told,) = set_aside(tmp_path / "out.jsonl")
        assert told["message"].isprintable()
        assert "found '\\x1b[0m" in told["message"]
        assert "and 992 more; name yours" in told["message"]
        assert len(told["message"]) <= 400


def test_an_error_about_a_row_of_a_table_names_the_row(tmp_path: Path) -> None:
    """A table has no lines: its name is followed by the number of the row, and by nothing that looks like a line."""
    path = tmp_path / "u.parquet"
    text = pa.array([b"\xff"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"chosen": text, "rejected": ["x"]}), path)
    with pytest.raises(RowError) as caught:
        list(read(path))

    assert str(caught.value).startswith(f"{path}, row 0: expected one JSON object in UTF-8")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.ENOSPC, errno.EISDIR])
def test_an_output_that_cannot_be_made_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Whatever the system says of a file, as that its folder is read-only, the message goes on with what to do; hostile names are escaped."""
    write_rows(tmp_path / "in.jsonl", [ROW])
    folder = tmp_path / "\x1b[31m"
    folder.mkdir()

    def fail(path: str, **_: object) -> NoReturn:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr("turnparse._stores.WholeFile", fail)
    with pytest.raises(OutputError, match=f"found: {os.strerror(number)}; (name|make) ") as caught:
        convert(tmp_path / "in.jsonl", folder / "out.jsonl")
    assert str(caught.value).isprintable()


def test_a_folder_that_is_gone_is_to_be_made_again(tmp_path: Path) -> None:
    """Where a folder goes while its output is written, the message names it, in a few printable words."""
    for name in ("gone", "\x1b[31m", "x" * 200 + "/" + "y" * 200):
        write_rows(tmp_path / "in.jsonl", [ROW] * 10)
        folder = tmp_path / name
        folder.mkdir(parents=True)
        remove = partial(shutil.rmtree, folder, ignore_errors=True)
        with pytest.raises(
            OutputError, match=r"No such file or directory; make the folder '.+', and run again"
        ) as caught:
            convert(tmp_path / "in.jsonl", folder / "out.jsonl", on_bytes=lambda _, remove=remove: remove())  # type: ignore[misc]  # it cannot infer the default's type
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 1_000
