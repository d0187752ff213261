"""The report of `turnparse check` as text, and as GitHub and SARIF have it. None holds a piece of the data."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from itertools import islice, zip_longest
from typing import Any, Final
from urllib.parse import quote

from turnparse._ascii_json import ascii_json
from turnparse._check import CHECKED, CheckResult, Finding
from turnparse._codes import Level
from turnparse._errors import escape
from turnparse._places import LONGEST_PATH, Place
from turnparse._sources import STDIN
from turnparse._urls import is_url
from turnparse._version import __version__

FORMATS: Final = ("text", "json", "github", "sarif")

GITHUB_COMMANDS: Final[dict[Level, str]] = {"error": "error", "warning": "warning", "note": "notice"}
"""{level: the workflow command of GitHub that says it}."""

MOST_ANNOTATIONS: Final = 10
"""Annotations of each kind that GitHub keeps of a step; of more it drops any."""

MOST_RESULTS: Final = 5_000
"""Results of a SARIF file that GitHub shows; it refuses one of more than 25,000."""

SARIF_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
ROOT: Final = "%SRCROOT%"
"""What relative paths in a SARIF file are relative to: the folder that the command was run in."""


def as_text(result: CheckResult) -> str:
    """Return the report for people: each code with its advice and the first places, then the counts."""
    lines = []
    for finding in result.findings:
        lines.append(f"{finding.code.name} ({finding.level}), {_rows(finding.rows)}: {finding.code.advice}")
        lines += [f"  {place}" for place in finding.places]
        if finding.places and finding.rows > len(finding.places):
            lines.append(f"  and {finding.rows - len(finding.places):,} more")
    return "\n".join([*lines, totals(result)]) + "\n"


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def totals(result: CheckResult) -> str:
    """Return the line that says how many rows were looked through, and how many are clean."""
    odd = result.rows - result.clean_rows
    verdict = "failed" if result.failed else "passed"
    return f"rows: {result.rows:,}, clean: {result.clean_rows:,}, with findings: {odd:,}; {verdict}"


def as_statistics(result: CheckResult) -> str:
    """Return the counts alone, one code a line, and the totals."""
    width = max((len(f"{finding.rows:,}") for finding in result.findings), default=0)
    longest = max((len(finding.code.name) for finding in result.findings), default=0)
    lines = [
        f"{finding.rows:>{width},}  {finding.code.name:<{longest}}  {finding.level}" for finding in result.findings
    ]
    return "\n".join([*lines, totals(result)]) + "\n"


def as_json(result: CheckResult, *, counts_only: bool = False) -> str:
    """Return the report as one JSON object, in ASCII; with *counts_only* without meanings, advice and places."""
    found = result.as_dict()
    if counts_only:
        kept = ("code", "severity", "level", "rows")
        found["findings"] = [{name: finding[name] for name in kept} for finding in found["findings"]]
    return ascii_json(found, 2) + "\n"


def as_github(result: CheckResult) -> str:
    """Return workflow commands of GitHub, which become annotations: of each kind as many as it keeps, and of as many codes."""
    lines = []
    told: Counter[Level] = Counter()
    for finding, place in _in_turn(result):
        if told[finding.level] == MOST_ANNOTATIONS:
            continue
        told[finding.level] += 1
        properties = {"title": f"turnparse: {finding.code.name}"}
        if place.source not in ("", STDIN) and not is_url(place.source):
            line = {} if place.line is None else {"line": str(place.line)}
            path = _within(place.source) or place.source
            # A log is a terminal too: a path that does not print is in no annotation anyway.
            properties = {"file": escape(path, len(path)), **line, **properties}
        written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
        message = f"{place}: {finding.code.meaning} {finding.code.advice} ({_rows(finding.rows)} in all.)"
        lines.append(f"::{GITHUB_COMMANDS[finding.level]} {written}::{_data(message)}")
    return "\n".join([*lines, totals(result)]) + "\n"


def _in_turn(result: CheckResult) -> Iterator[tuple[Finding, Place]]:
    """Yield the first place of each code, then the second of each, and so on: what is cut off leaves none of them out."""
    places = [[(finding, place) for place in finding.places] for finding in result.findings]
    for row in zip_longest(*places):
        yield from (one for one in row if one is not None)


def _data(text: str) -> str:
    """Return *text* as the message of a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Return *text* as a property of a workflow command."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def as_sarif(result: CheckResult) -> str:
    """Return the report as a SARIF log, version 2.1.0, in ASCII: a rule for each code that was looked for, a result for each place."""
    rules = {name: index for index, name in enumerate(result.selected)}
    results = [
        _sarif_result(finding, place, rules[finding.code.name])
        for finding, place in islice(_in_turn(result), MOST_RESULTS)
    ]
    left_out = sum(finding.rows for finding in result.findings) - len(results)
    notes = [{"level": "error", "message": {"text": str(failure)}} for failure in result.failures]
    if left_out:
        text = f"{left_out:,} results were left out: no more than {MOST_RESULTS:,} are told, and the first of each code"
        notes.append({"level": "note", "message": {"text": text}})
    invocation: dict[str, Any] = {"executionSuccessful": not result.failures}
    if notes:
        invocation["toolExecutionNotifications"] = notes
    driver = {
        "name": "turnparse",
        "version": __version__,
        "rules": [_sarif_rule(name, result.preset) for name in result.selected],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "originalUriBaseIds": {ROOT: {"description": {"text": "The folder that the command was run in."}}},
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": {"rows": result.rows, "cleanRows": result.clean_rows},
    }
    return ascii_json({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, 2) + "\n"


def _sarif_rule(name: str, preset: str) -> dict[str, Any]:
    code = CHECKED[name]
    return {
        "id": code.name,
        "shortDescription": {"text": code.meaning},
        "fullDescription": {"text": code.meaning},
        "help": {"text": code.advice},
        "defaultConfiguration": {"level": code.level(preset)},
        "properties": {"tags": [code.severity, code.scope]},
    }


def _sarif_result(finding: Finding, place: Place, rule: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ruleId": finding.code.name,
        "ruleIndex": rule,
        "level": finding.level,
        "message": {"text": f"{place}: {finding.code.meaning} {finding.code.advice}"},
    }
    if place.source in ("", STDIN):
        found["locations"] = [{"logicalLocations": [{"fullyQualifiedName": str(place), "kind": "element"}]}]
        return found
    physical: dict[str, Any] = {"artifactLocation": _artifact(place.source)}
    if place.line is not None:
        physical["region"] = {"startLine": place.line}
    found["locations"] = [{"physicalLocation": physical}]
    return found


def _artifact(source: str) -> dict[str, str]:
    """Return where a file is: relative to the folder of the command, if it is in there; else as a URI of its own."""
    if is_url(source):
        return {"uri": _quoted(source, safe="%/:@!$&'()*+,;=~")}
    within = _within(source)
    if within is not None:
        return {"uri": _quoted(within), "uriBaseId": ROOT}
    return {"uri": f"file://{_quoted(os.path.abspath(source))}"}  # noqa: PTH100  # what a name may hold, Path may change


def _within(source: str) -> str | None:
    """Return the path of a file from the folder of the command, with slashes; None if it is not in there."""
    path = os.path.relpath(source).replace(os.sep, "/")
    return None if path == ".." or path.startswith("../") else path


def _quoted(path: str, safe: str = "/~") -> str:
    """Return *path* as a part of a URI."""
    return quote(path.encode("utf-8", "surrogatepass"), safe=safe)


def shown_failures(result: CheckResult) -> list[str]:
    """Return what is wrong with sources that could not be read to their end, fit for a terminal."""
    return [escape(str(failure), 2 * LONGEST_PATH) for failure in result.failures]
