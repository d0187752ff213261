"""Check every target by its consumer's own code, each in an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console

# The modules are named `conformance`, as the other modules that tests share are: tests are no package.
sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

from conformance.check import Consumer  # noqa: E402  # see above
from conformance.compare import Outcome  # noqa: E402
from conformance.environments import consumers, python_of, surroundings  # noqa: E402
from conformance.results import FILE, Result, load, merge, table  # noqa: E402
from conformance.sources import sources  # noqa: E402


@click.command()
@click.argument("names", metavar="[CONSUMER...]", nargs=-1)
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=lambda: os.environ.get("TURNPARSE_DATA"),
    help="A folder with files of pairs, *.jsonl.gz, beside the samples; by default TURNPARSE_DATA.",
)
@click.option(
    "--environments",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder for the environments, in which they are used again; by default one that is removed.",
)
@click.option("--keep", is_flag=True, help="Keep the environments, and what the consumers said, in that folder too.")
@click.option(
    "--results", type=click.Path(dir_okay=False, path_type=Path), default=FILE, help="Where results are kept."
)
def main(names: tuple[str, ...], data: Path | None, environments: Path | None, keep: bool, results: Path) -> None:  # noqa: FBT001
    """Check every target, or those of the consumers that are named."""
    console = Console(width=None if sys.stdout.isatty() else 200)
    with ExitStack() as stack:
        if environments is None:
            environments = Path(tempfile.mkdtemp(prefix="turnparse-conformance-"))
            if keep:
                stack.callback(console.print, f"Kept {environments}")
            else:
                stack.callback(shutil.rmtree, environments)
        environments.mkdir(parents=True, exist_ok=True)
        found = [result for chosen in _named(names) for result in _checked(*chosen, data, environments, console)]
    merge(results, found)
    console.print(table(found))
    held = sum(result.held for result in found)
    console.print(f"{held} of {len(found)} checks held; {results} now has {len(load(results))}")
    sys.exit(0 if found and held == len(found) else 1)


def _named(names: Sequence[str]) -> Iterator[tuple[str, Consumer]]:
    """Yield the modules and consumers of these names, either's, or all; raises of a name that nothing has."""
    known = consumers()
    for name in names or known:
        module = name.replace("-", "_").lower()
        if module not in known:
            raise click.BadParameter(f"expected a consumer ({', '.join(known)}), found {name!r}")
        yield module, known[module]


def _checked(module: str, consumer: Consumer, data: Path | None, environments: Path, console: Console) -> list[Result]:
    """Return the results of a consumer's checks, made in its environment; what it says goes to a file beside that."""
    log = environments / f"{module}.log"
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "results.json"
        inputs = [str(source) for source in sources(data, Path(folder))]
        try:
            console.print(f"{consumer.name}: installing")
            python = python_of(consumer, environments, log)
            console.print(f"{consumer.name}: checking")
            command = [str(python), "-m", "conformance.run_inside", module, str(into), *inputs]
            with log.open("ab") as told:
                subprocess.run(
                    command, check=True, stdout=told, stderr=told, cwd=folder, env=surroundings(Path(folder))
                )
        except subprocess.CalledProcessError as error:
            problem = f"stopped with {error.returncode}, see {log}"
            return [Result.of(consumer, check, {"": Outcome(problem=problem)}) for check in consumer.checks]
        return load(into)


if __name__ == "__main__":
    main()
