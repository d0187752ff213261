"""What the records of a target are, worked out row by row in plain Python: what columns are held against."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from turnparse import Dialect, Message, RowError, render
from turnparse import targets as words
from turnparse._job import Job, unread
from turnparse._near_labels import NearFinder, NearMisses
from turnparse._policies import Item
from turnparse._red_team import RedTeamAttempt
from turnparse._rows import decode
from turnparse._summary import Summary
from turnparse._target import kind_of, part_of

OPTIONS: dict[str, Any] = {
    "to": "trl", "preset": "default", "policies": None, "dialect": Dialect.named(), "diagnostics": "structural", "side": "chosen",
    "chosen": None, "rejected": None, "transcript": None, "keep_columns": False,
}  # fmt: skip


def one_by_one(rows: list[dict[str, Any]], **options: Any) -> tuple[list[Any], list[tuple[int, list[str]]], Summary]:
    """Return what the per-row calls make of *rows*: records, rows set aside with their codes, and counts."""
    job = Job.of(**OPTIONS | options)
    made, aside, counts = [], [], Summary(rows_in=len(rows))
    finder, near = NearFinder(job.dialect.table), NearMisses()
    for number, row in enumerate(rows):
        item = kept = None
        try:
            row = decode(json.dumps(row).encode())  # noqa: PLW2901  # as a file has it
            item = job.read(row)
            kept = job.kept(row, item)
            judgement = job.judge(item, kept)
        except RowError as error:
            judgement = unread(error)
        counts.diagnostics.update(judgement.codes)
        if "no-turns" in judgement.codes:
            near.take([() if job.back else finder.words(row[name] for name in job.columns.read_by(row))])
        if judgement.item is not None:
            counts.kinds[kind_of(judgement.item)] += 1
        if judgement.relation is not None:
            counts.relations[judgement.relation] += 1
        if judgement.item is None or judgement.message:
            aside.append((number, judgement.codes))
            counts.reasons[judgement.codes[0]] += 1
        else:
            made += [(kept or {}) | record for record in records(job, judgement.item, number)]
            counts.rows_out += 1
    counts.records_out = len(made)
    counts.rows_set_aside = len(aside)
    if 2 * counts.diagnostics["no-turns"] > len(rows):
        counts.near_labels = near.hint(finder)
    return made, aside, counts


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
    if isinstance(made, words.Index):
        return str(number) if made.text else number
    return made


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
