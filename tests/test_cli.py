"""The command does what it says: exit codes, pipes, counts on standard error, help that shows how; no traceback."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import turnparse
from turnparse import CODES, Code, Dialect, Summary, convert
from turnparse._cli import main
from turnparse._codes import PRESETS

SAMPLES = Path(turnparse.__file__).parent / "samples"
PAIRS = SAMPLES / "pairs.jsonl"
RED_TEAM = SAMPLES / "red_team.jsonl"
COMMANDS = sorted(main.commands)

GOOD = {"chosen": "\n\nHuman: Hi\n\nAssistant: Hello.", "rejected": "\n\nHuman: Hi\n\nAssistant: No."}
GOOD_LINE = json.dumps(GOOD).encode() + b"\n"
RECORD = {
    "prompt": [{"role": "user", "content": "Hi"}],
    "chosen": [{"role": "assistant", "content": "Hello."}],
    "rejected": [{"role": "assistant", "content": "No."}],
}


def _run(*arguments: str | Path, stdin: bytes = b"") -> Result:
    """Run the command in this process. What it did not catch is raised here, tracebacks and all."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin, catch_exceptions=False)


def _run_apart(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a process of its own, which must end without a traceback."""
    defaults: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
    if "input" in options:
        del defaults["stdin"]
    done = subprocess.run(
        [sys.executable, "-m", "turnparse", *arguments],
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
        **(defaults | options),
    )
    _no_traceback(done.stderr)
    return done


def _shell(script: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a shell script in a folder, where ``$TURNPARSE`` is the command; it must end without a traceback."""
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=folder,
        env=os.environ | {"TURNPARSE": f"{sys.executable} -m turnparse"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    )
    _no_traceback(done.stderr)
    return done


def _no_traceback(stderr: bytes) -> None:
    for sign in (b"Traceback", b"Exception ignored", b"Error:\n"):
        assert sign not in stderr


def _source(folder: Path, data: bytes = GOOD_LINE, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _records(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.split(b"\n") if line]


# What is written, and the exit code.


def test_a_file_is_converted(tmp_path: Path) -> None:
    """The main job: one file in, one file out, exit code 0, nothing on standard output, a summary on standard error."""
    output = tmp_path / "out.jsonl"
    done = _run("convert", _source(tmp_path), "--to", "trl", "--output", output)

    assert (done.exit_code, done.stdout) == (0, "")
    assert _records(output.read_bytes()) == [RECORD]
    assert done.stderr.startswith("rows in: 1, rows out: 1, rows set aside: 0, records out: 1, blank lines: 0\n")


def test_the_command_is_the_call(tmp_path: Path) -> None:
    """Every option of the command reaches the call: both write the same bytes."""
    by_call, by_command = tmp_path / "call", tmp_path / "command"
    for folder in (by_call, by_command):
        folder.mkdir()
    summary = convert(
        [PAIRS, RED_TEAM],
        by_call / "out.jsonl.gz",
        to="messages",
        preset="strict",
        policies={"uneven": "keep", "same-speaker": "merge"},
        diagnostics="all",
        side="rejected",
        keep_columns=True,
        set_aside=by_call / "aside.jsonl",
        summary=by_call / "summary.json",
    )
    done = _run(
        *(
            "convert",
            PAIRS,
            RED_TEAM,
            "--to",
            "messages",
            "--output",
            by_command / "out.jsonl.gz",
            "--preset",
            "strict",
        ),
        *("--policy", "uneven=keep", "--policy", "same-speaker=merge", "--diagnostics", "all", "--side", "rejected"),
        *("--keep-columns", "--set-aside", by_command / "aside.jsonl", "--summary", by_command / "summary.json"),
    )

    assert done.exit_code == 0
    names = ["aside.jsonl", "out.jsonl.gz", "out.jsonl.gz.manifest.json", "summary.json"]
    assert sorted(path.name for path in by_command.iterdir()) == names
    assert [(by_call / name).read_bytes() for name in names] == [(by_command / name).read_bytes() for name in names]
    assert json.loads((by_command / "summary.json").read_bytes()) == summary.as_dict()


def test_control_tokens_is_a_policy(tmp_path: Path) -> None:
    """``--control-tokens`` is a policy by its own name: both do the same, and where they differ it is bad usage."""
    source = _source(tmp_path, GOOD_LINE.replace(b"Hello.", b"Hello.<|im_end|>"))
    call = ["convert", str(source), "--output", "-"]
    by_name = _run(*call, "--control-tokens", "escape")
    policy = ["--policy", "control-token=escape"]

    assert _records(by_name.stdout_bytes)[0]["chosen"][0]["content"] == "Hello.<\u200b|im_end|>"
    assert "rows by code: control-token 1" in by_name.stderr
    for same in (_run(*call, *policy), _run(*call, *policy, "--control-tokens", "escape")):
        assert (same.exit_code, same.stdout, same.stderr) == (0, by_name.stdout, by_name.stderr)
    for wrong in (["keep", *policy], ["set-aside", *policy], ["escape", "--policy", "control-token=\x1b"], ["drop"]):
        done = _run(*call, "--control-tokens", *wrong)
        assert (done.exit_code, done.stdout) == (2, "")
        assert "control" in done.stderr
        assert "\x1b" not in done.stderr


def test_columns_can_be_named(tmp_path: Path) -> None:
    """Options name the columns, of pairs and of single dialogues."""
    row = json.dumps({"good": GOOD["chosen"], "bad": GOOD["rejected"]}).encode()
    done = _run("convert", _source(tmp_path, row), "--chosen", "good", "--rejected", "bad", "-o", "-")
    assert _records(done.stdout_bytes) == [RECORD]

    row = json.dumps({"dialog": GOOD["chosen"]}).encode()
    done = _run("convert", _source(tmp_path, row), "--transcript", "dialog", "--to", "messages", "-o", "-")
    assert _records(done.stdout_bytes) == [{"messages": RECORD["prompt"] + RECORD["chosen"]}]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows"])
@pytest.mark.parametrize("data", [GOOD_LINE, b"[" + GOOD_LINE + b"]"], ids=["lines", "array"])
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
def test_every_kind_of_source_is_read(tmp_path: Path, name: str, data: bytes, *, zipped: bool) -> None:
    """Lines and arrays, compressed or not, are read under any name, and from standard input too."""
    data = gzip.compress(data) if zipped else data
    for done in (
        _run("convert", _source(tmp_path, data, name), "--output", "-"),
        _run("convert", "-", "--output", "-", stdin=data),
    ):
        assert done.exit_code == 0
        assert _records(done.stdout_bytes) == [RECORD]


def test_rows_set_aside_are_no_failure(tmp_path: Path) -> None:
    """A row set aside in a file is accounted for: exit code 0, and the summary counts its code."""
    output = tmp_path / "out.jsonl"
    done = _run("convert", _source(tmp_path, b"{\n" + GOOD_LINE + b'{"a": 1}\n'), "--output", output)

    assert done.exit_code == 0
    assert "rows set aside: 2" in done.stderr
    assert "rows by code: bad-json 1, no-known-column 1" in done.stderr
    aside = _records((tmp_path / "out.jsonl.set-aside.jsonl").read_bytes())
    assert [(record["line"], record["codes"]) for record in aside] == [(1, ["bad-json"]), (3, ["no-known-column"])]


def test_rows_set_aside_need_a_file_of_their_own(tmp_path: Path) -> None:
    """To standard output what can be written is written; a row to set aside without a file is exit code 1."""
    source = _source(tmp_path, GOOD_LINE + b"{\n")
    done = _run("convert", source, "--output", "-", "--summary", tmp_path / "summary.json")
    assert (done.exit_code, _records(done.stdout_bytes)) == (1, [RECORD])
    assert "rows set aside: 1" in done.stderr
    assert "--set-aside" in done.stderr
    assert json.loads((tmp_path / "summary.json").read_bytes())["rows_set_aside"] == 1

    done = _run("convert", source, "--output", "-", "--set-aside", tmp_path / "aside.jsonl")
    assert (done.exit_code, _records(done.stdout_bytes)) == (0, [RECORD])
    assert [record["raw"] for record in _records((tmp_path / "aside.jsonl").read_bytes())] == ["{"]

    done = _run("convert", _source(tmp_path, GOOD_LINE), "--output", "-")
    assert done.exit_code == 0


def test_rows_set_aside_can_go_to_standard_output(tmp_path: Path) -> None:
    """With the records in a file, the rows set aside may go down the pipe."""
    done = _run("convert", _source(tmp_path, GOOD_LINE + b"{\n"), "-o", tmp_path / "out.jsonl", "--set-aside", "-")

    assert done.exit_code == 0
    assert [record["raw"] for record in _records(done.stdout_bytes)] == ["{"]


def test_the_summary_is_written_as_json(tmp_path: Path) -> None:
    """``--summary`` writes the counts under their documented names."""
    path = tmp_path / "summary.json"
    done = _run("convert", _source(tmp_path, GOOD_LINE + b"\n"), "-o", tmp_path / "out.jsonl", "--summary", path)

    assert done.exit_code == 0
    assert json.loads(path.read_bytes()) == {
        "rows_in": 1,
        "rows_out": 1,
        "rows_set_aside": 0,
        "records_out": 1,
        "blank_lines": 1,
        "kinds": {"pair": 1},
        "reasons": {},
        "diagnostics": {},
        "relations": {"last-turn": 1},
    }


def test_the_summary_on_standard_error_names_what_was_found(tmp_path: Path) -> None:
    """Beside the counts, standard error lists relations and codes with their rows, thousands set apart."""
    done = _run("convert", PAIRS, "--output", tmp_path / "out.jsonl", "--preset", "faithful", "--diagnostics", "all")
    expected = convert(PAIRS, tmp_path / "again.jsonl", preset="faithful", diagnostics="all")

    counts, relations, codes = done.stderr.splitlines()
    assert counts.startswith(f"rows in: {expected.rows_in}, ")
    assert relations.startswith("relations: ")
    assert codes.startswith("rows by code: ")
    for line, found in ((relations, expected.relations), (codes, expected.diagnostics)):
        listed = dict(re.findall(r"([a-z-]+) (\d+)", line.partition(": ")[2]))
        assert listed == {name: str(count) for name, count in found.items()}

    many = _run("convert", "-", "--output", "-", stdin=GOOD_LINE * 1_234)
    assert "rows in: 1,234" in many.stderr


# Exit code 1: something was not written.


@pytest.mark.parametrize("damaged", ["missing.jsonl", "cut.jsonl.gz"])
def test_one_unreadable_source_among_several_is_exit_code_1(tmp_path: Path, damaged: str) -> None:
    """What could be read is written and counted, and the damaged source is named."""
    _source(tmp_path, gzip.compress(GOOD_LINE * 100)[:-8], "cut.jsonl.gz")
    output = tmp_path / "out.jsonl"
    done = _run("convert", _source(tmp_path), tmp_path / damaged, "--output", output)

    assert done.exit_code == 1
    assert damaged in done.stderr.splitlines()[-1]
    records = _records(output.read_bytes())
    assert records[0] == RECORD
    assert f"rows out: {len(records)}," in done.stderr


@pytest.mark.parametrize("output", ["-", "out.jsonl"])
def test_a_cut_standard_input_is_exit_code_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str) -> None:
    """A pipe that breaks off inside a compressed stream costs its rest only, wherever the output goes."""
    monkeypatch.chdir(tmp_path)
    rows = b"".join(json.dumps(GOOD | {"n": number**9}).encode() + b"\n" for number in range(3_000))
    done = _run("convert", "-", "--output", output, "--set-aside", "aside.jsonl", stdin=gzip.compress(rows)[:-30])
    written = done.stdout_bytes if output == "-" else (tmp_path / output).read_bytes()

    assert done.exit_code == 1
    assert f"rows out: {len(_records(written)):,}," in done.stderr
    assert _records(written)[0] == RECORD


@pytest.mark.parametrize("output", ["nowhere/out.jsonl", "rows.jsonl/out.jsonl", "x" * 300 + ".jsonl"])
def test_an_output_that_cannot_be_made_is_no_traceback(tmp_path: Path, output: str) -> None:
    """A folder that is not there, or a name too long, is a message and an exit code that is not 0."""
    done = _run("convert", _source(tmp_path), "--output", tmp_path / output)

    assert done.exit_code in (1, 2)
    assert done.stderr.startswith("turnparse: ")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (
            ["-o", "no/o.jsonl"],
            1,
            "no/o.jsonl: expected to write the output, found: No such file or directory; make the folder",
        ),
        (["-o", "o.jsonl", "--set-aside", "no/a.jsonl"], 1, "; make the folder 'no', and run again"),
        (
            ["-o", "o.jsonl", "--summary", "no/s.json"],
            1,
            "no/s.json: expected to write the summary, found: No such file",
        ),
        (["-o", "made/", "--summary", "made/no/s.json"], 1, "; make the folder 'made/no', and run again"),
        (
            ["-o", "rows.jsonl/"],
            2,
            "found a file: 'rows.jsonl'; leave out the slash to write that file, or name another folder",
        ),
        (["-o", "made/", "--set-aside", "rows.jsonl//"], 2, "found a file: 'rows.jsonl'; leave out the slash"),
        (
            ["-o", "rows.jsonl/o.jsonl"],
            2,
            "expected a folder to write 'rows.jsonl/o.jsonl' to, found a file: 'rows.jsonl'; name",
        ),
        (["-o", "rows.jsonl/made/"], 2, "found a file: 'rows.jsonl'; name a folder"),
        (
            ["-o", "o.jsonl", "--summary", "rows.jsonl/s.json", "--force"],
            2,
            "found a file: 'rows.jsonl'; name a folder",
        ),
    ],
    ids=str,
)
def test_a_folder_that_cannot_be_written_to_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], code: int, told: str
) -> None:
    """A folder that is missing, or is a file, is told of before anything is read or made, with what to do."""
    _source(tmp_path)
    monkeypatch.chdir(tmp_path)
    done = _run("convert", "rows.jsonl", *options)

    assert (done.exit_code, done.stdout) == (code, "")
    assert told in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_a_summary_that_cannot_be_written_is_exit_code_1(tmp_path: Path) -> None:
    """The rows were written but the summary was not: something was not written."""
    output = tmp_path / "out.jsonl"
    done = _run("convert", _source(tmp_path), "--output", output, "--summary", tmp_path / ("x" * 300))

    assert (done.exit_code, _records(output.read_bytes())) == (1, [RECORD])
    assert "expected to write the summary, found: File name too long; give it a shorter name" in done.stderr


def test_a_full_device_is_exit_code_1(tmp_path: Path) -> None:
    """An output that takes nothing more is a message, exit code 1 and no traceback, at the end of the process too."""
    with Path("/dev/full").open("wb") as full:
        done = _run_apart("convert", _source(tmp_path, GOOD_LINE * 5_000), "--output", "-", stdout=full)

    assert done.returncode == 1
    assert b"No space left on device; make room there, and run again\n" in done.stderr
    assert b"--resume" not in done.stderr


@pytest.mark.parametrize("name", ["out.jsonl", "odd\x1bname.jsonl"])
def test_a_file_that_grows_too_large_is_not_left_half_written(tmp_path: Path, name: str) -> None:
    """When the file system takes no more, there is a message, a failure, and no half of an output."""
    _source(tmp_path, GOOD_LINE * 5_000)
    done = _shell(f"ulimit -f 64; exec $TURNPARSE convert rows.jsonl --output '{name}'", tmp_path)

    assert done.returncode == 1
    assert b"File too large" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


# Exit code 2: bad usage, or nothing to read.


@pytest.mark.parametrize(
    "arguments",
    [
        ["--output", "out.csv"],
        ["--output", "."],
        ["--to", "nowhere", "--output", "out.jsonl"],
        ["--preset", "lenient", "--output", "out.jsonl"],
        ["--policy", "uneven", "--output", "out.jsonl"],
        ["--policy", "uneven=merge", "--output", "out.jsonl"],
        ["--policy", "nothing=keep", "--output", "out.jsonl"],
        ["--side", "both", "--output", "out.jsonl"],
        ["--diagnostics", "none", "--output", "out.jsonl"],
        ["--chosen", "x", "--rejected", "x", "--output", "out.jsonl"],
        ["--dialect", "nobody", "--output", "out.jsonl"],
        ["--dialect", "missing.lark", "--output", "out.jsonl"],
        ["--output", "rows.jsonl"],
        ["--set-aside", "rows.jsonl", "--output", "out.jsonl"],
        ["--summary", "rows.jsonl", "--output", "out.jsonl"],
        ["--output", "out.jsonl", "--set-aside", "out.jsonl"],
        ["--output", "-", "--set-aside", "-"],
        ["--set-aside", "aside.txt", "--output", "out.jsonl"],
        ["--nonsense", "--output", "out.jsonl"],
        [],
    ],
    ids=" ".join,
)
def test_bad_usage_is_exit_code_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    """An unknown name or value, or an output that cannot be one, is a message; nothing is made or changed."""
    source = _source(tmp_path)
    monkeypatch.chdir(tmp_path)
    done = _run("convert", "rows.jsonl", *arguments)

    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr
    assert list(tmp_path.iterdir()) == [source]
    assert source.read_bytes() == GOOD_LINE


@pytest.mark.parametrize("source", ["missing.jsonl", "*.parquet", "cut.jsonl.gz"])
def test_no_readable_source_is_exit_code_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """When no source gives a row, there is a message that names it, and no output."""
    monkeypatch.chdir(tmp_path)
    _source(tmp_path, gzip.compress(GOOD_LINE)[:20], "cut.jsonl.gz")
    done = _run("convert", source, "--output", "out.jsonl")

    assert done.exit_code == 2
    assert re.match(rf"turnparse: {re.escape(str(source))}(:1)?: expected ", done.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["cut.jsonl.gz"]


def test_no_source_is_exit_code_2() -> None:
    """A command line without a source, or with standard input twice, says what is missing or wrong."""
    assert _run("convert", "--output", "-").exit_code == 2
    assert _run("convert", "-", "-", "--output", "-").exit_code == 2


def test_messages_never_obey_hostile_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control characters in names and values are escaped on their way to a terminal."""
    monkeypatch.chdir(tmp_path)
    red = "\x1b[31m"
    for arguments in (
        [red, "-o", "out.jsonl"],
        ["-", "-o", red],
        ["-", "-o", f"{red}/out.jsonl"],
        ["-", "-o", "out.jsonl", "--to", red],
        ["-", "-o", "out.jsonl", "--policy", f"{red}=keep"],
        ["-", "-o", "out.jsonl", "--policy", red],
        ["-", "-o", "out.jsonl", "--preset", red],
        ["-", "-o", "out.jsonl", "--dialect", red],
        ["-", "-o", "out.jsonl", "--dialect", f"{red}.lark"],
        ["-", "-o", "out.jsonl", "--summary", f"{red}/summary.json"],
    ):
        done = _run("convert", *arguments)
        assert done.exit_code in (1, 2)
        assert done.stderr
        assert "\x1b" not in done.stderr


# Pipes and terminals.


def test_a_pipe_goes_through(tmp_path: Path) -> None:
    """A process of its own reads standard input and writes standard output, and only records go there."""
    done = _run_apart("convert", "-", "--to", "trl", "--output", "-", input=GOOD_LINE * 3)

    assert (done.returncode, _records(done.stdout)) == (0, [RECORD] * 3)
    assert done.stderr.startswith(b"rows in: 3, rows out: 3,")
    assert list(tmp_path.iterdir()) == []


def test_there_is_no_progress_bar_in_a_pipe(tmp_path: Path) -> None:
    """Where standard error is no terminal, it holds the summary and nothing else, and no library for bars is loaded."""
    done = _run_apart("convert", PAIRS, "--output", tmp_path / "out.jsonl")
    lines = done.stderr.decode().splitlines()
    assert [line.split(":")[0] for line in lines] == ["rows in", "relations", "rows by code"]
    assert b"\x1b" not in done.stderr
    assert b"\r" not in done.stderr

    script = f"import sys, turnparse; turnparse.convert({str(PAIRS)!r}, 'again.jsonl'); print('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, check=True, timeout=60)
    assert done.stdout == b"False\n"


def test_there_is_a_progress_bar_on_a_terminal(tmp_path: Path) -> None:
    """Where standard error is a terminal a bar is drawn and removed, the summary follows, and the output is the same."""
    plain, shown = tmp_path / "plain.jsonl", tmp_path / "shown.jsonl"
    convert(PAIRS, plain)
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process = subprocess.Popen(
            [sys.executable, "-m", "turnparse", "convert", PAIRS, "--output", shown],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            env=os.environ | {"TERM": "xterm", "COLUMNS": "80"},
        )
        os.close(theirs)
        drawn = b""
        try:
            while data := terminal.read(4096):
                drawn += data
        except OSError:
            # So a terminal says that nobody writes to it any more.
            pass
        assert process.wait(60) == 0

    _no_traceback(drawn)
    assert b"\x1b[" in drawn
    assert b"rows in: " in drawn
    assert shown.read_bytes() == plain.read_bytes()


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("$TURNPARSE convert - --output out.jsonl <&-", (2,)),
        ("$TURNPARSE convert rows.jsonl --output - >&-", (1, 2)),
    ],
    ids=["no standard input", "no standard output"],
)
def test_a_closed_stream_is_no_traceback(tmp_path: Path, script: str, code: tuple[int, ...]) -> None:
    """A process started without standard input or output, as daemons are, says so when it needs it."""
    _source(tmp_path)
    done = _shell(script, tmp_path)

    assert done.returncode in code
    assert done.stderr.startswith(b"turnparse: ")


@pytest.mark.parametrize("rows", [1, 20_000])
def test_a_reader_that_leaves_is_no_traceback(tmp_path: Path, rows: int) -> None:
    """When what reads the output ends first, as ``head`` does, the exit code is 1 and nothing is printed of Python's."""
    _source(tmp_path, GOOD_LINE * rows)
    script = "{ $TURNPARSE convert rows.jsonl --output -; echo $? >code; } | true; cat code"
    done = _shell(script, tmp_path)

    assert done.stdout.strip() == b"1"


# The other commands, and help.


@pytest.mark.parametrize("code", CODES.values(), ids=list(CODES))
def test_codes_tells_of_one(code: Code) -> None:
    """`turnparse codes CODE` says what it means, what to do about it, and what each preset does."""
    done = _run("codes", code.name)
    policies = [f"{preset}: {value}" for preset, value in zip(PRESETS, code.presets, strict=False)]

    assert done.exit_code == 0
    assert {code.meaning, code.advice, *policies} <= set(done.stdout.splitlines())


def test_a_code_that_there_is_none_of() -> None:
    """A code that is unknown is bad usage, and those that are known are named."""
    done = _run("codes", "nonsense")

    assert done.exit_code == 2
    assert "same-speaker" in done.stderr


def test_codes_lists_the_whole_table() -> None:
    """`turnparse codes` has one line for each code: what it means, what each preset does, and what may be chosen."""
    done = _run("codes")
    lines = done.stdout.splitlines()

    assert (done.exit_code, done.stderr) == (0, "")
    assert [line.split()[0] for line in lines] == ["code", *CODES]
    for line, code in zip(lines[1:], CODES.values(), strict=True):
        assert line.endswith(code.meaning)
        assert all(word in line.split() for word in (code.severity, code.scope, *code.presets, *code.choices))


def test_targets_lists_every_target(tmp_path: Path) -> None:
    """`turnparse targets` lists names that ``--to`` takes, each with what it writes."""
    done = _run("targets")
    names = [line.split()[0] for line in done.stdout.splitlines()[1:]]

    assert (done.exit_code, done.stderr) == (0, "")
    assert {"messages", "trl", "openai", "sharegpt"} <= set(names)
    for name in names:
        assert _run("convert", _source(tmp_path), "--to", name, "--output", "-").exit_code == 0
        assert _run("targets", name).exit_code == 0


def test_version_is_the_package_s() -> None:
    """``--version`` prints the version that the package has."""
    done = _run("--version")

    assert (done.exit_code, done.stdout) == (0, f"turnparse, version {turnparse.__version__}\n")


@pytest.mark.parametrize("arguments", [[], *([command] for command in COMMANDS)], ids=lambda a: " ".join(a) or "main")
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_shows_an_example(arguments: list[str], option: str) -> None:
    """The help of the command, and of each command in it, has a line that can be copied and run."""
    done = _run(*arguments, option)
    lines = [line.strip() for line in done.stdout.splitlines()]
    examples = [line for line in lines if line.startswith(" ".join(["turnparse", *arguments]))]

    assert done.exit_code == 0
    assert any(line in ("Example:", "Examples:") for line in lines)
    assert examples
    assert "\b" not in done.stdout
    assert "\\b" not in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_example_of_the_help_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """The lines that the help shows are good usage: with their sources in place, each ends with exit code 0.

    A check of the sample, which holds every oddity, ends with 1, as it should.
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    _source(tmp_path / "data")
    for name in ("train.jsonl.gz", "a.jsonl", "b.jsonl", "chats.jsonl"):
        _source(tmp_path, PAIRS.read_bytes(), name)
    _source(tmp_path, RED_TEAM.read_bytes(), "red_team_attempts.jsonl.gz")
    examples = re.findall(rf"^\s*turnparse ({command}(?: .*)?)$", _run(command, "--help").stdout, re.MULTILINE)

    assert examples
    expected = [1 if example.startswith("check train") else 0 for example in examples]
    assert [_run(*shlex.split(example)).exit_code for example in examples] == expected


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_a_dialect(tmp_path: Path, command: str) -> None:
    """``--dialect`` takes a shipped name or a file on every command, and an unknown one is bad usage on every command."""
    grammar = tmp_path / "mine.lark"
    grammar.write_text(Dialect.named().grammar, encoding="utf-8")
    arguments: list[str | Path] = [] if command in {"codes", "targets"} else [_source(tmp_path)]
    if command == "convert":
        arguments += ["--output", tmp_path / "out.jsonl", "--force"]

    assert _run(command, *arguments, "--dialect", "hh").exit_code == 0
    assert _run(command, *arguments, "--dialect", grammar).exit_code == 0
    assert _run(command, *arguments, "--dialect", "nobody").exit_code == 2
    assert _run(command, *arguments, "--dialect", tmp_path / "missing.lark").exit_code == 2


def test_a_dialect_from_a_file_is_used(tmp_path: Path) -> None:
    """Labels of one's own grammar are what markers are made of, with nothing else to be said."""
    grammar = tmp_path / "mine.lark"
    grammar.write_text(Dialect.named().grammar.replace('USER: "Human"', 'USER: "Client"'), encoding="utf-8")
    source = _source(tmp_path, GOOD_LINE.replace(b"Human", b"Client"))
    done = _run("convert", source, "--output", "-", "--dialect", grammar)

    assert (done.exit_code, _records(done.stdout_bytes)) == (0, [RECORD])


def test_an_unknown_command_is_exit_code_2() -> None:
    """A command that is not there, or none, is bad usage and says what there is."""
    assert _run("transform").exit_code == 2
    done = _run()
    assert done.exit_code == 2
    assert all(command in done.output for command in COMMANDS)


def test_an_empty_source_is_no_failure(tmp_path: Path) -> None:
    """No rows are no error: an empty output, zeros, exit code 0."""
    done = _run("convert", _source(tmp_path, b""), "-o", tmp_path / "out.jsonl", "--summary", tmp_path / "summary.json")

    assert done.exit_code == 0
    assert (tmp_path / "out.jsonl").read_bytes() == b""
    assert json.loads((tmp_path / "summary.json").read_bytes()) == Summary().as_dict()


@pytest.mark.parametrize("command", ["codes", "targets"])
def test_a_list_that_cannot_be_printed_is_exit_code_1(command: str) -> None:
    """A full device under standard output ends in a message, not in a traceback."""
    with Path("/dev/full").open("wb") as full:
        done = _run_apart(command, stdout=full)

    assert done.returncode == 1
    assert b"No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_closed_standard_error_costs_no_output(tmp_path: Path) -> None:
    """With nowhere to say anything, the rows are converted all the same."""
    _source(tmp_path)
    done = _shell("exec $TURNPARSE convert rows.jsonl --output out.jsonl 2>&-", tmp_path)

    assert done.returncode == 0
    assert (tmp_path / "out.jsonl").is_file()
