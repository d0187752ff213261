"""The README's commands that need a network run, against the stand-ins."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from remote.hub import Hub
from remote.test_hub import hh_rlhf
from written import all_in

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_commands_of_files_elsewhere_run(hub: Hub, s3: Any, tmp_path: Path) -> None:
    """Each does what the text beside it says."""
    section = README.split("\n### Files elsewhere\n")[1].split("\n### ")[0]
    (block,) = re.findall(r"^```text\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    hub.files |= {"Anthropic/hh-rlhf": hh_rlhf(), "me/hh": {}}
    lines = [line for line in block.splitlines() if " convert " in line]
    assert len(lines) == 3
    for line in lines:
        program, *arguments = shlex.split(line.replace("https://huggingface.co", hub.url))
        assert program == ".venv/bin/turnparse"
        done = subprocess.run(
            [sys.executable, "-m", "turnparse", *arguments],
            cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stderr}"

    entries = json.loads(all_in(tmp_path)["hh-trl/turnparse-manifest.json"])["outputs"]
    assert {path.partition("/")[0] for path in entries} == {path.partition("/")[0] for path in hh_rlhf() if "/" in path}
    assert len(entries) == 9
    assert {path for path in s3.find("bucket/hh") if path.endswith(".parquet")} == {
        f"bucket/hh/helpful-{name}/test.parquet" for name in ("base", "online", "rejection-sampled")
    }
    assert hub.files["me/hh"].keys() == {"test.jsonl", "test.jsonl.manifest.json"}
