"""The built wheel holds everything, and works where there is no checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_holds_grammar_samples_and_types(wheel: Path) -> None:
    """The wheel has the grammar inside the package, the samples, and the mark that it is typed; nothing beside it."""
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {
        "turnparse/grammar/hh.lark",
        "turnparse/samples/pairs.jsonl",
        "turnparse/samples/red_team.jsonl",
        "turnparse/samples/damaged.jsonl",
        "turnparse/py.typed",
        "turnparse/targets/trl.py",
    } <= names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"turnparse"}


@pytest.mark.parametrize("zipped", [False, True], ids=["unpacked", "zipped"])
def test_wheel_works_outside_the_checkout(wheel: Path, tmp_path: Path, *, zipped: bool) -> None:
    """The wheel's own files parse and convert, unpacked or imported from the zip, with no checkout in sight."""
    home = wheel if zipped else tmp_path / "site"
    if not zipped:
        zipfile.ZipFile(wheel).extractall(home)
    code = (
        "import turnparse, sys; assert turnparse.__file__.startswith(sys.argv[1]), turnparse.__file__; "
        "print(turnparse.parse('\\n\\nHuman: Hi').messages())"
    )
    # -P keeps the current folder out of the path; PYTHONPATH comes before an editable install.
    result = subprocess.run(
        [sys.executable, "-P", "-c", code, str(home)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.stdout == "[{'role': 'user', 'content': 'Hi'}]\n", result.stderr


def test_the_command_of_the_wheel_is_there(wheel: Path, tmp_path: Path) -> None:
    """What the wheel names as its command can be called."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    (found,) = distributions(path=[str(tmp_path)])
    (script,) = found.entry_points
    module, _, call = script.value.partition(":")
    code = f"import sys; sys.argv[0] = 'turnparse'; from {module} import {call}; {call}()"
    command = [sys.executable, "-P", "-c", code, "--version"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert (script.name, done.stdout) == ("turnparse", f"turnparse, version {found.version}\n"), done.stderr
