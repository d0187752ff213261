"""The README's fences: what the tests run of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
FENCES: Final[list[tuple[str, str]]] = re.findall(r"^```([^\n]*)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
"""The language of each, and what is in it."""

ENGINES: Final = {
    "datasets": ("datasets",),
    "duckdb": ("duckdb",),
    "pandas": ("pandas",),
    "polars": ("polars",),
    "ray": ("ray.data",),
    "spark": ("pyspark", "pandas"),
}
"""{what a fence of Python names after its language: the modules that it needs}."""
