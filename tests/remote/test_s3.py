"""S3 as source and output, by s3fs against moto's server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import turnparse
from remote.conftest import BUCKET, left_in
from turnparse import OptionError, OutputError
from turnparse._remote_files import MOST_PARTS, in_parts
from written import FORMATS, all_in, as_lines, files_in, pairs

PAIRS = (Path(turnparse.__file__).parent / "samples" / "pairs.jsonl").read_bytes()
IN = f"s3://{BUCKET}/in"
OUT = f"s3://{BUCKET}/out/"


def held(s3: Any, folder: str) -> dict[str, bytes]:
    """Return {path in a folder of the bucket: content}."""
    s3.invalidate_cache()
    root = f"{BUCKET}/{folder}"
    return {path.removeprefix(f"{root}/"): s3.cat_file(path) for path in s3.find(root)}


def unfinished(s3: Any) -> list[Any]:
    """Return the uploads in parts that are neither completed nor given up."""
    uploads: list[Any] = s3.call_s3("list_multipart_uploads", Bucket=BUCKET).get("Uploads", [])
    return uploads


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_goes_out_and_comes_in(s3: Any, tmp_path: Path, spool: Path, ending: str) -> None:
    """The bytes are those of a local run, and what was written is read again as a local file is."""
    (tmp_path / "in").mkdir()
    for name in ("x.jsonl", "y.jsonl"):
        (tmp_path / "in" / name).write_bytes(as_lines(pairs(40)) + b"{\n")
        s3.pipe_file(f"{BUCKET}/in/{name}", as_lines(pairs(40)) + b"{\n")
    turnparse.convert(tmp_path / "in", f"{tmp_path / 'out'}/", to="trl", format=ending)
    turnparse.convert(IN, OUT, to="trl", format=ending)

    aside = ".set-aside.jsonl"
    expected = {path: data for path, data in files_in(tmp_path / "out").items() if not path.endswith(aside)}
    found = held(s3, "out")
    assert {path: data for path, data in found.items() if path in expected} == expected
    assert set(found) == set(all_in(tmp_path / "out"))
    assert left_in(spool) == []

    turnparse.convert(f"{tmp_path / 'out'}/x.{ending}", tmp_path / "back.jsonl", to="hh", from_="trl")
    turnparse.convert(f"{OUT}x.{ending}", f"s3://{BUCKET}/back.jsonl", to="hh", from_="trl")
    assert s3.cat_file(f"{BUCKET}/back.jsonl") == (tmp_path / "back.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("in/*.jsonl", ["y"]), ("in/**/*.jsonl*", ["a b/é@1 100%", "a/x", "y"]), ("in", ["a b/é@1 100%", "a/x", "y"])],
)
def test_patterns_and_folders(s3: Any, tmp_path: Path, pattern: str, expected: list[str]) -> None:
    """What a pattern or folder names is found as it is here, and keeps its folders and names in the store too."""
    for name in ("a/x.jsonl", "y.jsonl", "a b/é@1 100%.jsonl", "notes.txt", ".hidden.jsonl", ".hidden/x.jsonl"):
        s3.pipe_file(f"{BUCKET}/in/{name}", as_lines(pairs(1)))
    turnparse.convert(f"s3://{BUCKET}/{pattern}", f"{tmp_path}/", to="trl")
    turnparse.convert(f"s3://{BUCKET}/{pattern}", OUT, to="trl")

    assert sorted(path.removesuffix(".jsonl") for path in files_in(tmp_path)) == expected
    assert held(s3, "out").keys() == all_in(tmp_path).keys()


def test_a_name_does_not_lead_out_of_the_folder_of_outputs(s3: Any, tmp_path: Path) -> None:
    """A store of objects takes any name; what looks like a way up is refused before anything is read."""
    s3.pipe_file(f"{BUCKET}/in/../../../x.jsonl", as_lines(pairs(1)))
    with pytest.raises(OSError, match="stay in their folder"):
        turnparse.convert(f"{IN}/", f"{tmp_path / 'a' / 'b' / 'out'}/", to="trl")
    assert all_in(tmp_path) == {}


def test_outputs_that_are_there(s3: Any) -> None:
    """They are refused, gone on from, or written over, as local ones are."""
    s3.pipe_file(f"{BUCKET}/in/x.jsonl", PAIRS)
    s3.pipe_file(f"{BUCKET}/in/y.jsonl", PAIRS)
    turnparse.convert(IN, OUT, to="trl")
    expected = held(s3, "out")
    with pytest.raises(OptionError, match=r"x\.jsonl.*--force.*--resume"):
        turnparse.convert(IN, OUT, to="trl")

    s3.rm_file(f"{BUCKET}/out/y.jsonl")
    kept = s3.info(f"{BUCKET}/out/x.jsonl")["LastModified"]
    turnparse.convert(IN, OUT, to="trl", resume=True)
    assert held(s3, "out") == expected
    assert s3.info(f"{BUCKET}/out/x.jsonl")["LastModified"] == kept

    s3.pipe_file(f"{BUCKET}/out/x.jsonl", b"other")
    turnparse.convert(IN, OUT, to="trl", force=True)
    assert held(s3, "out") == expected


@pytest.mark.parametrize("name", ["o.jsonl", "o.jsonl.set-aside.jsonl"])
def test_what_appears_meanwhile_is_not_written_over(s3: Any, name: str) -> None:
    """What somebody puts there while a run is under way is kept, and no output stands beside it."""
    s3.pipe_file(f"{BUCKET}/in.jsonl", as_lines(pairs(2)))
    with pytest.raises(OutputError, match="since this run began"):
        turnparse.convert(
            f"s3://{BUCKET}/in.jsonl", f"{OUT}o.jsonl", to="trl",
            on_bytes=lambda _: s3.pipe_file(f"{BUCKET}/out/{name}", b"mine"),
        )  # fmt: skip
    assert held(s3, "out") == {name: b"mine"}


def test_a_source_that_is_changed_while_it_is_read_is_a_fault(s3: Any, tmp_path: Path) -> None:
    """What was read of it may be of neither version, so nothing of it is written."""
    s3.pipe_file(f"{BUCKET}/in.jsonl", as_lines(pairs(2)))
    with pytest.raises(turnparse.IncompleteError, match="expected the source to stay as it is"):
        turnparse.convert(
            f"s3://{BUCKET}/in.jsonl", tmp_path / "o.jsonl", to="trl",
            on_bytes=lambda _: s3.pipe_file(f"{BUCKET}/in.jsonl", as_lines(pairs(2, 5))),
        )  # fmt: skip
    assert all_in(tmp_path).keys() <= {"o.jsonl.manifest.json"}


def test_rows_are_read_one_by_one(s3: Any) -> None:
    """``turnparse.read`` takes URLs too."""
    s3.pipe_file(f"{BUCKET}/in.jsonl", as_lines(pairs(3)))
    assert [row.line for row in turnparse.read(f"s3://{BUCKET}/in.jsonl")] == [1, 2, 3]


def test_there_are_never_more_parts_than_s3_takes() -> None:
    """A part is as large as the file asks for, up to the 5 TiB that an object may have."""
    for size in (0, 1, 1 << 24, (1 << 24) * MOST_PARTS, (1 << 24) * MOST_PARTS + 1, 5 << 40):
        part = in_parts(size)["chunksize"]
        assert -(-size // part) <= MOST_PARTS


@pytest.mark.parametrize("failing", ["upload_part", "complete_multipart_upload"])
def test_a_part_that_fails_leaves_nothing(s3: Any, spool: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    """An upload in parts of which one never gets there leaves neither a file nor parts, and the run can be made again."""
    monkeypatch.setattr("turnparse._remote_files.PART_BYTES", 5 << 20)
    rows = as_lines([{"text": f"\n\nHuman: {n}\n\nAssistant: {str(n) * 400_000}"} for n in range(30)])
    s3.pipe_file(f"{BUCKET}/in.jsonl", rows)
    kind = type(s3)
    real = kind._call_s3  # noqa: SLF001  # where each request of s3fs goes through
    calls = []

    async def call(self: Any, method: str, *arguments: Any, **options: Any) -> Any:
        calls.append(method)
        if method == failing and options.get("PartNumber", 3) == 3:
            raise ConnectionResetError(104, "Connection reset by peer")
        return await real(self, method, *arguments, **options)

    monkeypatch.setattr(kind, "_call_s3", call)
    with pytest.raises(OutputError, match="Connection reset"):
        turnparse.convert(f"s3://{BUCKET}/in.jsonl", f"{OUT}o.jsonl", to="messages")
    assert failing in calls
    assert (held(s3, "out"), unfinished(s3), left_in(spool)) == ({}, [], [])

    monkeypatch.setattr(kind, "_call_s3", real)
    turnparse.convert(f"s3://{BUCKET}/in.jsonl", f"{OUT}o.jsonl", to="messages")
    assert len(held(s3, "out")["o.jsonl"]) > len(rows)
    assert unfinished(s3) == []
