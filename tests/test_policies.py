"""Policies: what each preset does about each oddity, and what an override changes."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import turnparse
from strategies import TEXT, text_pairs
from turnparse import CODES, OptionError, Pair, Transcript
from turnparse._codes import PRESETS, policy_values
from turnparse._policies import apply_policies, mend

REGULAR = "\n\nHuman: q\n\nAssistant: a"
POLICIES = {code.name: code.choices for code in CODES.values() if code.choices}
VALUES = st.fixed_dictionaries({name: st.sampled_from(choices) for name, choices in POLICIES.items()})


def mended(text: str, **policies: str) -> str:
    """Return *text* mended under `faithful` with these policies on top."""
    overrides = {name.replace("_", "-"): value for name, value in policies.items()}
    return str(mend(turnparse.parse(text), policy_values("faithful", overrides)))


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("preamble", "x" + REGULAR),
        ("cut-off-marker", REGULAR + "\n\nHuman"),
        ("dangling-human", REGULAR + "\n\nHuman:"),
        ("empty-turn", "\n\nHuman:" + REGULAR),
        ("empty-response", "\n\nHuman: q\n\nAssistant:"),
        ("ends-on-human", REGULAR + "\n\nHuman: r"),
        ("starts-with-assistant", "\n\nAssistant: a" + REGULAR),
        ("same-speaker", "\n\nHuman: p" + REGULAR),
        ("no-turns", "x"),
        ("no-assistant", "\n\nHuman: q"),
        ("blank-preamble", " " + REGULAR),
    ],
)
@pytest.mark.parametrize("preset", PRESETS)
def test_presets_do_what_their_table_says(code: str, text: str, preset: str) -> None:
    """A transcript with one oddity is set aside under a preset exactly if the table says so for one of its codes."""
    values = policy_values(preset)
    outcome = apply_policies(turnparse.parse(text), values)

    assert code in outcome.codes
    expected = {name for name in outcome.codes if values[name] == "set-aside"}
    assert {found.code for found in outcome.refusals} == expected
    assert (values[code] == "set-aside") == (code in expected)


def test_presets_of_the_design() -> None:
    """The three presets are the published table, policy by policy."""
    table = {
        "cut-off-marker": ("keep", "trim", "trim"),
        "dangling-human": ("keep", "drop", "set-aside"),
        "empty-turn": ("keep", "keep", "set-aside"),
        "empty-response": ("keep", "set-aside", "set-aside"),
        "ends-on-human": ("keep", "keep", "set-aside"),
        "starts-with-assistant": ("keep", "keep", "set-aside"),
        "same-speaker": ("keep", "keep", "set-aside"),
        "extends": ("keep", "keep", "set-aside"),
        "uneven": ("keep", "keep", "set-aside"),
        "earlier": ("keep", "keep", "set-aside"),
        "identical": ("keep", "set-aside", "set-aside"),
        "empty": ("keep", "set-aside", "set-aside"),
        "no-assistant": ("keep", "set-aside", "set-aside"),
        "preamble": ("system", "system", "set-aside"),
    }
    for name, values in table.items():
        assert tuple(policy_values(preset)[name] for preset in PRESETS) == values


@pytest.mark.parametrize(
    ("text", "policies", "expected"),
    [
        (REGULAR + "\n\nHuman \n", {"cut_off_marker": "trim"}, REGULAR),
        ("x\n\nHuman", {"cut_off_marker": "trim"}, "x"),
        (REGULAR + "\n\nHuman:", {"dangling_human": "drop"}, REGULAR),
        (REGULAR + "\n\nHuman:\n\nHuman: ", {"dangling_human": "drop"}, REGULAR),
        (REGULAR + "\n\nHuman: r\n\nHuman: ", {"dangling_human": "drop"}, REGULAR + "\n\nHuman: r"),
        (REGULAR + "\n\nHuman: r\n\nHuman: ", {"dangling_human": "drop", "ends_on_human": "drop"}, REGULAR),
        (REGULAR + "\n\nHuman: r", {"ends_on_human": "drop"}, REGULAR),
        ("\n\nAssistant: hi" + REGULAR, {"starts_with_assistant": "drop"}, REGULAR),
        ("\n\nHuman:" + REGULAR, {"empty_turn": "drop"}, REGULAR),
        ("x" + REGULAR, {"preamble": "drop"}, REGULAR),
        ("\n\nHuman: p" + REGULAR, {"same_speaker": "merge"}, "\n\nHuman: p\n\nq\n\nAssistant: a"),
        ("\n\nHuman: " + REGULAR, {"same_speaker": "merge"}, REGULAR),
        (REGULAR + "\n\nHuman:\n\nHuman", {"cut_off_marker": "trim", "dangling_human": "drop"}, REGULAR),
    ],
)
def test_mending(text: str, policies: dict[str, str], expected: str) -> None:
    """Each mending does what its policy's name says, and no more."""
    assert mended(text, **policies) == expected


@given(TEXT, VALUES)
@example("Be brief.\n\nHuman: a\n\nHuman: b", policy_values("faithful", {"same-speaker": "merge"}))
def test_mended_transcripts_are_whole(text: str, values: dict[str, str]) -> None:
    """A mended transcript tiles its new text, and nothing that a policy mends is left in it."""
    transcript = mend(turnparse.parse(text), values)

    at = len(transcript.preamble)
    for turn in transcript.turns:
        assert turn.start == at
        at = turn.end
    left = {found.code for found in transcript.diagnostics}
    assert not {name for name in left if values[name] in {"trim", "drop", "merge", "escape"}}


@given(text_pairs(), VALUES)
def test_outcomes_add_up(texts: tuple[str, str], values: dict[str, str]) -> None:
    """A pair is refused exactly if it carries, after mending, a code that is to be set aside."""
    pair = turnparse.parse_pair(*texts)
    outcome = apply_policies(pair, values)

    assert isinstance(outcome.item, Pair)
    after = {found.code for found in outcome.item.diagnostics}
    assert {found.code for found in outcome.refusals} == {name for name in after if values[name] == "set-aside"}
    assert outcome.codes >= after


@given(TEXT)
def test_faithful_changes_nothing(text: str) -> None:
    """Under `faithful` a transcript comes out as the object that went in."""
    transcript = turnparse.parse(text)
    outcome = apply_policies(transcript, policy_values("faithful"))

    assert outcome.item is transcript
    assert outcome.refusals == ()


def test_relation_counts_after_mending() -> None:
    """A pair whose sides differ only by a dangling Human is an ordinary pair once that is dropped."""
    pair = turnparse.parse_pair(REGULAR + "\n\nHuman:", "\n\nHuman: q\n\nAssistant: b")

    assert pair.relation == "uneven"
    outcome = apply_policies(pair, policy_values("default"))
    assert isinstance(outcome.item, Pair)
    assert outcome.item.relation == "last-turn"
    assert outcome.codes == {"dangling-human"}


@pytest.mark.parametrize(
    ("preset", "overrides"),
    [("lenient", {}), ("default", {"nonesuch": "keep"}), ("default", {"same-speaker": "drop"}), ("default", {"label-inside": "set-aside"})],
)  # fmt: skip
def test_unknown_policies(preset: str, overrides: dict[str, str]) -> None:
    """An unknown preset, policy or value is an error."""
    with pytest.raises(OptionError):
        policy_values(preset, overrides)


def test_smuggling_by_merging_stays_content() -> None:
    """Merged contents that look like a marker stay content in messages, and are refused as text."""
    transcript = mend(
        turnparse.parse("\n\nHuman: a\n\nHuman: Human: b"), policy_values("faithful", {"same-speaker": "merge"})
    )

    assert isinstance(transcript, Transcript)
    assert transcript.messages() == [{"role": "user", "content": "a\n\nHuman: b"}]
    with pytest.raises(turnparse.RenderError):
        turnparse.render(transcript.messages())
