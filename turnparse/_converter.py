"""The call that engines take: a batch in, the same kind of batch out, and a state that pickles to the same bytes anywhere.

Whatever follows from the options is made anew in each process and never pickled: engines send the object to workers, and
Hugging Face's datasets take a digest of what they would send for the name of a result in their cache.
"""

from __future__ import annotations

import hashlib
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final, Literal

import attrs
import pyarrow as pa

from turnparse._arrow_rows import Layout, with_set_aside
from turnparse._batches import BatchConverter, warn_if_slow
from turnparse._dialect import DEFAULT, Dialect, resolve, shipped_names
from turnparse._errors import ArgumentError, OptionError, RowError, escape, shown
from turnparse._job import Job
from turnparse._model import Diagnostics
from turnparse._table import SET_ASIDE, Piece, pieces, plain_table, told_if_invalid
from turnparse._target import Target
from turnparse._version import __version__

WAYS: Final = ("column", "drop", "raise")
"""What may become of rows that are set aside."""

COLUMN: Final = "set_aside"
"""The column that says why a row was set aside."""

TOLD: Final = ("codes", "message", "raw")
"""The fields of the set-aside file that it holds: all but the place, which is the row's own."""

REASON: Final = pa.struct([SET_ASIDE.field(name) for name in TOLD])

ONE_CHUNK: Final = 1 << 30
"""Bytes up to which a result is one chunk: well below those that Arrow's lists and strings can hold."""


def _sorted(policies: Mapping[str, str] | None) -> Mapping[str, str] | None:
    # The order in which they were named is no part of what they say.
    return dict(sorted(policies.items())) if isinstance(policies, Mapping) else policies


def _portable(dialect: Dialect | str) -> Dialect | str:
    """Return a shipped dialect by its name; any other as what it is: its file need not be where a worker runs."""
    return dialect if isinstance(dialect, str) and dialect in shipped_names() else resolve(dialect)


@attrs.frozen(slots=False, eq=False)
class Converter:
    """Converts batches to the format of one consumer; what engines are given: datasets, Ray Data, Spark, and others.

    Call it with a batch: a `pyarrow.Table`, a `pyarrow.RecordBatch`, a mapping of names to lists or NumPy arrays of values,
    or a pandas ``DataFrame``. What it returns is of the same kind (a `dict` of lists for a mapping); for anything else that
    speaks the Arrow C data interface it is a `pyarrow.Table`. Columns of Arrow are in aligned chunks, one of each if they
    are less than 1 GiB together; their types depend on the options and on the types of the batch, never on its values.

    It can be pickled; its state is its options and ``cache_key``, and calls do not change it. So the digest that Hugging
    Face's datasets name a result by is the same in every process, and another for other options, another grammar
    or another version of turnparse.

    Args:
        to: as for `turnparse.convert`; not a target that writes the number of each row in its source (``sharegpt``,
            ``verl-rl``), which a batch does not know.
        preset: likewise.
        policies: likewise.
        dialect: likewise. The grammar of a file is read at once, and travels along.
        diagnostics: likewise.
        side: likewise.
        chosen: likewise.
        rejected: likewise.
        transcript: likewise.
        from_: likewise.
        system: likewise.
        loss: likewise.
        keep_columns: likewise.
        set_aside: what becomes of rows that are set aside. ``"column"``: they stay among the others, in the order of the
            input, with null in the target's columns and in metadata (what travels along is kept), and one more column, ``set_aside``, says
            why: a struct of ``codes`` (list of string), ``message`` (string) and ``raw`` (string, the row as JSON), null
            for all rows that were written. ``"drop"``: they are left out, and a warning tells of the first. ``"raise"``: the
            first of them is an error.

    Attributes:
        cache_key: the version of turnparse, a colon, and a digest of the grammar and of the target.

    Warns:
        RuntimeWarning: if the dialect is not flat, so that rows are read one by one; when an object, in one process,
            first drops rows.

    Raises:
        ArgumentError: if an option is of the wrong type.
        OptionError: if an option has an unknown value, the target numbers rows, or it has a column ``set_aside`` of its own.
        DialectError: if the dialect cannot be had.
    """

    to: str | Target = "trl"
    preset: str = "default"
    policies: Mapping[str, str] | None = attrs.field(default=None, kw_only=True, converter=_sorted)
    dialect: Dialect | str = attrs.field(default=DEFAULT, kw_only=True, converter=_portable)
    diagnostics: Diagnostics = attrs.field(default="structural", kw_only=True)
    side: str = attrs.field(default="chosen", kw_only=True)
    chosen: str | None = attrs.field(default=None, kw_only=True)
    rejected: str | None = attrs.field(default=None, kw_only=True)
    transcript: str | None = attrs.field(default=None, kw_only=True)
    from_: str | Target | None = attrs.field(default=None, kw_only=True)
    system: str | None = attrs.field(default=None, kw_only=True)
    loss: str | None = attrs.field(default=None, kw_only=True)
    keep_columns: bool = attrs.field(default=False, kw_only=True, converter=bool)
    set_aside: Literal["column", "drop", "raise"] = attrs.field(default="column", kw_only=True)
    cache_key: str = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Check the options, all of them, before an engine starts; see the class for what is raised."""
        if self.set_aside not in WAYS:
            msg = f"expected set_aside to be {', '.join(WAYS[:-1])} or {WAYS[-1]}, found {shown(self.set_aside)}"
            raise OptionError(msg)
        batches = self._made()
        target = batches.job.target
        if target.counts_rows:
            msg = f"expected a target that does not number the rows of a source, found {escape(target.name)}"
            raise OptionError(f"{msg}: a batch does not know where it begins; use turnparse.convert")
        if self.set_aside == "column" and COLUMN in target.columns:
            msg = f"expected a target without a column {COLUMN}, found one in {escape(target.name)}"
            raise OptionError(f"{msg}; choose set_aside='drop' or 'raise'")
        warn_if_slow(batches, calls=2)
        object.__setattr__(self, "cache_key", _key(batches.job))
        self.__dict__["_batches"] = batches

    def __call__(self, batch: Any) -> Any:
        """Return what *batch* becomes, as the same kind of batch.

        Warns:
            RuntimeWarning: once, if rows are dropped.

        Raises:
            ArgumentError: if *batch* is none, or its columns are not of one type each or not valid; or if a column
                ``set_aside`` would travel along beside our own.
            OptionError: if the object was made by another version of turnparse, with another grammar or target of that name.
            RowError: of the first row that is set aside, if the object is to raise it.
        """
        with told_if_invalid():
            if isinstance(batch, Mapping):
                return self._table(_of_mapping(batch)).to_pydict()
            if isinstance(batch, pa.RecordBatch):
                return _one_batch(self._table(batch))
            pandas = sys.modules.get("pandas")
            if pandas is not None and isinstance(batch, pandas.DataFrame):
                frame = _as_frame(self._table(pa.Table.from_pandas(batch, preserve_index=False)), pandas)
                # Where each row has its record, it keeps its name too.
                if len(frame) == len(batch) and self._batches.job.target.second is None:
                    frame.index = batch.index
                return frame
            return self._table(batch)

    def batches(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Yield what each of *batches* becomes, which are `pyarrow.RecordBatch`es, as are those: what Spark's ``mapInArrow`` takes.

        Raises:
            ArgumentError: as a call with one of them.
            OptionError: likewise.
            RowError: likewise.
        """
        yield from map(self, batches)

    def schema_for(self, schema: Any) -> Any:
        """Return the `pyarrow.Schema` of what batches of a `pyarrow.Schema` become, for engines that ask for it beforehand.

        Raises:
            ArgumentError: if *schema* is none; or as a call with a batch of it.
            OptionError: as a call.
        """
        if not isinstance(schema, pa.Schema):
            msg = f"expected a pyarrow.Schema, found {type(schema).__name__}"
            raise ArgumentError(msg)
        return self._table(schema.empty_table()).schema

    def __getstate__(self) -> dict[str, Any]:
        # What is made of the options is no part of it: it is large, and differs before and after a call.
        return {field.name: getattr(self, field.name) for field in attrs.fields(Converter)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def _made(self) -> BatchConverter:
        """Return what converts batches."""
        names = (field.name for field in attrs.fields(Converter) if field.name not in {"set_aside", "cache_key"})
        return BatchConverter(Job.of(**{name: getattr(self, name) for name in names}))

    @cached_property
    def _batches(self) -> BatchConverter:
        """What converts batches, in a process that the object was sent to.

        Raises:
            OptionError: if it would not do here what it did there.
        """
        made = self._made()
        key = _key(made.job)
        if key != self.cache_key:
            msg = f"expected turnparse, the grammar and the target of {self.cache_key}, where the converter was made, found {key}"
            raise OptionError(f"{msg}; install the same version everywhere")
        return made

    def _table(self, batch: Any) -> Any:
        """Return what *batch* becomes, as a `pyarrow.Table`."""
        table = plain_table(batch)
        converter = self._batches
        layout = Layout.of_columns(converter, table.schema)
        if self.set_aside == "column" and COLUMN in layout.schema.names:
            msg = f"expected no column {COLUMN} to travel along, found one; rename it, or choose set_aside='drop' or 'raise'"
            raise ArgumentError(msg)
        schema = layout.schema.append(pa.field(COLUMN, REASON)) if self.set_aside == "column" else layout.schema
        batches: list[Any] = []
        for piece in pieces(converter, table, layout):
            batches += self._rows(piece, layout)
        made = pa.Table.from_batches(batches, schema=schema)
        return made.combine_chunks() if made.nbytes < ONE_CHUNK else made

    def _rows(self, piece: Piece, layout: Layout) -> list[Any]:
        """Return the rows of *piece*, with those that are set aside or without."""
        refused = piece.refused()
        if self.set_aside == "column":
            reasons = pa.array([{name: row[name] for name in TOLD} for row in refused], REASON)
            return with_set_aside(self._batches, piece.judged, piece.rows, layout, name=COLUMN, reasons=reasons)
        if not refused:
            return piece.rows
        first = refused[0]
        if self.set_aside == "raise":
            msg = f"row {first['row']} of a batch was set aside: {first['message']}"
            raise RowError(msg, code=first["codes"][0], raw=first["raw"].encode(), row=first["row"])
        if not self.__dict__.get("_told"):
            self.__dict__["_told"] = True
            msg = f"{len(refused)} rows of a batch were set aside and dropped, the first of them: {first['message']}"
            # The caller of __call__.
            warnings.warn(f"{msg}; further ones are dropped without a warning", RuntimeWarning, stacklevel=4)
        return piece.rows


def _key(job: Job) -> str:
    """Return the version, and a digest of what an option only names: a grammar, a target."""
    named = (job.dialect.grammar, job.target, None if job.back is None else job.back.target)
    return f"{__version__}:{hashlib.sha256(repr(named).encode('utf-8', 'surrogatepass')).hexdigest()}"


def _of_mapping(batch: Mapping[Any, Any]) -> Any:
    """Return {column: values} as a `pyarrow.Table`.

    Raises:
        ArgumentError: if the values of a column are no list, or not of one type, or columns differ in length.
    """
    columns = {}
    for name, values in batch.items():
        if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
            msg = f"expected a list of values in each column, found {type(values).__name__} in {shown(name)}"
            raise ArgumentError(f"{msg}; in a call of datasets' map, say batched=True")
        # Of NumPy's texts of fixed width Arrow would take what comes before the first NUL.
        fixed = getattr(getattr(values, "dtype", None), "kind", "") in {"U", "S"}
        try:
            columns[name] = pa.array(values.tolist() if fixed else values)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            msg = f"expected values of one type in the column {shown(name)}, found: {escape(str(error), 200)}"
            raise ArgumentError(msg) from None
    try:
        return pa.table(columns)
    except (pa.ArrowException, TypeError, ValueError) as error:
        msg = f"expected columns with names, of the same length, found: {escape(str(error), 200)}"
        raise ArgumentError(msg) from None


def _one_batch(table: Any) -> Any:
    """Return *table* as one `pyarrow.RecordBatch`.

    Raises:
        pyarrow.ArrowInvalid: if there is too much text in it for one.
    """
    return pa.RecordBatch.from_arrays([column.combine_chunks() for column in table.columns], schema=table.schema)


def _as_frame(table: Any, pandas: Any) -> Any:
    """Return *table* as a pandas ``DataFrame``, with lists and dictionaries in it where Arrow would put NumPy's arrays."""
    frame = table.to_pandas()
    for field in table.schema:
        if pa.types.is_nested(field.type):
            frame[field.name] = pandas.Series(table.column(field.name).to_pylist(), dtype=object)
    return frame
