"""What the tests of engines share: the rows, what the local runner makes of them, and engines on the loopback interface."""

from __future__ import annotations

import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.loopback import RAY, SPARK

# Its checks are to say what differs.
pytest.register_assert_rewrite("engines.rows")

if TYPE_CHECKING:
    from engines.rows import Local


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Local:
    """Return the rows that engines are given, and what the local runner makes of them."""
    # Strategies are not to be made while pytest reads this file.
    from engines.rows import made_locally

    return made_locally(tmp_path_factory.mktemp("local"))


@pytest.fixture(scope="session")
def environment() -> Iterator[pytest.MonkeyPatch]:
    """Return what changes the environment for as long as the session is."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="session")
def ray(environment: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return Ray, started on two cores, and out of reach for other machines."""
    assert "ray" not in sys.modules, "Ray is imported already: it takes no notice of its environment any more"
    for name, value in RAY.items():
        environment.setenv(name, value)
    # Else it writes one of its own into the home folder.
    environment.setenv("RAY_AUTH_TOKEN", secrets.token_hex())
    module: Any = pytest.importorskip("ray")
    # Not where pytest has its folders: the path of a socket is short.
    folder = tempfile.mkdtemp(prefix="ray-")
    module.init(
        num_cpus=2, include_dashboard=False, object_store_memory=100 << 20, log_to_driver=False, _temp_dir=folder
    )
    yield module
    module.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def spark(environment: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a session of Spark, on two cores and with four attempts a task, out of reach for other machines."""
    pytest.importorskip("pandas", reason="Spark's mapInArrow asks for pandas")
    sql: Any = pytest.importorskip("pyspark.sql")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    for name, value in (SPARK | {"PYSPARK_PYTHON": sys.executable}).items():
        environment.setenv(name, value)
    session = sql.SparkSession.builder.master("local[2,4]").appName("turnparse").getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()
