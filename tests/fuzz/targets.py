"""Everything that is fuzzed, by its name."""

from __future__ import annotations

from fuzz.files import PLAIN, STORED, ZIPPED
from fuzz.tables import CONVERT_TABLE
from fuzz.target import Target
from fuzz.texts import PARSE, PARSE_PAIR

TARGETS: dict[str, Target] = {
    target.name: target for target in (PARSE, PARSE_PAIR, CONVERT_TABLE, PLAIN, ZIPPED, STORED)
}
