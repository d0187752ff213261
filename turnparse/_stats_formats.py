"""The figures of `turnparse stats` as text, JSON and Parquet: the same figures, under the same names."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, Final

import attrs

from turnparse._ascii_json import ascii_json
from turnparse._errors import escape
from turnparse._places import LONGEST_PATH
from turnparse._stats_figures import Stats
from turnparse._text_table import table_lines

FORMATS: Final = ("text", "json", "parquet")

MOST_OF_A_KIND: Final = 20
"""Sources, types of models, or tags of one of them, of which the text tells; the other formats tell of all."""

NAMED: Final[Mapping[str, str]] = {"sources": "source", "red_team": "model_type"}
"""{section that is a list: what names each of its members}."""

PLAIN: Final = 100
"""Numbers from which a fraction is told to one digit; of smaller ones three digits are."""


@attrs.frozen
class Figure:
    """One figure.

    Attributes:
        section: the attribute of `turnparse.Stats` that it is from.
        of: what it is a figure of, in that section; empty if that goes without saying.
        name: its name.
        value: what it is.
    """

    section: str
    of: str
    name: str
    value: float | str


def figures(result: Stats, most: int | None = None) -> Iterator[Figure]:
    """Yield all figures, in order; what is None is left out.

    Args:
        result: the figures.
        most: of how many members of a list, or tags, to tell; None for all.
    """
    for section, found in result.as_dict().items():
        if section in NAMED:
            for member in found[:most]:
                name = member.pop(NAMED[section])
                if name is None:
                    name = "(more types)" if member["pooled"] else "(no type)"
                member.pop("pooled", None)
                if "tags" in member:
                    member["tags"] = dict(list(member["tags"].items())[:most])
                yield from _within(section, (name,), member)
        elif section == "failures":
            for number, failure in enumerate(found, 1):
                yield Figure(section, "", str(number), failure)
        else:
            yield from _within(section, (), found)


def _within(section: str, path: tuple[str, ...], found: Mapping[str, Any]) -> Iterator[Figure]:
    for name, value in found.items():
        if isinstance(value, Mapping):
            yield from _within(section, (*path, name), value)
        elif value is not None:
            yield Figure(section, " ".join(path), name, value)


def as_json(result: Stats) -> str:
    """Return the figures as one object of JSON, in ASCII."""
    return ascii_json(result.as_dict(), 2) + "\n"


def as_parquet(result: Stats) -> bytes:
    """Return the figures as a table in Parquet: one a row, with its section, what it is of, its name, and its value or text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = list(figures(result))
    columns = {
        "section": pa.array([_utf8(figure.section) for figure in found], pa.string()),
        "of": pa.array([_utf8(figure.of) for figure in found], pa.string()),
        "figure": pa.array([_utf8(figure.name) for figure in found], pa.string()),
        "value": pa.array([None if isinstance(figure.value, str) else float(figure.value) for figure in found], pa.float64()),
        "text": pa.array([_utf8(figure.value) if isinstance(figure.value, str) else None for figure in found], pa.string()),
    }  # fmt: skip
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def _utf8(text: str) -> str:
    """Return *text* without what has no place in UTF-8, as names of files may have."""
    return text.encode("utf-8", "backslashreplace").decode()


def as_text(result: Stats) -> str:
    """Return the figures for people: those of the same names as a table, others in a line each. Failures are told elsewhere."""
    lines: list[str] = []
    for section, found in groupby(figures(result, MOST_OF_A_KIND), lambda figure: figure.section):
        if section != "failures":
            lines += _section(section, found)
    for name, of in (("sources", result.sources), ("types of models", result.red_team)):
        if len(of) > MOST_OF_A_KIND:
            lines.append(f"and {len(of) - MOST_OF_A_KIND:,} {name} more, of which JSON and Parquet tell")
    # Tables stand apart, and none begins or ends the whole.
    return "\n".join(line for at, line in enumerate(lines) if line or (at and lines[at - 1])).strip("\n") + "\n"


def _section(section: str, found: Iterator[Figure]) -> Iterator[str]:
    """Yield the lines of a section; before and after tables there is an empty one."""
    members: list[tuple[str, dict[str, str]]] = []
    latest: dict[str, dict[str, str]] = {}
    for figure in found:
        of, name = _shown(figure.of), _shown(figure.name)
        # A source may be named twice.
        if name in latest.get(of, {name}):
            latest[of] = {}
            members.append((of, latest[of]))
        latest[of][name] = _value(figure.value)
    alike: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for of, values in members:
        alike.setdefault(tuple(values), []).append((of, *values.values()))
    for names, rows in alike.items():
        if len(rows) > 1 or section == "sources":
            yield from ("", *table_lines((section, *names), rows), "")
            continue
        ((of, *told_of),) = rows
        told = ", ".join(f"{name} {value}" for name, value in zip(names, told_of, strict=True))
        yield f"{section}, {of}: {told}" if of else f"{section}: {told}"


def _shown(name: str) -> str:
    return escape(name, LONGEST_PATH)


def _value(value: float | str) -> str:
    """Return *value* as the text has it: whole numbers whole."""
    if isinstance(value, str):
        return escape(value, 2 * LONGEST_PATH)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.1f}" if abs(value) >= PLAIN else f"{value:.3g}"
