"""Fuzz what reads texts, tables and files, each target in a process of its own; needs atheris (`pip install -e '.[fuzz]'`)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

# The modules are named `fuzz`, as the other modules that tests share are: tests are no package.
sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

from fuzz.process import Figures, fuzz  # noqa: E402  # see above
from fuzz.target import CRASHES, Target  # noqa: E402
from fuzz.targets import TARGETS  # noqa: E402

PLANT_MINUTES = 5


@click.command()
@click.argument("names", metavar="[TARGET...]", nargs=-1)
@click.option("--minutes", type=float, help="How long each target is fuzzed; by default 10, with --plant at most 5.")
@click.option(
    "--corpus",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder for what is found worth keeping, to go on from another time; by default one that is removed.",
)
@click.option("--jobs", type=click.IntRange(1), default=1, help="How many targets are fuzzed at a time; by default 1.")
@click.option("--plant", is_flag=True, help="Plant a bug in each target, and tell how long it takes to be found.")
@click.option(
    "--crashes",
    type=click.Path(file_okay=False, path_type=Path),
    default=CRASHES,
    help="Where inputs are kept that something is wrong with; by default tests/fuzz/crashes.",
)
@click.option("--list", "listed", is_flag=True, help="Say what there is to be fuzzed, and no more.")
def main(  # noqa: PLR0917  # click names them
    names: tuple[str, ...],
    minutes: float | None,
    corpus: Path | None,
    jobs: int,
    plant: bool,  # noqa: FBT001
    crashes: Path,
    listed: bool,  # noqa: FBT001
) -> None:
    """Fuzz every target, or those that are named."""
    chosen = _named(names)
    if listed:
        for target in chosen:
            click.echo(f"{target.name}: {target.about}")
        return
    seconds = 60 * (minutes or (PLANT_MINUTES if plant else 10))

    def one(target: Target) -> Figures:
        figures = fuzz(target, seconds, corpus, crashes, plant=plant)
        click.echo(_row(figures, plant=plant), err=True)
        return figures

    with ThreadPoolExecutor(jobs) as pool:
        found = list(pool.map(one, chosen))
    click.echo(table(found, plant=plant))
    sys.exit(0 if all(figures.found for figures in found) or not (plant or any(one.crashes for one in found)) else 1)


def _named(names: Sequence[str]) -> list[Target]:
    """Return the targets of these names, or all; raises of a name that none has."""
    for name in names:
        if name not in TARGETS:
            raise click.BadParameter(f"expected a target ({', '.join(TARGETS)}), found {name!r}")
    return [TARGETS[name] for name in names or TARGETS]


def table(found: Sequence[Figures], *, plant: bool) -> str:
    """Return *found* as a table of Markdown."""
    header = ["target", "seeds", "executions", "edges covered"]
    header += ["planted bug", "found after s"] if plant else ["by the seeds alone", "corpus", "seconds", "crashes"]
    lines = ["| " + " | ".join(header) + " |", "| --- |" + " ---: |" * (len(header) - 1)]
    return "\n".join([*lines, *(_row(figures, plant=plant) for figures in found)])


def _row(figures: Figures, *, plant: bool) -> str:
    cells = [f"`{figures.target}`", f"{figures.seeds}", f"{figures.executions:,}", f"{figures.edges:,}"]
    if plant:
        cells += ["found" if figures.found else "not found", f"{figures.seconds:.1f}"]
    else:
        seconds = f"{figures.seconds:.0f}"
        cells += [f"{figures.seeds_edges:,}", f"{figures.corpus:,}", seconds, f"{len(figures.crashes)}"]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
