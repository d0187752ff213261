"""Tables in memory: what columns make of rows is what the per-row calls make of them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from unittest import mock

import pyarrow as pa

import turnparse
from fuzz import plants, seeds
from fuzz.mutators import Draw, of_one, of_sequence
from fuzz.target import Target
from plain_records import one_by_one
from turnparse import _contents, _pair_columns
from turnparse._codes import PRESETS
from turnparse._target import targets

ROW, SIDE = b"\xfe", b"\xff"
"""What stands between rows, and between their sides. No UTF-8 has it."""
TARGETS = sorted(targets())
TYPES = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
CHOICES = 4
"""Bytes that say how a table is made and converted; texts come after them."""


def rows_of(data: bytes) -> list[dict[str, Any]]:
    """Return the rows that *data* stands for: of each, how both sides begin, then the rest of either."""
    rows = []
    for row in data.split(ROW):
        shared, chosen, rejected = (part.decode("utf-8", "replace") for part in (row.split(SIDE, 2) + [b""] * 2)[:3])
        rows.append({"chosen": shared + chosen, "rejected": shared + rejected})
    return rows


def column_of(texts: list[str], kind: Any, cut: int) -> Any:
    """Return *texts* as a column of type *kind*, cut in two, each part a slice of a longer one."""
    padded = pa.array(["before", *texts, "after"], pa.string())
    padded = padded.dictionary_encode() if pa.types.is_dictionary(kind) else pa.array(padded.to_pylist(), kind)
    edges = [0, cut % (len(texts) + 1), len(texts)]
    return pa.chunked_array([padded.slice(1 + begin, end - begin) for begin, end in pairwise(edges)], type=padded.type)


def check_table(data: bytes) -> None:
    """Check that columns say of every row what the per-row calls say, for the target and options that *data* begins with."""
    choices, data = data[:CHOICES].ljust(CHOICES, b"\0"), data[CHOICES:]
    to = TARGETS[choices[0] % len(TARGETS)]
    preset = ("faithful", *PRESETS)[choices[1] % (1 + len(PRESETS))]
    options: dict[str, Any] = {"to": to, "preset": preset, "side": ("chosen", "rejected")[choices[1] >> 7]}
    kind, again = TYPES[choices[2] % len(TYPES)], choices[2] >> 7
    rows = rows_of(data)
    names = ("chosen", "rejected")
    table = pa.table({name: column_of([row[name] for row in rows], kind, choices[3]) for name in names})
    # Odd rows are looked at again only where there are many: here now and then where there are few.
    with (
        mock.patch.object(_pair_columns, "LEAST", 1 if again else _pair_columns.LEAST),
        mock.patch.object(_contents, "APART", 1 if again else _contents.APART),
    ):
        result = turnparse.convert_table(table, **options)

    records, aside, counts = one_by_one(rows, **options)
    assert result.rows.to_pylist() == records
    assert [(row["row"], row["codes"]) for row in result.set_aside.to_pylist()] == aside
    assert result.summary.as_dict() == counts.as_dict()
    result.rows.validate(full=True)


def _seeds() -> list[bytes]:
    from fuzz.texts import as_bytes

    sides = [as_bytes(*pair) for pair in seeds.pairs()]
    some = [ROW.join(sides[at : at + 3]) for at in range(0, len(sides), 3)]
    trl = TARGETS.index("trl")
    plain = [bytes([trl, 1, at % len(TYPES), at % 3]) + data for at, data in enumerate(some)]
    every = [bytes([to, to % 4, 128 + to % len(TYPES), 1]) + some[to % len(some)] for to in range(len(TARGETS))]
    return plain + every


def of_table(draw: Draw, data: bytes) -> bytes:
    """Return a table with a change in a text, in its rows, or in how it is made and converted."""
    choices, rows = data[:CHOICES].ljust(CHOICES, b"\0"), data[CHOICES:].split(ROW)
    if draw.often(0.1):
        at = draw.random.randrange(CHOICES)
        choices = choices[:at] + bytes([draw.random.randrange(256)]) + choices[at + 1 :]
    elif draw.often(0.15):
        rows = of_sequence(draw, rows)
    else:
        at = draw.random.randrange(len(rows))
        rows[at] = SIDE.join(of_one(draw, rows[at].split(SIDE, 2)))
    return choices + ROW.join(rows)


CONVERT_TABLE = Target(
    name="convert_table",
    about="Columns make of every row what the per-row calls make of it.",
    check=check_table,
    seeds=_seeds,
    plant=plants.in_columns,
    trigger=bytes([TARGETS.index("trl"), 0, 0, 0]) + b"\n\nHuman: " + plants.RARE + b"\n\nAssistant: \xffa\xffb",
    mutator=of_table,
)
