"""Writing a transcript down: exactly as it was, or anew from chat messages, and then only if it reads back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from turnparse._dialect import DEFAULT, Dialect, resolve
from turnparse._errors import ArgumentError, DialectError, RenderError, escape, listed, shown
from turnparse._markers import ROLES
from turnparse._model import Message, Transcript

SPACE: Final = " "
"""What stands between a marker and the content, in every row of the published files."""


def render(
    transcript: Transcript | Iterable[Message] | Iterable[Mapping[str, Any]], *, dialect: Dialect | str = DEFAULT
) -> str:
    r"""Return a transcript as text.

    A `Transcript` is given back exactly as it was read: ``render(t) == str(t)``. Messages are written one turn each:
    paragraph break, label, colon, a space, and the content as it is, never stripped. A system message may only come
    first; it is written bare, as the preamble.

    Nothing is written that would read back as other messages. That matters: a content which holds
    ``"\n\nHuman: "`` would otherwise add a turn in somebody else's name.

    Args:
        transcript: a transcript, or messages ``{"role": ..., "content": ...}``.
        dialect: what to write messages in; as for `turnparse.parse`.

    Raises:
        ArgumentError: if *transcript* is neither.
        RenderError: if a message has an unknown role or other keys, if a system message is blank or not the first,
            or if the text would not read back as these messages; its ``index`` is the message's, its ``offset``
            the character of the content where it goes wrong.
        DialectError: if the dialect cannot be had, or has no marker to write for a role.
    """
    if isinstance(transcript, Transcript):
        return str(transcript)
    if isinstance(transcript, (str, bytes, Mapping)) or not isinstance(transcript, Iterable):
        msg = f"expected a Transcript or a list of messages, found {type(transcript).__name__}"
        raise ArgumentError(msg)
    chosen = resolve(dialect)
    messages = [_checked(index, message) for index, message in enumerate(transcript)]
    pieces = [_written(index, role, content, chosen) for index, (role, content) in enumerate(messages)]
    text = "".join(pieces)
    _read_back(text, messages, pieces, chosen)
    return text


def _checked(index: int, message: object) -> tuple[str, str]:
    if not isinstance(message, Mapping) or set(message) != {"role", "content"}:
        found = listed(message, "no keys") if isinstance(message, Mapping) else type(message).__name__
        msg = f"expected message {index} to have the keys role and content and no others, found {found}"
        raise RenderError(msg, index=index)
    role, content = message["role"], message["content"]
    if not isinstance(role, str) or role not in ROLES.values():
        msg = f"expected the role of message {index} to be {', '.join(ROLES.values())}, found {shown(role)}"
        raise RenderError(msg, index=index)
    if not isinstance(content, str):
        msg = f"expected the content of message {index} to be a str, found {type(content).__name__}"
        raise RenderError(msg, index=index)
    return role, content


def _written(index: int, role: str, content: str, dialect: Dialect) -> str:
    if role == "system":
        if index:
            msg = f"expected a system message only as the first, found one at message {index}: write it into a turn"
            raise RenderError(msg, index=index, offset=0)
        if not content.strip():
            msg = "expected the system message not to be blank: leave it out"
            raise RenderError(msg, index=index, offset=0)
        return content
    marker = {name: literal for name, literal in dialect.table.canonical.items() if name == role}
    if not marker:
        msg = (
            f"expected a flat dialect with a marker for the role {role}, found none: only flat dialects can be written"
        )
        raise DialectError(msg, source=escape(dialect.name))
    return marker[role] + SPACE + content  # type: ignore[index]  # role is a key: it has just been found


def _read_back(text: str, messages: list[tuple[str, str]], pieces: list[str], dialect: Dialect) -> None:
    """Raise unless *text* reads back as *messages*."""
    read = dialect.read(text)
    # A system message that begins like a system's turn would be one, and lose its first word.
    found = [(turn.role, turn.text) for turn in read.message_turns]
    expected = [(role, content if role == "system" else SPACE + content) for role, content in messages]
    if found == expected:
        return
    starts = [turn.start for turn in read.turns]
    at = 0
    for index, (piece, (role, content)) in enumerate(zip(pieces, messages, strict=True)):
        end = at + len(piece)
        body = end - len(content)
        # A marker that begins where none was written was smuggled in, or moved a neighbour's boundary.
        stray = next((start for start in starts if at < start < end or (start == at and role == "system")), None)
        if stray is not None or at not in (0, *starts):
            offset = max(0, (at if stray is None else stray) - body)
            msg = (
                f"expected the content of message {index} to read back as that one message, found a marker "
                f"that begins at its character {offset}: {escape(text[body + offset :][:24], 24)!r}; change the content"
            )
            raise RenderError(msg, index=index, offset=offset)
        at = end
    msg = "expected the messages to read back as they are; they do not in this dialect"
    raise RenderError(msg)
