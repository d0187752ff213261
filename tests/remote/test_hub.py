"""The Hugging Face Hub as source and output, by huggingface_hub's own client against a stand-in."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import turnparse
from remote.conftest import commanded, left_in
from remote.hub import Hub
from turnparse import IncompleteError, OptionError, OutputError, SourceError
from turnparse._remote_files import _commit
from written import FORMATS, all_in, as_lines, files_in, pairs, read_back, set_aside

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # how its client calls its own

SAMPLES = Path(turnparse.__file__).parent / "samples"
PAIRS = (SAMPLES / "pairs.jsonl").read_bytes()
RED_TEAM = (SAMPLES / "red_team.jsonl").read_bytes()
"""An array, in spite of its name, as the published file is."""
SUBSETS = ("harmless-base", "helpful-base", "helpful-online", "helpful-rejection-sampled")
HH = "hf://datasets/Anthropic/hh-rlhf"


def hh_rlhf() -> dict[str, bytes]:
    """Return the files of a data set that is laid out as the published one, with the samples for rows."""
    rows = PAIRS.splitlines(keepends=True)
    files = {"README.md": b"# Not rows\n", ".gitattributes": b"*.gz filter=lfs\n"}
    for number, subset in enumerate(SUBSETS):
        for split, some in (("train", rows[number:]), ("test", rows[: 20 + number])):
            files[f"{subset}/{split}.jsonl.gz"] = gzip.compress(b"".join(some), mtime=0)
    return files | {"red-team-attempts/red_team_attempts.jsonl.gz": gzip.compress(RED_TEAM, mtime=0)}


def here(folder: Path, files: dict[str, bytes]) -> Path:
    """Write *files* into a folder."""
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def without_sources(files: dict[str, bytes]) -> dict[str, list[dict[str, object]] | bytes]:
    """Return *files* with what set-aside rows tell, but for where they came from."""
    return {
        path: [{**json.loads(line), "source": ""} for line in data.splitlines()] if "set-aside" in path else data
        for path, data in files.items()
    }


def test_the_published_data_set_is_converted_as_it_is_laid_out(hub: Hub, tmp_path: Path) -> None:
    """The command keeps folders and splits, writes the bytes that local files give, and sets the red-team attempts aside by name."""
    hub.files["Anthropic/hh-rlhf"] = hh_rlhf()
    source = here(tmp_path / "source", hh_rlhf())
    turnparse.convert(source, f"{tmp_path / 'expected'}/", to="trl")
    done = commanded(HH, "--to", "trl", "--output", f"{tmp_path / 'hh-trl'}/")

    assert done.returncode == 0, done.stderr
    found = files_in(tmp_path / "hh-trl")
    assert without_sources(files_in(tmp_path / "expected")) == without_sources(found)
    outputs = {path for path in found if "set-aside" not in path}
    assert outputs == {f"{path.removesuffix('.gz')}" for path in hh_rlhf() if path.endswith(".gz")}
    assert found["red-team-attempts/red_team_attempts.jsonl"] == b""
    refused = set_aside(tmp_path / "hh-trl" / "red-team-attempts" / "red_team_attempts.jsonl")
    assert len(refused) == len(json.loads(RED_TEAM))
    assert {row["source"] for row in refused} == {f"{HH}/red-team-attempts/red_team_attempts.jsonl.gz"}
    assert all(row["message"].startswith("the target trl takes pair rows, not red-team rows") for row in refused)
    assert not any(path.endswith(("README.md", ".gitattributes")) for path in hub.asked if "resolve" in path)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("helpful-base/*.jsonl.gz", ["test", "train"]),
        ("*/test.jsonl.gz", [f"{subset}/test" for subset in SUBSETS]),
        ("**/red*", ["red-team-attempts/red_team_attempts"]),
        ("harmless-base", ["test", "train"]),
        ("harmless-base/", ["test", "train"]),
        ("helpful-[bo]*/t?st.jsonl.gz", ["helpful-base/test", "helpful-online/test"]),
    ],
)
def test_patterns_and_folders(hub: Hub, tmp_path: Path, pattern: str, expected: list[str]) -> None:
    """What a pattern or folder names is found as it is here, below the last folder that has no pattern in its name."""
    hub.files["Anthropic/hh-rlhf"] = hh_rlhf()
    turnparse.convert(f"{HH}/{pattern}", f"{tmp_path}/", to="messages")

    outputs = [path.removesuffix(".jsonl") for path in files_in(tmp_path) if "set-aside" not in path]
    assert sorted(outputs) == expected


@pytest.mark.parametrize("revision", ["v1", "refs%2Fpr%2F3"])
def test_a_revision_is_read(hub: Hub, tmp_path: Path, revision: str) -> None:
    """After the repository's name and ``@`` stands a branch, a tag or a commit."""
    hub.files["me/data"] = {"a.jsonl": as_lines(pairs(1))}
    hub.files[f"me/data@{revision.replace('%2F', '/')}"] = {"a.jsonl": as_lines(pairs(3))}
    counts = turnparse.convert(f"hf://datasets/me/data@{revision}/a.jsonl", tmp_path / "o.jsonl", to="trl")

    assert counts.rows_in == 3


@pytest.mark.parametrize("name", ["data/train-00000-of-00001.parquet", "hh_rlhf_nosafe.jsonl", "a b/ü[1] 100%.json"])
def test_a_mirror_is_known_by_its_columns(hub: Hub, tmp_path: Path, name: str) -> None:
    """A copy under another name, as Parquet or lines, gives what the original gives."""
    rows = pairs(5)
    path = tmp_path / "x.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    hub.files["mirrors/hh-rlhf-nosafe"] = {name: path.read_bytes() if name.endswith("parquet") else as_lines(rows)}
    (tmp_path / "x.jsonl").write_bytes(as_lines(rows))
    turnparse.convert(tmp_path / "x.jsonl", tmp_path / "expected.jsonl", to="trl")
    turnparse.convert("hf://datasets/mirrors/hh-rlhf-nosafe", f"{tmp_path / 'out'}/", to="trl")

    assert list(files_in(tmp_path / "out").values()) == [(tmp_path / "expected.jsonl").read_bytes()]


def test_rows_are_read_one_by_one(hub: Hub) -> None:
    """``turnparse.read`` takes URLs too, and each row tells where it came from."""
    hub.files["Anthropic/hh-rlhf"] = hh_rlhf()
    path = f"{HH}/helpful-base/test.jsonl.gz"
    rows = list(turnparse.read(path, on_error=lambda _: None))

    assert len(rows) >= 15
    assert {row.source for row in rows} == {path}


@pytest.mark.parametrize("lfs", [False, True], ids=["regular", "lfs"])
@pytest.mark.parametrize("ending", FORMATS)
def test_outputs_are_committed_whole(hub: Hub, tmp_path: Path, spool: Path, ending: str, *, lfs: bool) -> None:
    """Each file is a commit of its own, rows set aside before their output, the manifest last; the bytes are those of a local run."""
    hub.files |= {"me/in": {"a/x.jsonl": PAIRS, "y.jsonl": PAIRS}, "me/out": {}}
    hub.lfs = lfs
    here(tmp_path / "in", hub.files["me/in"])
    turnparse.convert(tmp_path / "in", f"{tmp_path / 'out'}/", to="trl", format=ending)
    turnparse.convert("hf://datasets/me/in", "hf://datasets/me/out/", to="trl", format=ending, workers=1)

    assert without_sources(files_in(tmp_path / "out")) == without_sources(
        {path: data for path, data in hub.files["me/out"].items() if "manifest" not in path}
    )
    assert all(len(commit) == 1 for commit in hub.commits)
    order = [path for (path,) in hub.commits if "manifest" not in path]
    assert order == [f"{name}.{ending}{more}" for name in ("a/x", "y") for more in (".set-aside.jsonl", "")]
    assert hub.commits[-1] == ["turnparse-manifest.json"]
    assert left_in(spool) == []


def test_a_run_is_resumed(hub: Hub) -> None:
    """What an earlier run has finished is not put there again, and the same bytes over it make no commit."""
    hub.files |= {"me/in": {"x.jsonl": PAIRS, "y.jsonl": PAIRS}, "me/out": {}}
    turnparse.convert("hf://datasets/me/in", "hf://datasets/me/out/", to="trl")
    expected = dict(hub.files["me/out"])
    with pytest.raises(OptionError, match=r"x\.jsonl.*--resume"):
        turnparse.convert("hf://datasets/me/in", "hf://datasets/me/out/", to="trl")
    del hub.files["me/out"]["y.jsonl"]
    hub.commits.clear()
    turnparse.convert("hf://datasets/me/in", "hf://datasets/me/out/", to="trl", resume=True)

    assert hub.files["me/out"] == expected
    assert ["y.jsonl"] in hub.commits
    assert ["x.jsonl"] not in hub.commits
    hub.commits.clear()
    turnparse.convert("hf://datasets/me/in", "hf://datasets/me/out/", to="trl", force=True)
    assert (hub.files["me/out"], hub.commits) == (expected, [])


def test_rows_set_aside_go_with_the_output_that_had_them(hub: Hub) -> None:
    """A file that is not needed any more is removed, and of one that was never there no commit is made."""
    hub.files |= {"me/in": {"x.jsonl": as_lines([*pairs(1), b"{"])}, "me/out": {}}
    call = ("hf://datasets/me/in/x.jsonl", "hf://datasets/me/out/o.jsonl")
    turnparse.convert(*call, to="trl", manifest=False)
    assert set(hub.files["me/out"]) == {"o.jsonl", "o.jsonl.set-aside.jsonl"}
    hub.files["me/in"]["x.jsonl"] = as_lines(pairs(2))
    turnparse.convert(*call, to="trl", manifest=False, force=True)
    assert set(hub.files["me/out"]) == {"o.jsonl"}
    hub.commits.clear()
    turnparse.convert(*call, to="trl", manifest=False, force=True)
    assert hub.commits == []


def test_nothing_but_the_summary_is_said(hub: Hub) -> None:
    """Neither bars nor notes of the Hub's library get among what the command says, of a new file, the same, or a new try."""
    hub.files |= {"me/in": {"x.jsonl": as_lines(pairs(2))}, "me/out": {}}
    hub.trouble("GET /datasets/me/in", "503")
    for lfs in (True, False):
        hub.lfs = lfs
        done = commanded(
            "hf://datasets/me/in/x.jsonl", "--output", "hf://datasets/me/out/o.jsonl", "--force", "--no-manifest"
        )
        assert done.stderr.splitlines() == [
            "rows in: 2, rows out: 2, rows set aside: 0, records out: 2, blank lines: 0",
            "relations: last-turn 2",
        ]


def test_a_private_repository_is_read_and_written_with_a_token(hub: Hub, tmp_path: Path) -> None:
    """The token comes from where the Hub's own tools have it, without it the message says so, and it is shown nowhere."""
    hub.files |= {"me/private": {"x.jsonl": PAIRS}}
    hub.token = "hf_verysecret"  # noqa: S105  # it opens the stand-in
    arguments = ("hf://datasets/me/private/x.jsonl", "--provenance", "--output")
    done = commanded(*arguments, tmp_path / "o.jsonl")
    assert done.returncode == 2
    assert "HF_TOKEN" in done.stderr

    done = commanded(*arguments, "hf://datasets/me/private/o.jsonl", HF_TOKEN=hub.token)
    assert done.returncode == 0, done.stderr
    done = commanded(*arguments, tmp_path / "o.jsonl", HF_TOKEN=hub.token)
    assert done.returncode == 0, done.stderr
    written = [*all_in(tmp_path).values(), *hub.files["me/private"].values()]
    assert len(written) >= 7
    assert not any(b"verysecret" in data for data in [*written, done.stderr.encode(), done.stdout.encode()])


def test_a_card_is_put_beside_the_outputs(hub: Hub) -> None:
    """A dataset card goes to the Hub with the outputs, is the same when the run is resumed, and names no secrets."""
    hub.files |= {"Anthropic/hh-rlhf": hh_rlhf(), "me/out": {}}
    turnparse.convert(HH, "hf://datasets/me/out/", to="trl", card=True)
    first = hub.files["me/out"]["README.md"]
    turnparse.convert(HH, "hf://datasets/me/out/", to="trl", card=True, resume=True)

    assert hub.files["me/out"]["README.md"] == first
    assert b"Anthropic/hh-rlhf" in first
    assert b'license: "mit"' in first


def test_a_repository_that_is_not_there_is_told_before_anything_is_read(hub: Hub) -> None:
    """Nothing is converted for a place that cannot take it."""
    hub.files["me/in"] = {"x.jsonl": PAIRS}
    with pytest.raises(OutputError, match="no such repository"):
        turnparse.convert("hf://datasets/me/in", "hf://datasets/me/none/", to="trl")
    assert not any("resolve" in asked for asked in hub.asked)
    with pytest.raises(SourceError, match="no such repository"):
        turnparse.convert("hf://datasets/me/none", "hf://datasets/me/in/", to="trl")


def test_what_the_hub_leaves_out_is_not_taken_for_written(hub: Hub) -> None:
    """A file that the repository's ``.gitignore`` names is not committed, and the Hub does not say so."""
    hub.files |= {"me/in": {"x.jsonl": as_lines(pairs(2))}, "me/out": {}}
    hub.ignored = "*.jsonl"
    with pytest.raises(OutputError, match="gitignore"):
        turnparse.convert("hf://datasets/me/in", "hf://datasets/me/out/", to="trl")
    assert hub.files["me/out"] == {}


def test_what_appears_meanwhile_is_not_written_over(hub: Hub) -> None:
    """A file that somebody commits while a run is under way is kept."""
    hub.files |= {"me/in": {"x.jsonl": PAIRS}, "me/out": {}}
    hub.on_read = lambda _: hub.files["me/out"].update({"x.jsonl": b"mine"})
    with pytest.raises(OutputError, match="since this run began"):
        turnparse.convert("hf://datasets/me/in", "hf://datasets/me/out/", to="trl")

    assert {path: data for path, data in hub.files["me/out"].items() if "manifest" not in path} == {"x.jsonl": b"mine"}


def test_a_source_is_not_written_over(hub: Hub) -> None:
    """A file is known as itself by its branch too."""
    hub.files["me/in"] = {"x.jsonl": PAIRS}
    with pytest.raises(OptionError, match="different files"):
        turnparse.convert("hf://datasets/me/in/x.jsonl", "hf://datasets/me/in@main/x.jsonl", to="trl", force=True)


def test_a_source_that_is_changed_while_it_is_read_is_a_fault(hub: Hub, tmp_path: Path) -> None:
    """What was read of it may be of neither version, so nothing of it is written."""
    hub.files["me/in"] = {"x.jsonl": PAIRS, "y.jsonl": PAIRS}
    hub.on_read = lambda path: hub.files["me/in"].update({"x.jsonl": PAIRS[:-1] + b" "}) if path == "x.jsonl" else None
    with pytest.raises(IncompleteError, match=r"x\.jsonl: expected the source to stay as it is"):
        turnparse.convert("hf://datasets/me/in", f"{tmp_path}/", to="trl")

    assert {path for path in files_in(tmp_path) if "set-aside" not in path} == {"y.jsonl"}
    assert read_back(tmp_path / "y.jsonl")


def test_a_bucket_is_given_the_whole_file(hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Buckets have no commits: a file is handed over, and its size compared, as of a repository."""
    from huggingface_hub import HfApi

    taken = {}

    def take(_: HfApi, name: str, *, add: list[tuple[str, str]]) -> None:
        taken.update({f"{name}/{path}": Path(here).read_bytes() for here, path in add})

    monkeypatch.setattr(HfApi, "batch_bucket_files", take, raising=False)
    (tmp_path / "x").write_bytes(b"rows")
    bucket = SimpleNamespace(
        endpoint=hub.url,
        token=None,
        resolve_path=lambda _: SimpleNamespace(bucket_id="me/bucket", path="a/x.jsonl"),
        info=lambda _: {"size": len(taken["me/bucket/a/x.jsonl"])},
    )
    _commit(bucket, str(tmp_path / "x"), "buckets/me/bucket/a/x.jsonl")
    assert taken == {"me/bucket/a/x.jsonl": b"rows"}
    bucket.info = lambda _: {"size": 3}
    with pytest.raises(ConnectionError, match="3 bytes now"):
        _commit(bucket, str(tmp_path / "x"), "buckets/me/bucket/a/x.jsonl")
