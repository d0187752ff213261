"""What runs within a consumer's environment: all its checks of all sources."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from conformance.check import Consumer
from conformance.compare import compared
from conformance.results import Result, save
from conformance.stubs import stub


def results_of(consumer: Consumer, sources: Sequence[Path]) -> list[Result]:
    """Make the checks of a consumer, which must be installed."""
    stub(consumer.stubbed)
    made = []
    for check in consumer.checks:
        outcomes = {}
        for source in sources:
            with tempfile.TemporaryDirectory() as folder:
                outcomes[source.name] = compared(check, source, Path(folder))
        made.append(Result.of(consumer, check, outcomes))
    return made


def main(module: str, into: str, *sources: str) -> None:
    """Write the results of the consumer in *module* to a file."""
    consumer: Consumer = import_module(f"conformance.consumers.{module}").CONSUMER
    save(Path(into), results_of(consumer, [Path(source) for source in sources]))


if __name__ == "__main__":
    main(*sys.argv[1:])
