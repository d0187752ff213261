"""How fast pairs become messages in memory: each contender in a process of its own, round after round, and checked."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import attrs

from benchmarks import measure
from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.reference import key, messages, parts, tally

MODULE: Final = "benchmarks.memory"
WARM_UP_ROWS: Final = 1000
PASSES: Final = 3
"""Passes in each process, of which the best counts: in the first, the system hands out memory, at a pace of its own."""


def missing(needs: str) -> str:
    """Return what to say if the distribution *needs* is not installed; else an empty text."""
    if not needs or _installed(needs):
        return ""
    return "not installed: pip install '.[peers]'"


def _installed(name: str) -> bool:
    try:
        return bool(version(name)) and find_spec(name) is not None
    except PackageNotFoundError:
        return False


def compare(source: Path, rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Return {contender: what each round measured, or one record that says why there is none}.

    A round runs every contender once, so that what the machine does besides falls on all alike.
    """
    found: dict[str, list[dict[str, Any]]] = {contender.name: [] for contender in CONTENDERS}
    for number in range(rounds):
        for place, contender in enumerate(CONTENDERS):
            records = found[contender.name]
            if records and "failure" in records[-1]:
                continue
            print(f"in memory, round {number + 1} of {rounds}: {contender.name}", file=sys.stderr, flush=True)
            records.append(one_round(source, place))
    return found


def one_round(source: Path, place: int) -> dict[str, Any]:
    """Return what one contender, by its place in their list, does with all rows; or why it cannot."""
    if absent := missing(CONTENDERS[place].needs):
        return {"failure": absent}
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        usage = measure.run(
            [sys.executable, "-m", MODULE, str(source), str(place), str(result)],
            measure.ONE_CORE | {"HF_HOME": str(Path(folder) / "hf")},
            pages=False,
        )
        if usage.failure:
            return {"failure": usage.failure}
        record: dict[str, Any] = json.loads(result.read_text())
    return record


def measured(source: Path, contender: Contender) -> dict[str, Any]:
    """Return the CPU time of each pass over all rows, the memory that the first took, and the check of what it made."""
    import pyarrow as pa

    with pa.ipc.open_file(str(source)) as file:
        table = file.read_all()
    given = _given(contender, table)
    call = contender.load()
    run = _runner(contender, call)
    with suppress(Exception):  # what crashes is looked for below
        run(given[:WARM_UP_ROWS])
    before = measure.forget_peak()
    crashed: dict[int, Any] = {}
    timed = given
    try:
        first, made = _timed(run, timed)
    except Exception:  # noqa: BLE001 (a peer may raise anything)
        crashed = _crashing(contender, call, given)
        timed = [row for at, row in enumerate(given) if at not in crashed]
        first, made = _timed(run, timed)
    record: dict[str, Any] = {"rows": len(table) - len(crashed), "peak": measure.peak(), "before": before}
    passes = [first]
    while len(passes) < PASSES:
        del made  # so that the next pass finds memory to use again
        seconds, made = _timed(run, timed)
        passes.append(seconds)
    record |= {"cpu": min(passes), "first": first, "passes": passes}
    texts = zip(*(_texts(table, side) for side in ("chosen", "rejected")), strict=True)
    expected = [key(parts(*pair)) for pair in texts]
    record |= attrs.asdict(tally(expected, _outputs(contender, call, given, made, crashed)))
    if crashed:
        record["first_crash"] = next(iter(crashed.values()))
    if contender.given == "table":
        record["regular"] = made.regular / len(table)
    return record


def _texts(table: Any, side: str) -> Iterator[str]:
    for chunk in table[side].chunks:
        yield from chunk.to_pylist()


def _given(contender: Contender, table: Any) -> Any:
    """Return the rows as *contender* takes them."""
    if contender.given == "table":
        return table
    pairs = list(zip(_texts(table, "chosen"), _texts(table, "rejected"), strict=True))
    if contender.given == "texts":
        return pairs
    if contender.given == "messages":
        return [{"chosen": messages(chosen), "rejected": messages(rejected)} for chosen, rejected in pairs]
    return [{"chosen": chosen, "rejected": rejected} for chosen, rejected in pairs]


def _runner(contender: Contender, call: Callable[..., Any]) -> Callable[[Any], Any]:
    """Return the loop that is timed: no more than the calls themselves."""
    size = contender.kept

    def pairs(rows: Any) -> None:
        for chosen, rejected in rows:
            call(chosen, rejected)

    def kept_pairs(rows: Any) -> None:
        for start in range(0, len(rows), size):
            _ = [call(chosen, rejected) for chosen, rejected in rows[start : start + size]]

    def single(rows: Any) -> None:
        for row in rows:
            call(row)

    if contender.given == "table":
        return call
    if contender.given == "texts":
        return kept_pairs if size else pairs
    return single


def _timed(run: Callable[[Any], Any], given: Any) -> tuple[float, Any]:
    start = time.process_time()
    made = run(given)
    return time.process_time() - start, made


def _call(contender: Contender, call: Callable[..., Any], row: Any) -> Any:
    return call(*row) if contender.given == "texts" else call(row)


def _crashing(contender: Contender, call: Callable[..., Any], given: Iterable[Any]) -> dict[int, Any]:
    """Return {row: why} of the rows that raise."""
    found = {}
    for at, row in enumerate(given):
        try:
            _call(contender, call, row)
        except Exception as error:  # noqa: BLE001 (as above)
            found[at] = repr(error)
    return found


def _outputs(
    contender: Contender, call: Callable[..., Any], given: Any, made: Any, crashed: Mapping[int, Any]
) -> Iterator[bytes | None]:
    """Yield the digest of each row that was made; the per-row calls, which kept nothing, are made once more."""
    if contender.given == "table":
        for batch in made.rows.to_batches(max_chunksize=WARM_UP_ROWS):
            yield from (key(contender.read(row)) for row in batch.to_pylist())
        return
    for at, row in enumerate(given):
        yield None if at in crashed else key(contender.read(_call(contender, call, row)))


if __name__ == "__main__":
    import pyarrow as pa

    pa.set_cpu_count(1)
    SOURCE, PLACE, RESULT = sys.argv[1:]
    Path(RESULT).write_text(json.dumps(measured(Path(SOURCE), CONTENDERS[int(PLACE)])))
