"""The metadata of a dataset card, in YAML, as the Hub and `datasets.load_dataset` read them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from turnparse._sinks import format_of

SPLITS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
}
"""{first word of a file's name: its split}, as `datasets` takes them; every other file is of the first split."""

BOUNDS: Final = {f"{10 ** (power % 3)}{'KMBT'[power // 3]}": 10 ** (power + 3) for power in range(10)}
"""{how the Hub writes a bound of sizes: how many that are}."""

LICENSES: Final[Mapping[str, str]] = {"Anthropic/hh-rlhf": "mit"}
"""{dataset on the Hub: the licence that its card names}."""

ON_THE_HUB: Final = re.compile(r"(?:hf://|https://huggingface\.co/)datasets/(?P<name>[\w.-]+/[\w.-]+)")

UNFIT: Final = re.compile(r"[^\w.-]+")
"""What a name of a configuration had better not hold; some of it must not be there."""


@attrs.frozen
class CardFile:
    """An output as its card has it.

    Attributes:
        path: from the folder of the card, with slashes.
        records: how many records it holds.
        has_more: whether it has columns beside the target's.
    """

    path: str
    records: int
    has_more: bool = False

    @property
    def folder(self) -> str:
        """The folder that it is in; empty if it lies beside the card."""
        return self.path.rpartition("/")[0]

    @property
    def is_loadable(self) -> bool:
        """Whether `datasets` can read it: a file without records does not tell its columns, and ``::`` is part of no name there."""
        return self.records > 0 and "::" not in self.path

    @property
    def split(self) -> str:
        """The split that it is of."""
        return split_named(self.path) or "train"


def split_named(path: str) -> str | None:
    """Return the split that the name of a file tells of, if it does."""
    stem = path.rpartition("/")[2].removesuffix(f".{format_of(path)}")
    word = re.match(r"[A-Za-z]*", stem)
    return SPLITS.get(word[0].lower() if word is not None else "")


def metadata(
    files: Sequence[CardFile], sources: Iterable[str], tags: Sequence[str], tasks: Sequence[str], *, alike: bool
) -> dict[str, Any]:
    """Return the metadata of a card; nothing that is not known is claimed.

    Args:
        files: the outputs.
        sources: what they were made of, as it was named.
        tags: tags.
        tasks: what the data can be used for, as the Hub calls it.
        alike: whether files without more columns all have the same ones.
    """
    matches = [ON_THE_HUB.match(source) for source in sources]
    on_the_hub = [None if match is None else match["name"] for match in matches]
    datasets = sorted({name for name in on_the_hub if name is not None})
    licenses = {LICENSES.get(name or "") for name in on_the_hub}
    licence = licenses.pop() if len(licenses) == 1 else None
    found = configs(files, alike=alike)
    return {
        **({} if licence is None else {"license": licence}),
        **({"task_categories": list(tasks)} if tasks else {}),
        "tags": list(tags),
        "size_categories": [size_category(sum(file.records for file in files))],
        **({"source_datasets": datasets} if datasets else {}),
        **({"configs": found} if found else {}),
    }


def size_category(records: int) -> str:
    """Return what the Hub calls a dataset of so many records."""
    least = ""
    for name, bound in BOUNDS.items():
        if records < bound:
            return f"{least}n<{name}"
        least = f"{name}<"
    return f"n>{name}"


def configs(files: Iterable[CardFile], *, alike: bool) -> list[dict[str, Any]]:
    """Return the configurations of *files*: one a folder, and all that have the same columns together as the default.

    What cannot be loaded is left out.

    Args:
        files: the outputs.
        alike: whether files without more columns all have the same ones.
    """
    groups: dict[tuple[str, bool], list[CardFile]] = {}
    for file in files:
        if file.is_loadable:
            groups.setdefault((file.folder, file.has_more), []).append(file)
    if len(groups) < 2:  # noqa: PLR2004  # more than one
        return [_config("default", group) for group in groups.values()]
    found = []
    common = [file for (_, has_more), group in groups.items() if not has_more for file in group]
    if common and alike:
        found.append(_config("default", common))
    names = Counter(["default"])
    for (folder, has_more), group in groups.items():
        parted = has_more and (folder, False) in groups
        name = (UNFIT.sub("-", folder) or "files") + ("-more" if parted else "")
        names[name] += 1
        found.append(_config(name if names[name] == 1 else f"{name}-{names[name]}", group))
    return found


def _config(name: str, files: Iterable[CardFile]) -> dict[str, Any]:
    splits: dict[str, list[str]] = {}
    for file in files:
        splits.setdefault(file.split, []).append(_literal(file.path))
    ordered = [split for split in dict.fromkeys(SPLITS.values()) if split in splits]
    return {"config_name": name, "data_files": [{"split": split, "path": splits[split]} for split in ordered]}


def _literal(path: str) -> str:
    """Return the pattern that fits *path* alone; nor does it begin like a URL."""
    return re.sub(r"[*?\[:]", r"[\g<0>]", path)


def as_yaml(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield the lines of *value*, of mappings, lists and texts, in YAML: every text is in quotes, so that none is anything else."""
    indent = "  " * depth
    entries = value.items() if isinstance(value, dict) else ((None, inner) for inner in value)
    for key, inner in entries:
        begin = "-" if key is None else f"{key}:"
        if isinstance(inner, str):
            yield f"{indent}{begin} {_quoted(inner)}"
        elif key is not None:
            yield f"{indent}{begin}"
            yield from as_yaml(inner, depth if isinstance(inner, list) else depth + 1)
        else:
            first, *rest = as_yaml(inner, depth + 1)
            yield f"{indent}- {first.lstrip()}"
            yield from rest


def _quoted(text: str) -> str:
    return f'"{"".join(map(_character, text))}"'


def _character(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004
