"""Ray Data: the rows of the local runner, also when a worker dies."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

import turnparse
from engines.rows import Local

# What Ray says of itself when Ray Data is imported.
pytestmark = pytest.mark.filterwarnings("ignore:`use_.*` is deprecated:DeprecationWarning")


@pytest.fixture(scope="module")
def data(ray: Any) -> Any:  # noqa: ARG001  # which is started
    """Return Ray Data, quiet."""
    data: Any = pytest.importorskip("ray.data")
    context = data.DataContext.get_current()
    context.enable_progress_bars = False
    # Blocks come in the order of the input only if that is asked for.
    context.execution_options.preserve_order = True
    return data


@pytest.mark.parametrize("batch_format", ["pyarrow", "numpy", "pandas"])
def test_the_rows_are_those_of_the_local_runner(data: Any, local: Local, batch_format: str) -> None:
    """Rows are written and set aside as by `turnparse.convert`, whatever Ray hands over; dictionaries of NumPy's arrays are usual."""
    converter = turnparse.Converter(keep_columns=True)
    made = data.from_arrow(local.table).repartition(4).map_batches(converter, batch_format=batch_format, batch_size=50)

    local.check(made.take_all())


def test_a_worker_is_killed(data: Any, local: Local, tmp_path: Path) -> None:
    """When a worker is killed in the middle the result is complete, and the same."""
    converter = turnparse.Converter(keep_columns=True)
    died = tmp_path / "died"

    def convert(batch: Any) -> Any:
        if 200 in batch["id"].to_pylist() and not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return converter(batch)

    made = data.from_arrow(local.table).repartition(6).map_batches(convert, batch_format="pyarrow", batch_size=20)
    local.check(made.take_all())
    assert died.exists()
