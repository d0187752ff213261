"""Sources are cut into raw rows exactly: every row whole, at its true line, whatever the file's shape."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import turnparse
from strategies import ANNOUNCEMENTS, JSON_VALUES, NULS_AND_SPACES
from turnparse import DamagedError, SourceError
from turnparse._chunks import RawRow
from turnparse._json_array import ArraySplitter, Element, LongElement
from turnparse._json_begun import is_begun
from turnparse._sources import open_source

BOM = b"\xef\xbb\xbf"
WHITE_SPACE = [chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace() and chr(code) != "\n"]
NOT_LINE_ENDS = ["\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
"""What `str.splitlines` and others take for line ends. Here only a line feed is one, with or without a return."""

BLANK = st.sampled_from([b"", b" ", b"\t \t", b"\x0c", "\x85".encode(), "\u3000 \u2028".encode()])
CONTENT = st.one_of(
    st.binary(min_size=1, max_size=12),
    st.lists(st.sampled_from([*NOT_LINE_ENDS, "x", "{", "]", '"', "\\", "é"]), min_size=1).map(
        lambda parts: "".join(parts).encode()
    ),
).filter(
    lambda data: (
        b"\n" not in data
        and not data.endswith(b"\r")
        and not data.decode("utf-8", "replace").isspace()
        # At the start of a file these announce something else than a line of its rows.
        and not data.lstrip().startswith(b"[")
        and not data.startswith(ANNOUNCEMENTS)
        and not data.lstrip(NULS_AND_SPACES).startswith(ANNOUNCEMENTS)
    )
)
LINE_END = st.sampled_from([b"\n", b"\n", b"\r\n"])

DAMAGED = st.lists(st.sampled_from(list('[]{},"\\\n a')), max_size=25).map(lambda parts: b"[" + "".join(parts).encode())
"""Texts that begin like an array and go on as they like."""

ARRAY = b'[{"a": "x, [y] {z}", "b": ["\\"", "\\\\"]},\n\n  [],"]","\\\\",[[1,{"c":{}}]],\r\n null , -1.5e3\n]'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all examples of a property may write to."""
    return tmp_path_factory.mktemp("sources")


def _cut(path: Path) -> tuple[list[RawRow], int]:
    """Return the rows of a file, and how many blank lines it has."""
    with open_source(path) as source:
        rows = list(source.rows)
        return rows, source.blank_lines


def _written(folder: Path, data: bytes, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _texts(path: Path) -> list[bytes]:
    return [row.data for row in _cut(path)[0]]


def _fed(pieces: list[bytes]) -> tuple[list[Element | LongElement], bytes, bool]:
    """Return what a splitter makes of *pieces*: the elements, what comes after the array, whether it was closed."""
    splitter, waiting = ArraySplitter(1), iter(pieces)
    elements: list[Element | LongElement] = []
    for piece in waiting:
        elements += splitter.feed(piece)
        if splitter.closed:
            break
    left = splitter.finish()
    elements += [] if left is None else [left]
    return elements, splitter.rest + b"".join(waiting), splitter.closed


@st.composite
def pieces_of(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """Draw a way to cut *data* into pieces, some of which may be empty."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@st.composite
def arrays(draw: st.DrawFn) -> tuple[bytes, list[tuple[bytes, int]]]:
    r"""Draw the text of a JSON array, and of each element its text and line, such as ``[(b"1", 1), (b"{}", 2)]``."""
    space = st.lists(st.sampled_from([b" ", b"\n", b"\r\n", b"\t"]), max_size=3).map(b"".join)
    text, elements = b"[", []
    for index, value in enumerate(draw(st.lists(JSON_VALUES, max_size=5))):
        text += (b"," if index else b"") + draw(space)
        indent, ascii_only = draw(st.sampled_from([None, 1])), draw(st.booleans())
        element = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
        elements.append((element, 1 + text.count(b"\n")))
        text += element + draw(space)
    return text + draw(space) + b"]", elements


@given(lines=st.lists(st.tuples(st.booleans(), CONTENT, BLANK, LINE_END), max_size=8), cut_last_end=st.booleans())
def test_every_line_is_a_row_or_blank(
    *, folder: Path, lines: list[tuple[bool, bytes, bytes, bytes]], cut_last_end: bool
) -> None:
    """Each line that is not blank is a row, without its line end and otherwise byte for byte, at its own number."""
    texts = [content if is_row else blank for is_row, content, blank, _ in lines]
    ended = [text + end for text, (*_, end) in zip(texts, lines, strict=True)]
    if cut_last_end and lines:
        ended[-1] = texts[-1]
    rows, blank_lines = _cut(_written(folder, b"".join(ended)))

    numbers = [number for number, (is_row, *_) in enumerate(lines, 1) if is_row]
    assert [row.data for row in rows] == [texts[number - 1] for number in numbers]
    assert [row.line for row in rows] == numbers
    assert [row.row for row in rows] == list(range(len(rows)))
    # Nothing at all after the last line end is no line.
    assert blank_lines == sum(1 for line in ended if line) - len(numbers)


@pytest.mark.parametrize("char", NOT_LINE_ENDS, ids=ascii)
def test_only_a_line_feed_ends_a_line(tmp_path: Path, char: str) -> None:
    """A character that other tools take for a line end stays inside its row."""
    line = f'{{"text": "a{char}b"}}'.encode()

    assert _texts(_written(tmp_path, line + b"\n" + line + b"\r\n")) == [line, line]


@pytest.mark.parametrize("char", WHITE_SPACE, ids=ascii)
def test_a_line_of_white_space_is_no_row(tmp_path: Path, char: str) -> None:
    """A line of nothing but white space, of any kind, is counted as blank and is no row."""
    rows, blank_lines = _cut(_written(tmp_path, f"{char}\n {char}{char}\r\n{{}}\n".encode()))

    assert ([row.data for row in rows], blank_lines) == ([b"{}"], 2)


def test_white_space_around_a_row_stays(tmp_path: Path) -> None:
    """A row is the line as it was read, spaces included."""
    assert _texts(_written(tmp_path, b"  {} \t\n")) == [b"  {} \t"]


def test_a_row_of_invalid_utf_8_is_a_row(tmp_path: Path) -> None:
    """Bytes that are no text are handed on as they are, even where white space is looked for."""
    assert _texts(_written(tmp_path, b"\xff\xfe\n\x85\n{}\n")) == [b"\xff\xfe", b"\x85", b"{}"]


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    """An empty file is a source without rows and without blank lines."""
    assert _cut(_written(tmp_path, b"")) == ([], 0)


@pytest.mark.parametrize("text", [b'{"a": 1}\n', b"[1,2]", b"\n{}\n"], ids=["lines", "array", "blank first"])
def test_a_byte_order_mark_at_the_start_is_no_data(tmp_path: Path, text: bytes) -> None:
    """The mark that Windows editors write changes neither the rows nor their places."""
    assert _cut(_written(tmp_path, BOM + text)) == _cut(_written(tmp_path, text, "plain.jsonl"))


def test_a_byte_order_mark_elsewhere_is_data(tmp_path: Path) -> None:
    """Only the start of a file has a byte order mark; further down the bytes stay."""
    assert _texts(_written(tmp_path, b"{}\n" + BOM + b"{}\n")) == [b"{}", BOM + b"{}"]


@given(st.data())
def test_an_array_in_pieces_is_the_array_whole(data: st.DataObject) -> None:
    """However an array is cut into pieces, the elements are those of the whole, and those of `json.loads`."""
    text, elements = data.draw(arrays())
    pieces = data.draw(pieces_of(text))

    assert _fed(pieces) == _fed([text]) == (elements, b"", True)
    assert [json.loads(element[0]) for element in elements] == json.loads(text)


def test_an_array_can_be_cut_at_every_position() -> None:
    """Each of the two-piece cuts of an array with brackets, quotes and escapes in its strings gives its elements."""
    whole = _fed([ARRAY])
    assert [json.loads(element[0]) for element in whole[0]] == json.loads(ARRAY)
    assert [element[1] for element in whole[0]] == [1, 3, 3, 3, 3, 4, 4]

    wrong = [at for at in range(len(ARRAY) + 1) if _fed([ARRAY[:at], ARRAY[at:]]) != whole]
    assert wrong == []
    assert _fed([ARRAY[at : at + 1] for at in range(len(ARRAY))]) == whole


@given(st.data())
def test_what_is_no_array_is_cut_alike_in_pieces(data: st.DataObject) -> None:
    """Damaged text too is cut the same way whole and in pieces."""
    text = data.draw(DAMAGED)

    assert _fed(data.draw(pieces_of(text))) == _fed([text])


@given(DAMAGED)
def test_damaged_text_is_not_lost(text: bytes) -> None:
    """What stands in a text that only begins like an array is in an element or in the rest, brackets of objects too."""
    elements, rest, _ = _fed([text])
    kept = b"".join(element[0] for element in elements) + rest

    assert sorted(kept.translate(None, b" \n,[]")) == sorted(text.translate(None, b" \n,[]"))


@given(
    array=arrays(),
    before=st.lists(BLANK, max_size=2),
    after=st.sampled_from(["", "\n", "\r\n \n"]),
    zipped=st.booleans(),
    chunk=st.integers(2, 40),
)
@example(array=(ARRAY, _fed([ARRAY])[0]), before=[], after="", zipped=False, chunk=2)
def test_a_file_that_holds_an_array_has_its_elements_as_rows(
    *,
    folder: Path,
    array: tuple[bytes, list[tuple[bytes, int]]],
    before: list[bytes],
    after: str,
    zipped: bool,
    chunk: int,
) -> None:
    """An array's elements are rows with exact texts and lines: pretty or on one line, zipped, after blank lines."""
    text, elements = array
    data = b"".join(line + b"\n" for line in before) + text + after.encode()
    path = _written(folder, gzip.compress(data) if zipped else data)
    with patch("turnparse._chunks.CHUNK", chunk):
        rows, blank_lines = _cut(path)

    expected = [(element, line + len(before)) for element, line in elements]
    assert [(row.data, row.line) for row in rows] == expected
    assert [row.row for row in rows] == list(range(len(rows)))
    assert blank_lines == len(before) + (after.count("\n") > 1)


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.txt", "a", "a.jsonl.gz"])
def test_an_array_is_known_by_its_bracket_not_by_a_name(tmp_path: Path, name: str) -> None:
    """The published red-team file is an array named ``.jsonl``: no name decides what a file holds."""
    assert _texts(_written(tmp_path, b"[\n1,\n2\n]\n", name)) == [b"1", b"2"]


def test_an_empty_array_has_no_rows(tmp_path: Path) -> None:
    """An array without elements is a source without rows."""
    assert [_cut(_written(tmp_path, text))[0] for text in (b"[]", b"[ \n ]\n", b"\n[\n]")] == [[], [], []]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"[\n1,\n2]\n{}\n", [(b"1", 2), (b"2", 3), (b"{}", 4)]),
        (b'[{"a":[]}]\n[2]\n', [(b'{"a":[]}', 1), (b"[2]", 2)]),
        (b"[1, 2]\n[2]\n", [(b"[1, 2]", 1), (b"[2]", 2)]),
        (b'[]\r\n{"a": 1}\n', [(b"[]", 1), (b'{"a": 1}', 2)]),
        (b"[1]\n,2]", [(b"1", 1), (b"]", 1), (b"2", 2)]),
        (b"[1] x\n{}\n", [(b"1", 1), (b" x", 1), (b"{}", 2)]),
        (b"[1]\n\n{}", [(b"[1]", 1), (b"{}", 3)]),
        (b"[1]\n\n ", [(b"1", 1)]),
        (b"[1\n{}", [(b"[1", 1), (b"{}", 2)]),
        (b"[", None),
        (b'[\n{"a": [{"b": 1}\n', None),
        (b"[{'a': 1}", None),
        (b"[1, 2", None),
        (b"[1,\n", None),
        (b"[1,,2,]", [(b"1", 1), (b"", 1), (b"2", 1), (b"", 1)]),
    ],
    ids=[
        "lines after",
        "list after",
        "list first",
        "empty list first",
        "bracket too many",
        "text after",
        "list and blank first",
        "blank after",
        "no array",
        "bracket",
        "no end inside",
        "no end and no JSON",
        "no end",
        "no element",
        "empty elements",
    ],
)
def test_nothing_around_an_array_is_lost(tmp_path: Path, text: bytes, expected: list[tuple[bytes, int]] | None) -> None:
    """Lines after an array are rows, as is a list before lines that holds none; an array that was cut off is an error."""
    if expected is None:
        with pytest.raises(SourceError, match="no end"):
            _cut(_written(tmp_path, text))
        return
    rows, _ = _cut(_written(tmp_path, text))

    assert [(row.data, row.line) for row in rows] == expected
    assert [row.row for row in rows] == list(range(len(expected)))


AS_JSON = st.fixed_dictionaries({"indent": st.sampled_from([None, 1, 2]), "ensure_ascii": st.booleans()})


def _dumped(value: Any, form: dict[str, Any]) -> bytes:
    return json.dumps(value, **form).encode()


@given(
    rows=st.lists(
        st.dictionaries(st.text(max_size=3), JSON_VALUES, max_size=3).map(lambda row: row | {"of a row": 1}), max_size=3
    ),
    form=AS_JSON,
    data=st.data(),
)
def test_an_array_cut_anywhere_is_damaged_and_keeps_its_rows(
    folder: Path, rows: list[dict[str, Any]], form: dict[str, Any], data: st.DataObject
) -> None:
    """Wherever an array is cut, the rows before the cut are rows, what is left of another is none, and the end is missing."""
    text = _dumped(rows, form)
    at = data.draw(st.integers(1, len(text) - 1))
    ends = [len(_dumped(rows[:count], form).removesuffix(b"]").rstrip()) for count in range(1, len(rows) + 1)]
    found: list[RawRow] = []
    with open_source(_written(folder, text[:at])) as source, pytest.raises(DamagedError, match="no end") as caught:
        found.extend(source.rows)

    assert [json.loads(row.data) for row in found] == rows[: sum(end <= at for end in ends)]
    assert caught.value.offset == at


@given(value=st.lists(JSON_VALUES, min_size=1) | st.dictionaries(st.text(), JSON_VALUES, min_size=1), form=AS_JSON)
def test_only_what_was_cut_is_begun(value: Any, form: dict[str, Any]) -> None:
    """Each beginning of a value of JSON could go on; a whole one could not, nor what another follows or a line feed cuts."""
    text = _dumped(value, form)

    assert [at for at in range(1, len(text)) if not is_begun(text[:at])] == []
    assert not is_begun(text)
    assert not is_begun(text + b"\n" + text)
    assert not is_begun(b'{"a": "b\n' + text)
    assert not is_begun(b"[" + text + b"\n" + text)


def test_a_row_may_be_longer_than_what_is_read_at_once(tmp_path: Path) -> None:
    """A line, or an array's element, of several megabytes is one row."""
    long = b'"' + b"x" * 3_000_000 + b'"'

    assert _texts(_written(tmp_path, long + b"\n{}\n")) == [long, b"{}"]
    assert _texts(_written(tmp_path, b"[\n" + long + b",\n{}\n]")) == [long, b"{}"]


@pytest.mark.parametrize("name", ["rows.jsonl.gz", "rows.jsonl", "rows"])
def test_gzip_is_known_by_its_first_bytes(tmp_path: Path, name: str) -> None:
    """Compressed rows are read under any name, and plain ones under the name of compressed ones."""
    assert _texts(_written(tmp_path, gzip.compress(b"1\n2\n"), name)) == [b"1", b"2"]
    assert _texts(_written(tmp_path, b"1\n2\n", name)) == [b"1", b"2"]


def test_gzip_members_follow_each_other(tmp_path: Path) -> None:
    """A file of several gzip members, as log tools write them, is read through, even where one ends inside a row."""
    members = [b'{"a"', b": 1}\n", b"", b"2\n3"]
    path = _written(tmp_path, b"".join(map(gzip.compress, members)))

    assert _texts(path) == [b'{"a": 1}', b"2", b"3"]


def test_an_empty_gzip_file_has_no_rows(tmp_path: Path) -> None:
    """Nothing, compressed, is a source without rows."""
    assert _cut(_written(tmp_path, gzip.compress(b""))) == ([], 0)


def _until_damage(path: Path) -> list[bytes]:
    """Return the rows up to where the source proves damaged, which it must."""
    texts: list[bytes] = []
    with open_source(path) as source, pytest.raises(SourceError) as caught:
        texts.extend(row.data for row in source.rows)
    assert caught.value.source == str(path)
    return texts


def test_a_cut_gzip_file_is_an_error_wherever_it_is_cut(tmp_path: Path) -> None:
    """A download that broke off gives the rows that are whole and then an error, never silence."""
    lines = [f'{{"text": "{number**9}"}}'.encode() for number in range(40)]
    whole = gzip.compress(b"\n".join(lines) + b"\n")
    for size in range(2, len(whole)):
        rows = _until_damage(_written(tmp_path, whole[:size]))
        assert rows == lines[: len(rows)]


def test_a_damaged_gzip_file_is_an_error(tmp_path: Path) -> None:
    """A file whose check sum does not fit, or whose data is not gzip's, raises our own error."""
    whole = bytearray(gzip.compress(b"1\n2\n"))
    whole[-6] ^= 0xFF
    assert _until_damage(_written(tmp_path, bytes(whole))) in ([], [b"1", b"2"])
    assert _until_damage(_written(tmp_path, b"\x1f\x8b\x08\x00" + b"\xff" * 40)) == []


@given(st.binary(max_size=60))
@example(b"\x00" + b"\xff" * 40)
def test_any_bytes_are_cut_or_refused(folder: Path, data: bytes) -> None:
    """Whatever a file holds, it is cut into rows, or refused with our own error."""
    for head in (b"", b"\x1f\x8b\x08", gzip.compress(b"1\n")):
        try:
            rows, _ = _cut(_written(folder, head + data))
        except SourceError:
            continue
        assert [row.row for row in rows] == list(range(len(rows)))


@given(st.data())
def test_flipped_bits_are_found(folder: Path, data: st.DataObject) -> None:
    """A compressed file with one byte changed gives rows of the file, or our own error; never another."""
    lines = [b"%d" % number**5 for number in range(30)]
    zipped = bytearray(gzip.compress(b"\n".join(lines)))
    zipped[data.draw(st.integers(2, len(zipped) - 1))] ^= data.draw(st.integers(1, 255))
    path = _written(folder, bytes(zipped))
    try:
        rows, _ = _cut(path)
    except SourceError:
        return
    # The name, time and system in the header are covered by no check sum, and say nothing about the rows.
    assert [row.data for row in rows] == lines


def test_a_pipe_may_hand_over_one_byte_at_a_time(tmp_path: Path) -> None:
    """A compressed source is known for one even if its first read gives a single byte, as a slow pipe may."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        with pipe.open("wb", buffering=0) as file:
            for byte in gzip.compress(b"1\n2\n"):
                file.write(bytes([byte]))
                time.sleep(0.002)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    texts = _texts(pipe)
    writer.join()

    assert texts == [b"1", b"2"]


def test_standard_input_is_a_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dash reads standard input, compressed or not, and leaves it open."""
    for data in (b"1\n\n2", gzip.compress(b"1\n\n2"), b"[1,\n\n2]"):
        stdin = io.TextIOWrapper(io.BytesIO(data))
        monkeypatch.setattr(sys, "stdin", stdin)
        with open_source("-") as source:
            assert source.name == "-"
            assert [(row.data, row.line) for row in source.rows] == [(b"1", 1), (b"2", 3)]
        assert not stdin.buffer.closed


@pytest.mark.parametrize("name", ["missing.jsonl", ".", "a\0b", "x" * 300])
def test_what_cannot_be_opened_is_our_own_error(tmp_path: Path, name: str) -> None:
    """A missing file, a folder or an impossible name raises `SourceError`, which says which it was."""
    with pytest.raises(SourceError, match="expected a readable file") as caught, open_source(tmp_path / name) as source:
        list(source.rows)

    assert caught.value.source is not None
    assert caught.value.source.isprintable()


@given(
    encoding=st.sampled_from(["UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE"]),
    blank=st.one_of(st.text(" \t\r\n", max_size=40), st.sampled_from(["\n" * 9_000, "\r\n" * 70])),
    value=st.sampled_from([{"text": "é"}, [{"text": "é"}], [], {}]),
    indent=st.sampled_from([None, 1]),
    size=st.integers(8, 300),
)
def test_another_encoding_is_told_with_what_converts_it(
    folder: Path, encoding: str, blank: str, value: Any, *, indent: int | None, size: int
) -> None:
    """UTF-16 and UTF-32 without a mark are refused by name, blank lines before the first row or not, however they are read."""
    text = blank + json.dumps(value, indent=indent) + "\n"
    data = text.encode(encoding.lower())
    for stored in (data, gzip.compress(data)):
        path = _written(folder, stored)
        with (
            patch("turnparse._chunks.CHUNK", size),
            pytest.raises(
                SourceError, match=f"found {encoding}; convert it first, as with iconv -f {encoding} -t UTF-8"
            ),
            open_source(path) as source,
        ):
            list(source.rows)


def test_rows_of_nul_before_damage_are_kept(tmp_path: Path) -> None:
    """What might become UTF-16, and is cut off before that is known, is rows that are no JSON, and none of them is lost."""
    data = gzip.compress(b"\0\n" * 9_000)[:-8]

    assert _until_damage(_written(tmp_path, data)) == [b"\0"] * 9_000


@pytest.mark.parametrize("zipped", [False, True])
def test_progress_adds_up_to_the_size_of_the_file(tmp_path: Path, *, zipped: bool) -> None:
    """The bytes that are told to a progress bar are those of the file, as it lies on the disk."""
    data = b'{"a": 1}\n' * 10_000
    path = _written(tmp_path, gzip.compress(data) if zipped else data)
    told: list[int] = []
    with open_source(path, told.append) as source:
        assert sum(1 for _ in source.rows) == 10_000

    assert sum(told) == path.stat().st_size


ROW = b'{"chosen": "%d", "rejected": "x"}'
SWALLOWED = {
    "stray bracket": b"[\n],\n%s,\n%s\n]",
    "cut string before null": b'[\n{"chosen":"a,\n%s,\n%s,\nnull\n]',
    "leading commas": b'[\n%s\n,{"a":[1}\n,%s\n]',
    "one line, cut list": b'[%s, {"chosen":"a","rejected":["b"}, %s]',
    "one line, cut list of objects": b'[%s, {"chosen": [{}, %s]',
    "one line, cut string": b'[%s, {"chosen":"a, %s]',
    "one line, brace too many": b'[%s, {"chosen":"a"}}, %s]',
    "no array at all": b"[bad\n%s\n%s\n",
}


@pytest.mark.parametrize("text", SWALLOWED.values(), ids=SWALLOWED)
def test_a_damaged_element_gives_its_neighbours_back(tmp_path: Path, text: bytes) -> None:
    """Whole rows that a missing quote or bracket swallowed are rows, in order, and what is damaged is one more."""
    good = [ROW % number for number in (1, 2)]
    found = _texts(_written(tmp_path, text % tuple(good)))

    assert [row for row in found if row in good] == good
    assert len(found) > len(good)


def test_a_cut_array_gives_back_what_a_damaged_element_swallowed(tmp_path: Path) -> None:
    """Where a bracket is missing and the end as well, whole rows that are like those before are rows all the same."""
    rows: list[RawRow] = []
    text = b'[\n%s,\n{"chosen": [1, 2,\n%s,\n%s,\n{"chosen": "cu' % (ROW % 1, ROW % 2, ROW % 3)
    with open_source(_written(tmp_path, text)) as source, pytest.raises(DamagedError, match="no end") as caught:
        rows.extend(source.rows)

    assert [row.data for row in rows] == [ROW % 1, b'{"chosen": [1, 2', ROW % 2, ROW % 3]
    assert caught.value.line == 6


@pytest.mark.parametrize("first", [b'{"note": "x"}', b'{"text": "q", "id": 0}, {"transcript": "x"}'])
@pytest.mark.parametrize("damaged", [b'{"text":"a"', b'{"text":"a', b'{"text":"a\\"'])
def test_untypical_elements_before_the_damage(tmp_path: Path, first: bytes, damaged: bytes) -> None:
    """Elements that are like none before are given back all the same."""
    good = [b'{"text": "q", "id": %d}' % number for number in (1, 2)]
    found = _texts(_written(tmp_path, b"[\n%s,\n%s,\n%s,\n%s\n]" % (first, damaged, *good)))

    assert [row for row in found if row in good] == good


def test_what_lies_inside_a_damaged_element_is_no_row(tmp_path: Path) -> None:
    """An object inside a damaged element is not taken for an element."""
    text = b'[\n%s,\n{\n"chosen": "a,\n"more": [\n{"text": "q"},\n{"text": "r"}\n]},\n%s\n]' % (ROW % 1, ROW % 2)
    found = _texts(_written(tmp_path, text))

    assert [found[0], found[-1], len(found)] == [ROW % 1, ROW % 2, 3]


def test_what_was_unzipped_before_the_damage_is_kept(tmp_path: Path) -> None:
    """Rows before something that is not gzip are rows; then comes the error."""
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b"{}\n" * 3) + b"junk")
    rows: list[RawRow] = []
    with open_source(path) as source, pytest.raises(SourceError, match="not gzip"):
        rows.extend(source.rows)  # extend keeps what came before the error

    assert len(rows) == 3


@pytest.mark.parametrize("kind", ["parquet", "arrow", "arrows"])
def test_a_table_is_read_row_by_row(tmp_path: Path, kind: str) -> None:
    """Parquet and Arrow files give the rows that JSON lines give, without lines; what is no row goes to *on_error*."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = ["\n\nHuman: Hi\n\nAssistant: Ho", None, "Good day"]
    table, path = pa.table({"text": texts, "other": [1, 2, 3]}), tmp_path / f"rows.{kind}"
    if kind == "parquet":
        pq.write_table(table, path, row_group_size=2)
    else:
        opened = pa.ipc.new_file if kind == "arrow" else pa.ipc.new_stream
        with opened(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=1)
    errors: list[turnparse.RowError] = []
    rows = list(turnparse.read(path, on_error=errors.append))

    assert [(str(row), row.line, row.origin and row.origin.row) for row in rows] == [
        (texts[0], None, 0),
        (texts[2], None, 2),
    ]
    assert [(error.code, error.line, error.row, error.raw) for error in errors] == [
        ("wrong-type", None, 1, b'{"text":null,"other":2}')
    ]
