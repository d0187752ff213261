"""Other labels for a dialect: the text of its grammar, with the label terminals overridden."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Final

from turnparse._errors import OptionError, escape, require_str, shown
from turnparse._markers import ROLES, MarkerTable, Role

LONGEST: Final = 100
"""Characters of a label at most."""

START: Final = r"/\A/"
"""The start of a text, in a Lark grammar."""

TERMINALS: Final[dict[Role, str]] = {role: terminal for terminal, role in ROLES.items()}

Labels = Mapping[Role, Sequence[str]]

UNWRITABLE: Final = '\\"'
"""What comes out of a string of Lark without its backslash, however it is written."""


def checked_labels(labels: Mapping[str, object]) -> Labels:
    """Return *labels*, {role: a label, several, or None}, as {role: its labels}, without roles that have None.

    Raises:
        ArgumentError: if a label is no `str`.
        OptionError: if a role or a label is none, if there are none, or if one label is given twice.
    """
    checked: dict[Role, Sequence[str]] = {}
    seen: set[str] = set()
    for role, value in labels.items():
        known = next((name for name in TERMINALS if name == role), None)
        if known is None:
            msg = f"expected a label for one of the roles {', '.join(TERMINALS)}, found {shown(role)}"
            raise OptionError(msg)
        if value is None:
            continue
        several = value if isinstance(value, (list, tuple)) else [value]
        names = [require_str(name, f"the label for {role}") for name in several]
        for name in names:
            if not is_label(name):
                msg = (
                    f"expected a label for {role} of 1 to {LONGEST} printable characters, and not only spaces, "
                    f"found {escape(name)!r}"
                )
                raise OptionError(msg)
            if name in seen:
                msg = f"expected each label once, found {escape(name)!r} twice"
                raise OptionError(msg)
            seen.add(name)
        if names:
            checked[known] = names
    if not checked:
        raise OptionError("expected a label for some role, as in user=User, found none")
    return checked


def is_label(name: str) -> bool:
    """Tell whether *name* can be a label: printable, and not too long. Spaces of any kind may be in it."""
    odd = any(not char.isprintable() and unicodedata.category(char) != "Zs" for char in name[: LONGEST + 1])
    return len(name) <= LONGEST and not odd and bool(name.strip())


def relabelled(grammar: str, table: MarkerTable, labels: Labels) -> str:
    """Return *grammar*, the markers of which are *table*, with other labels for some roles.

    Args:
        grammar: the text of a flat grammar.
        table: its markers.
        labels: the labels of these roles instead of their own. A role that the grammar does not know is added to it.

    Raises:
        OptionError: if a label belongs to another role, holds what stands after it in a marker, or cannot be written.
    """
    others = {m.label for m in table.markers if m.role not in labels}
    suffixes = sorted({m.literal[m.label_end :] for m in table.markers} - {""})
    for name in (name for names in labels.values() for name in names):
        if name in others:
            msg = f"expected each role to have labels of its own, found {escape(name)!r} for two; give both roles one"
            raise OptionError(msg)
        if UNWRITABLE in name:
            msg = f"expected a label without a backslash before a quote, which no grammar of Lark can hold, found {escape(name)!r}"
            raise OptionError(msg)
        if inside := next((suffix for suffix in suffixes if suffix in name), ""):
            msg = f"expected a label without the {escape(inside)!r} that stands after it, found {escape(name)!r}"
            raise OptionError(msg)
    known = {m.role for m in table.markers}
    lines = []
    for role, names in labels.items():
        terminal, choice = TERMINALS[role], " | ".join(map(_quoted, names))
        if role in known:
            lines.append(f"%override {terminal}: {choice}")
        else:
            lines += [f"{terminal}: {choice}", f"%extend MARKER: {_around(table, terminal)}"]
    return "\n".join([grammar.rstrip("\n"), "", *lines, ""])


def _around(table: MarkerTable, terminal: str) -> str:
    """Return what a marker with another label terminal is, as a grammar has it: what stands around labels stays.

    Raises:
        OptionError: if labels have not all the same around them.
    """
    openings = list(dict.fromkeys((m.anchored, m.opening) for m in table.markers))
    endings = list(dict.fromkeys(m.literal[m.label_end :] for m in table.markers))
    around = {((m.anchored, m.opening), m.literal[m.label_end :]) for m in table.markers}
    if around != set(product(openings, endings)):
        msg = "expected a dialect in which all labels stand alike for a label of a role that it does not know"
        raise OptionError(msg)
    before = " | ".join(f"{START if anchored else ''} {_quoted(text)}" for anchored, text in openings)
    after = " | ".join(map(_quoted, endings))
    # A marker may begin or end with its label, but Lark knows no empty string.
    return " ".join(part for part in (before.strip() and f"({before})", terminal, after and f"({after})") if part)


def _quoted(text: str) -> str:
    """Return *text* as a Lark string; nothing of an empty one, which Lark refuses."""
    if not text:
        return ""
    return '"' + "".join(_ESCAPES.get(char, char) for char in text) + '"'


_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"}
