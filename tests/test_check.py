"""`turnparse check` counts what there is, says where it stands, and prints nothing of the data."""

from __future__ import annotations

import gzip
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from hypothesis import example, given
from hypothesis import strategies as st

import turnparse
from strategies import DIALECTS, HH, advised_pairs, in_utf8, json_files, parted_pairs, token_pairs
from turnparse import (
    CODES,
    CheckResult,
    Dialect,
    FaultError,
    IncompleteError,
    SourceError,
    TurnparseError,
    check,
    convert,
    read,
)
from turnparse._advisory_columns import Sieve
from turnparse._batches import BatchConverter
from turnparse._check import CHECKED, Finding
from turnparse._check_formats import MOST_ANNOTATIONS, as_github, as_json, as_sarif, as_statistics, as_text
from turnparse._cli import main
from turnparse._codes import OF_OUTPUT
from turnparse._pieces import Stretch, stretches
from turnparse._places import Place
from turnparse._urls import is_url
from written import as_lines, pairs, talks

SAMPLES = Path(turnparse.__file__).parent / "samples"
PAIRS, RED_TEAM, DAMAGED = (SAMPLES / f"{name}.jsonl" for name in ("pairs", "red_team", "damaged"))
EVERYWHERE = 1 << 20
STRUCTURAL = {name for name, code in CHECKED.items() if code.severity == "structural"}


def _run(*arguments: str | Path, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(main, ["check", *map(str, arguments)], input=stdin, catch_exceptions=False)


def _lines(path: Path, rows: Sequence[Any]) -> Path:
    """Write *rows* as JSON lines, and return their file."""
    path.write_bytes(as_lines(rows))
    return path


def _counts(result: CheckResult) -> dict[str, int]:
    return {finding.code.name: finding.rows for finding in result.findings}


def _rows(result: CheckResult) -> dict[str, list[int]]:
    return {finding.code.name: [place.row for place in finding.places] for finding in result.findings}


# What is counted.


@given(json_files())
def test_counts_are_those_of_a_conversion(data: bytes) -> None:
    """On any file, what is found is what a conversion counts that looks at everything and mends nothing."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "rows.jsonl"
        source.write_bytes(data)
        try:
            summary = convert(
                source, Path(folder) / "out.jsonl", to="messages", preset="faithful", diagnostics="all", manifest=False
            )
        except IncompleteError as error:
            summary = error.summary
        except SourceError:
            with pytest.raises(SourceError):
                check(source)
            return
        found, structural = check(source), check(source, select=["structural"])

    expected = {code: rows for code, rows in summary.diagnostics.items() if code not in OF_OUTPUT}
    assert _counts(found) == expected
    assert (found.rows, found.blank_lines) == (summary.rows_in, summary.blank_lines)
    # By column, and row by row.
    assert _counts(structural) == {code: rows for code, rows in expected.items() if code in STRUCTURAL}


@given(
    st.lists(parted_pairs() | token_pairs().filter(in_utf8), max_size=6),
    st.sets(st.sampled_from(sorted(CHECKED)), min_size=1),
)
def test_every_place_is_told_and_rows_add_up(texts: list[tuple[str, str]], selected: set[str]) -> None:
    """Each row that carries a selected code is a place of that code, all others are clean, and both are all rows."""
    with tempfile.TemporaryDirectory() as folder:
        source = _lines(Path(folder) / "rows.jsonl", [{"chosen": a, "rejected": b} for a, b in texts])
        codes = [{found.code for found in pair.diagnostics} & selected for pair in read(source, diagnostics="all")]
        result = check(source, select=selected, places=EVERYWHERE)

    expected = {code: [row for row, found in enumerate(codes) if code in found] for code in selected}
    assert _rows(result) == {code: rows for code, rows in expected.items() if rows}
    assert result.clean_rows == sum(not found for found in codes)
    assert result.rows == len(texts)
    assert all(place.line == place.row + 1 for finding in result.findings for place in finding.places)
    assert all(finding.rows == len(finding.places) for finding in result.findings)


HARD = [
    HH,
    HH.with_labels(user="User", assistant="Bot"),
    HH.with_labels(user="A", assistant=["AA", "BA"]),
    HH.with_labels(user="Me Too", assistant="Too"),
    HH.with_labels(user="\u00c9l\u00e8ve", assistant="\u0130"),
    *(Dialect.from_file(DIALECTS / f"{name}.lark") for name in ("hashes", "user_bot")),
]


@pytest.mark.parametrize("dialect", HARD, ids=[Path(dialect.name).stem for dialect in HARD])
@given(data=st.data())
def test_advisory_codes_are_found_in_whole_columns(dialect: Dialect, data: st.DataObject) -> None:
    """Rows that are not looked at one by one carry no advisory code, whatever the labels are: all that are read do not miss one."""
    texts = data.draw(st.lists(advised_pairs(dialect), min_size=1, max_size=5))
    rows = [{"chosen": a, "rejected": b} for a, b in texts] + [{"text": a} for a, _ in texts]
    with tempfile.TemporaryDirectory() as folder:
        for number, part in enumerate((rows[: len(texts)], rows[len(texts) :])):
            source = _lines(Path(folder) / f"{number}.jsonl", part)
            codes = [item.codes for item in read(source, dialect=dialect, diagnostics="all")]
            result = check(source, dialect=dialect, places=EVERYWHERE)

            expected = {code: [row for row, found in enumerate(codes) if code in found] for code in CHECKED}
            assert _rows(result) == {code: rows for code, rows in expected.items() if rows}


def test_regular_rows_are_not_read_one_by_one() -> None:
    """Of rows without any code but few are looked at one by one, though advisory codes are looked for."""
    assert Sieve.of(HH.table) is not None
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(BatchConverter, "_judged") as judged:
        result = check(_lines(Path(folder) / "rows.jsonl", pairs(50)))

    assert (result.rows, result.clean_rows, judged.call_count) == (50, 50, 0)


def test_structural_codes_are_found_by_column() -> None:
    """Where only structural codes are asked for, regular rows are looked at by column, and the others alone one by one."""
    with mock.patch.object(BatchConverter, "_judged", autospec=True, side_effect=BatchConverter._judged) as judged:  # noqa: SLF001  # what is counted
        result = check(PAIRS, select=["structural"])

    # It is called once to see whether a regular row is taken, at most.
    assert judged.call_count <= result.rows - result.clean_rows + 1


def test_sources_are_added_up_in_their_order(tmp_path: Path) -> None:
    """Of several sources the counts are added, and the first places are those of the first."""
    one = _lines(tmp_path / "one.jsonl", [{"text": "a"}, *talks(2)])
    other = _lines(tmp_path / "other.jsonl", [{"text": "b"}, {"text": "c"}])
    result = check([other, one], select=["no-turns"], places=2)

    assert _counts(result) == {"no-turns": 3}
    assert [str(place) for place in result.findings[0].places] == [f"{other}:1", f"{other}:2"]
    assert (result.rows, result.clean_rows) == (5, 2)


def test_places_of_tables_and_of_arrays(tmp_path: Path) -> None:
    """A row of a table is named by its number, one of an array by its line, unless it shares that."""
    rows = [*talks(1), {"text": "a"}, {"text": "b"}]
    table, lines, array = (tmp_path / name for name in ("rows.parquet", "lines.json", "array.json"))
    pq.write_table(pa.Table.from_pylist(rows), table)
    lines.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]")
    array.write_text(json.dumps(rows))
    places = [[str(place) for place in check(source).findings[0].places] for source in (table, lines, array)]

    assert places == [[f"{table}#1", f"{table}#2"], [f"{lines}:3", f"{lines}:4"], [f"{array}#1", f"{array}#2"]]


def test_rows_that_were_set_aside_keep_their_places(tmp_path: Path) -> None:
    """A file of rows set aside tells of them where they were read first."""
    output = tmp_path / "out.jsonl"
    convert(PAIRS, output, to="trl")
    result = check(f"{output}.set-aside.jsonl", places=EVERYWHERE)

    assert {place.source for finding in result.findings for place in finding.places} == {str(PAIRS)}
    assert set(_rows(result)["empty-response"]) <= set(_rows(check(PAIRS, places=EVERYWHERE))["empty-response"])


def test_a_damaged_source_is_a_finding(tmp_path: Path) -> None:
    """What is left of a source that was cut off counts as one row, at the place of the damage; rows before count too."""
    source = tmp_path / "rows.jsonl.gz"
    whole = gzip.compress("".join(json.dumps(row) + "\n" for row in pairs(20_000)).encode())
    source.write_bytes(whole[: len(whole) // 2])
    result = check(source)

    (finding,) = result.findings
    assert (finding.code.name, finding.level, finding.rows) == ("source-damaged", "error", 1)
    assert result.rows == result.clean_rows + 1
    assert finding.places[0].row == result.clean_rows > 0
    assert [str(failure) for failure in result.failures] == result.as_dict()["failures"]
    assert not check(source, ignore=["source-damaged"]).failed


def test_a_source_that_cannot_be_opened_fails(tmp_path: Path) -> None:
    """One of several sources that is not there fails the check, and the others are looked through; alone it is an error."""
    there, missing = _lines(tmp_path / "rows.jsonl", talks(2)), tmp_path / "missing.jsonl"
    result = check([missing, there])

    assert (result.failed, result.rows, result.findings, len(result.failures)) == (True, 2, (), 1)
    with pytest.raises(SourceError, match=r"missing\.jsonl"):
        check(missing)


def test_what_may_have_been_read_amiss_does_not_count(tmp_path: Path) -> None:
    """Of a source that could not be read, though nothing need be wrong with it, nothing is counted, and the check fails."""
    one, other = _lines(tmp_path / "one.jsonl", [{"text": ""}]), _lines(tmp_path / "other.jsonl", talks(2))

    def failing(path: str, *rest: Any) -> Iterator[Stretch]:
        yield from stretches(path, *rest)
        if path == str(one):
            raise FaultError("expected to read the source to its end, found: a fault", source=path)

    with mock.patch("turnparse._pieces.stretches", failing):
        result = check([one, other])

    assert (result.rows, result.clean_rows, result.findings, result.failed) == (2, 2, (), True)


def test_rows_in_the_format_of_a_target() -> None:
    """Rows that were converted can be checked too: a content that would be read as another turn is found."""
    row = {"messages": [{"role": "user", "content": "a\n\nAssistant: b"}, {"role": "assistant", "content": "c"}]}
    with tempfile.TemporaryDirectory() as folder:
        source = _lines(Path(folder) / "rows.jsonl", [row])

        assert _counts(check(source, from_="messages")) == {"smuggled-turn": 1}


# Options.


def test_preset_says_what_is_an_error() -> None:
    """A code is an error where the preset would set its rows aside; the findings are the same, the worst first."""
    results = {preset: check(PAIRS, preset=preset) for preset in ("faithful", "default", "strict")}

    assert [result.failed for result in results.values()] == [False, True, True]
    for preset, result in results.items():
        assert _counts(result) == _counts(results["default"])
        assert all(finding.level == finding.code.level(preset) for finding in result.findings)
        order = [("error", "warning", "note").index(finding.level) for finding in result.findings]
        assert order == sorted(order)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"select": ["nonsense"]}, "expected a code"),
        ({"ignore": ["target-rule"]}, "only a conversion finds"),
        ({"select": ["uneven"], "ignore": ["structural"]}, "expected at least one code"),
        ({"select": "uneven"}, "expected select to be a list"),
        ({"preset": "lenient"}, "expected a preset"),
        ({"places": -1}, "expected places"),
        ({"places": "all"}, "expected places"),
        ({"dialect": "nobody"}, "nobody"),
        ({"max_row_bytes": 0}, "max_row_bytes"),
        ({"on_bytes": 1}, "on_bytes"),
    ],
)
def test_mistakes_in_the_call(options: dict[str, Any], message: str) -> None:
    """An option that is wrong is told before anything is read."""
    with pytest.raises(TurnparseError, match=message):
        check("missing.jsonl", **options)


def test_dialects_of_one_s_own_are_read(tmp_path: Path) -> None:
    """Labels and columns are named as for a conversion."""
    source = _lines(tmp_path / "rows.jsonl", [{"good": "\n\nUser: a\n\nBot: b", "bad": "\n\nUser: a\n\nBot: c"}])
    done = _run(source, "--chosen", "good", "--rejected", "bad", "--label", "user=User", "--label", "assistant=Bot")

    assert (done.exit_code, done.stdout) == (0, "rows: 1, clean: 1, with findings: 0; passed\n")


# The command.


def test_exit_codes(tmp_path: Path) -> None:
    """0 without an error, 1 with one, 2 for a mistake in the call or no source that can be read."""
    assert _run(RED_TEAM).exit_code == 0
    assert _run(PAIRS).exit_code == 1
    assert _run(PAIRS, "--select", "uneven,earlier").exit_code == 0
    assert _run(PAIRS, "--select", "uneven", "--preset", "strict").exit_code == 1
    assert _run(PAIRS, "--ignore", "structural").exit_code == 0
    assert _run(PAIRS, "--select", "nonsense").exit_code == 2
    assert _run(PAIRS, "--statistics", "--format", "sarif").exit_code == 2
    assert _run(tmp_path / "missing.jsonl").exit_code == 2
    assert _run(tmp_path / "missing.jsonl", RED_TEAM).exit_code == 1


def test_text_has_code_rows_advice_and_places() -> None:
    """The text names each code with its rows and its advice, then its first places, each on a line of its own."""
    done = _run(PAIRS, "--places", "1")

    lines = done.stdout.splitlines()
    assert f"no-turns (error), 2 rows: {CODES['no-turns'].advice}" in lines
    assert lines[lines.index(f"no-turns (error), 2 rows: {CODES['no-turns'].advice}") + 1 :][:2] == [
        f"  {PAIRS}:66",
        "  and 1 more",
    ]
    assert lines[-1] == "rows: 85, clean: 63, with findings: 22; failed"


def test_statistics_are_counts_only() -> None:
    """With --statistics there is one line a code, with no place and no advice, as JSON too."""
    done, as_object = _run(PAIRS, "--statistics"), _run(PAIRS, "--statistics", "--format", "json")
    expected = _counts(check(PAIRS))

    *lines, _ = done.stdout.splitlines()
    assert {line.split()[1]: int(line.split()[0]) for line in lines} == expected
    findings = json.loads(as_object.stdout)["findings"]
    assert {finding["code"]: finding["rows"] for finding in findings} == expected
    assert all(finding.keys() == {"code", "severity", "level", "rows"} for finding in findings)


def test_json_is_the_call(tmp_path: Path) -> None:
    """What the command prints as JSON is what the call returns, whichever way a source is given."""
    assert json.loads(_run(PAIRS, "--format", "json").stdout) == check(PAIRS).as_dict()
    piped = json.loads(_run("-", "--format", "json", stdin=PAIRS.read_bytes()).stdout)
    assert [found["rows"] for found in piped["findings"]] == [found.rows for found in check(PAIRS).findings]
    assert piped["findings"][0]["places"][0]["place"] == "-:38"
    gz = tmp_path / "rows.jsonl.gz"
    gz.write_bytes(gzip.compress(PAIRS.read_bytes()))
    assert (
        _counts(check(gz))
        == _counts(check(tmp_path))
        == _counts(check(str(tmp_path / "*.gz")))
        == _counts(check(PAIRS))
    )


@pytest.mark.parametrize("format_", ["text", "json", "github", "sarif"])
def test_nothing_of_the_data_is_printed(tmp_path: Path, format_: str) -> None:
    """Texts, keys and values are never printed, also of rows that cannot be read."""
    marked = "xyzzy"
    rows: list[Any] = [
        {"chosen": f"{marked}\n\nHuman: {marked}", "rejected": f"\n\nAssistant: <|im_start|>{marked}\n\nHuman"},
        {"transcript": f"\n\nHuman: {marked}", "rating": marked},
        {marked: marked},
        {"chosen": marked, "rejected": 1},
        [marked],
        marked,
        {"text": f"{marked}: a\n\nHuman : {marked}"},
    ]
    source = _lines(tmp_path / "rows.jsonl", rows)
    source.write_bytes(source.read_bytes() + marked.encode() + b'\n{"chosen": "' + marked.encode() + b'"\n')
    done = _run(source, "--format", format_)

    assert done.exit_code == 1
    assert marked not in done.output


# GitHub and SARIF.


def _result(names: list[str], rows: int) -> CheckResult:
    codes = tuple(code for code in CHECKED.values() if code.level() != "note")
    findings = tuple(
        Finding(
            code,
            code.level(),
            rows * len(names),
            tuple(Place(name, row + 1, row) for name in names for row in range(rows)),
        )
        for code in codes
    )
    return CheckResult(rows, 0, 0, tuple(CHECKED), "default", findings)


NAMES = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=8).filter(lambda name: name != "-")


@given(st.lists(NAMES, min_size=1, max_size=3, unique=True), st.integers(1, 15))
def test_github_commands_are_whole_and_few(names: list[str], rows: int) -> None:
    """Whatever files are called, each annotation is one line that GitHub reads back, with no more of a kind than it keeps."""
    lines = as_github(_result(names, rows)).split("\n")

    assert lines.pop() == ""
    assert lines.pop().startswith("rows: ")
    found = [re.fullmatch(r"::(error|warning|notice) ([^:\r]*)::([^\r]+)", line) for line in lines]
    kinds = [match[1] for match in found if match is not None]
    assert len(kinds) == len(found)
    assert max(kinds.count(kind) for kind in ("error", "warning", "notice")) <= MOST_ANNOTATIONS
    for match in found:
        assert match is not None
        properties = dict(part.split("=", 1) for part in match[2].split(","))
        assert properties.keys() == {"file", "line", "title"}
        assert int(properties["line"]) >= 1


@example(["A0://"], 1)
@given(st.lists(NAMES, min_size=1, max_size=3, unique=True), st.integers(0, 4))
def test_sarif_is_what_its_schema_asks_for(names: list[str], rows: int) -> None:
    """Whatever files are called, the log has the required properties, in ASCII, and its indexes and URIs are sound."""
    text = as_sarif(_result(names, rows))
    log = json.loads(text)

    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    assert log.keys() == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "turnparse"
    assert [rule["id"] for rule in driver["rules"]] == list(CHECKED)
    assert len({rule["id"] for rule in driver["rules"]}) == len(driver["rules"])
    assert run["columnKind"] == "unicodeCodePoints"
    assert all(isinstance(one["executionSuccessful"], bool) for one in run["invocations"])
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert driver["rules"][result["ruleIndex"]]["defaultConfiguration"]["level"] == result["level"]
        assert result["level"] in {"error", "warning", "note", "none"}
        assert result["message"]["text"]
        (location,) = result["locations"]
        physical = location["physicalLocation"]
        assert physical["region"]["startLine"] >= 1
        uri = physical["artifactLocation"]["uri"]
        # The characters that RFC 3986 has, and a colon only after a scheme, or in what was a URL before.
        more = "" if not is_url(uri) or uri.startswith("file:") else re.escape(":@!$&'()*+,;=")
        assert re.fullmatch(rf"(?:[A-Za-z0-9+.-]+://)?(?:[A-Za-z0-9._~/{more}-]|%[0-9A-F]{{2}})*", uri)
        assert ("uriBaseId" in physical["artifactLocation"]) == ("://" not in uri)
    assert run["originalUriBaseIds"].keys() == {"%SRCROOT%"}


def test_sarif_paths_are_relative_to_the_folder_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file below the folder of the command has a relative URI, any other an absolute one, and both lead to it."""
    (tmp_path / "here").mkdir()
    inside = _lines(tmp_path / "here" / "a b:ü.jsonl", [{"text": "x"}])
    outside = _lines(tmp_path / "c%d.jsonl", [{"text": "x"}])
    monkeypatch.chdir(tmp_path / "here")
    log = json.loads(_run(inside, outside, "--format", "sarif", "--select", "no-turns").stdout)

    found = [result["locations"][0]["physicalLocation"]["artifactLocation"] for result in log["runs"][0]["results"]]
    assert found == [
        {"uri": "a%20b%3A%C3%BC.jsonl", "uriBaseId": "%SRCROOT%"},
        {"uri": f"file://{tmp_path}/c%25d.jsonl"},
    ]
    assert unquote(found[1]["uri"]) == f"file://{outside}"


def test_sarif_of_standard_input_and_of_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input has a logical place only; of more results than GitHub shows the number is told."""
    (result,) = json.loads(_run("-", "--format", "sarif", stdin=b'{"text": ""}\n').stdout)["runs"][0]["results"]
    assert result["locations"] == [{"logicalLocations": [{"fullyQualifiedName": "-:1", "kind": "element"}]}]

    monkeypatch.setattr("turnparse._check_formats.MOST_RESULTS", 5)
    (run,) = json.loads(as_sarif(check(PAIRS)))["runs"]
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert len(run["results"]) == 5
    assert note["message"]["text"].startswith(f"{sum(_counts(check(PAIRS)).values()) - 5} results were left out")


def test_urls_are_told_as_they_are() -> None:
    """A file elsewhere keeps its URL in SARIF, and is no file of the repository for GitHub."""
    place = Place("https://example.org/a b.jsonl", 3, 2)
    code = CODES["no-turns"]
    result = CheckResult(3, 2, 0, ("no-turns",), "default", (Finding(code, "error", 1, (place,)),))

    physical = json.loads(as_sarif(result))["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert physical == {"artifactLocation": {"uri": "https://example.org/a%20b.jsonl"}, "region": {"startLine": 3}}
    assert as_github(result).startswith("::error title=turnparse%3A no-turns::https://example.org/a b.jsonl:3: ")


def test_reports_are_printable() -> None:
    """No report holds a control character, whatever a file is called."""
    result = _result(["\x1b[31m\u202e\x7f\x9b.jsonl"], 2)
    for text in (as_text(result), as_statistics(result), as_json(result), as_github(result), as_sarif(result)):
        assert text.replace("\n", "").isprintable()
