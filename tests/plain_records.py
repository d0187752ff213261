"""What the records of a target are, worked out row by row in plain Python: what columns are held against."""

from __future__ import annotations

import hashlib
from typing import Any

from turnparse import Message, render
from turnparse import targets as words
from turnparse._job import Job
from turnparse._policies import Item
from turnparse._red_team import RedTeamAttempt
from turnparse._target import part_of


def records(job: Job, item: Item, number: int) -> list[dict[str, Any]]:
    """Return the records that are written of *item*, row *number* of its source, which `Job.judge` let pass."""
    made = [
        {name: numbered(value(cell, job, item), number) for name, cell in record.items()}
        for record in job.target.records
    ]
    if job.target.metadata and isinstance(item, RedTeamAttempt):
        made = [record | item.metadata() for record in made]
    return made


def numbered(made: Any, number: int) -> Any:
    """Return what was *made* with *number* in place of what stands for the number of a row."""
    if isinstance(made, dict):
        return {key: numbered(inner, number) for key, inner in made.items()}
    return number if isinstance(made, words.Index) else made


def value(cell: Any, job: Job, item: Item) -> Any:
    """Return what *cell* is of *item*."""
    if isinstance(cell, words.Constant):
        return cell.value
    if isinstance(cell, words.Index):
        return cell
    if isinstance(cell, words.Fields):
        return {key: value(inner, job, item) for key, inner in cell.cells.items()}
    if isinstance(cell, words.Items):
        return [value(inner, job, item) for inner in cell.cells]
    if isinstance(cell, words.Sha256):
        return hashlib.sha256(value(cell.cell, job, item).encode()).hexdigest()
    if isinstance(cell, words.System):
        lead = [turn.content for turn in part_of(item, cell.part, job.side)[:1] if turn.role == "system"]
        return lead[0] if lead else cell.absent
    messages = [turn.message() for turn in part_of(item, cell.part, job.side)]
    if isinstance(cell, words.Text):
        return as_text(cell, messages, job)
    apart = messages[1:] if messages and messages[0]["role"] == "system" else messages
    if isinstance(cell, words.Content):
        return apart[0 if cell.at == "first" else -1]["content"]
    if isinstance(cell, words.Exchanges):
        return [[q["content"], a["content"]] for q, a in zip(apart[:-1:2], apart[1:-1:2], strict=True)]
    if isinstance(cell, words.Message):
        return spelt(messages[-1], cell.keys, job, last=True)
    messages = apart if cell.system == "apart" else messages
    return [spelt(message, cell.keys, job, last=at == len(messages)) for at, message in enumerate(messages, 1)]


def as_text(cell: words.Text, messages: list[Message], job: Job) -> str:
    """Return *messages* as text."""
    text, cue = render(messages, dialect=job.dialect), job.dialect.table.canonical["assistant"]
    return text + cue if cell.cue == "append" else text.removeprefix(cue) if cell.cue == "strip" else text


def spelt(message: Message, keys: words.Keys, job: Job, *, last: bool) -> dict[str, Any]:
    """Return *message* as a consumer spells it; keys that a role does not have are None."""
    spelling: dict[str, Any] = {keys.role: keys.names.get(message["role"], message["role"])}
    if job.loss is not None and keys.loss is not None:
        learnt = message["role"] == "assistant" and (last or job.loss == "assistant-turns")
        spelling[keys.loss.key] = keys.loss.learnt if learnt else keys.loss.masked
        if message["role"] not in keys.loss.only:
            spelling[keys.loss.key] = None
    return spelling | {keys.content: message["content"]}
