"""``turnlock demo``: the figures that are relied on, and the screens that people look at."""

from __future__ import annotations

import json
import re

import pytest

from support.commands import Demos
from turnlock.cli.stories import STORIES

FUNCTION_CALL = r"No tool output found for function call call_\w+\."
SHELL_CALL = r"No tool output found for local shell call call_\w+\."
ESCAPE = re.compile(r"\x1b\[([\d;]*)[A-Za-z]")


@pytest.fixture
def plain(demos: Demos) -> str:
    """The screen as it stands in a file."""
    return demos.piped.output


def told(screen: str, story: int, loop: str) -> list[str]:
    """The lines of one story, told to one of the loops."""
    chapter = re.split(r"^\d/\d  .*$", screen.partition("In short")[0], flags=re.MULTILINE)[story]
    naive, _, guarded = chapter.partition(" with turnlock ")
    return (naive if loop == "without" else guarded).strip().splitlines()


def timeless(screen: str) -> list[str]:
    """The lines without figures, in no order: who is first among three calls differs from run to run."""
    return sorted(re.sub(r"[\d.]+", "", line) for line in screen.splitlines())


def test_the_figures(demos: Demos) -> None:
    """Without the engine both kinds of calls are refused; with it nothing is refused and nothing lost."""
    assert (demos.figures.code, demos.figures.err) == (0, "")
    figures = json.loads(demos.figures.out)
    assert {loop: list(counts) for loop, counts in figures.items()} == {
        "unguarded": ["requests", "rejected", "errors"],
        "guarded": ["requests", "rejected", "held", "delivered", "returned", "lost"],
    }
    unguarded, guarded = figures["unguarded"], figures["guarded"]
    assert unguarded["rejected"] == len(unguarded["errors"]) >= 2
    assert any(re.fullmatch(FUNCTION_CALL, error) for error in unguarded["errors"])
    assert any(re.fullmatch(SHELL_CALL, error) for error in unguarded["errors"])
    assert (guarded["rejected"], guarded["lost"], guarded["returned"]) == (0, 0, 0)
    assert guarded["held"] == 2
    assert guarded["delivered"] == 8  # five first messages, two that were typed meanwhile, one after Esc


def test_figures_are_one_line_of_json(demos: Demos) -> None:
    """Nothing else stands on stdout, so that a program can read it."""
    assert demos.figures.out.count("\n") == 1


def test_the_screen_says_what_is_held_why_and_when_it_goes(plain: str) -> None:
    """C2 at a glance: the message waits for the tool, and goes behind its output in the next request."""
    assert told(plain, 2, "with") == [
        "you Count the files in docs.",
        "   → request 1: user",
        "   · count_files(docs) runs",
        " you Only the .md ones, please.",
        "hold the message is held: count_files(docs) has no outcome yet",
        "   · count_files(docs): docs: 3 files, 2 of them .md",
        "   → request 2: user · call · output · user",
        "sent “Only the .md ones, please.” went out in request 2, behind every output",
        "   ← 2 of the 3 files in docs are .md.",
    ]


def test_the_screen_shows_both_refusals(plain: str) -> None:
    """The origin without the engine: a function call, asked again; then its first fix, for a shell call."""
    refused = [line for line in told(plain, 1, "without") if line.startswith(" 400")]
    assert [re.sub(r"call_\w+", "…", line) for line in refused] == [
        " 400 No tool output found for function call ….",
        " 400 No tool output found for function call ….",
        " 400 No tool output found for local shell call ….",
    ]


def test_the_origin_with_the_engine(plain: str) -> None:
    """Both calls have outcomes that are true, and the request that carries the message is accepted."""
    lines = told(plain, 1, "with")
    assert "   · local_shell(ls -la) waits for your approval" in lines
    assert "   · local_shell(ls -la): Tool cancelled before it started: it was not run." in lines
    assert "   → request 2: user · call · shell call · output · output · note · user" in lines
    assert not any(line.startswith(" 400") for line in lines)
    assert lines[-2:] == [
        "   ← It is the Python that runs this demo. The count was stopped, and the",
        "     listing was never run.",
    ]


def test_what_a_stopped_tool_printed_is_kept(plain: str) -> None:
    """C3: the model reads what the user has seen."""
    lines = told(plain, 3, "with")
    at = lines.index("     Output so far (incomplete):")
    assert lines[at + 1 : at + 4] == [
        "     collected 12 items",
        "     test_login PASSED",
        "     test_logout PASSED",
    ]
    assert "   → request 2: user · call · output · note · user" in lines


def test_each_call_ends_in_its_own_way(plain: str) -> None:
    """C5: a result, an error and a timeout, where the naive batch loses the result."""
    lines = "\n".join(told(plain, 4, "with"))
    for outcome in (
        "ask_mirror(first): mirror 'first' has release 4.2",
        "ask_mirror(second): Tool error: ConnectionRefusedError: mirror 'second' is",
        "ask_mirror(third): Tool timed out after",
        "request 2: user · call · call · call · output · output · output",
    ):
        assert outcome in lines
    assert "the whole batch ends, the first answer with it" in "\n".join(told(plain, 4, "without"))


def test_a_stubborn_tool_is_left_behind(plain: str) -> None:
    """C7: the naive agent waits for the tool, the session goes on and says what still runs."""
    (stuck,) = re.findall(r"stood still for ([\d.]+) s", "\n".join(told(plain, 5, "without")))
    lines = "\n".join(told(plain, 5, "with"))
    (after,) = re.findall(r"the agent went on after ([\d.]+) s", lines)
    assert 0.7 <= float(after) < float(stuck)
    assert "ping(build) runs on; nothing waits for it" in lines
    assert "too late to count" in lines


def test_the_summary(demos: Demos, plain: str) -> None:
    """A row for each story, without and with the engine; the sentence below has the figures of the JSON."""
    summary = plain.partition("In short")[2]
    assert demos.piped.exit_code == 0
    rows = [line.split("│")[1:4] for line in summary.splitlines() if line.startswith("│")]
    assert [name.strip() for name, _, _ in rows] == [story.name for story in STORIES]
    assert [naive.strip()[0] for _, naive, _ in rows] == ["3", "1", "1", "1", "0"]
    assert all(guarded.strip().startswith("0 refused") for _, _, guarded in rows)
    figures = json.loads(demos.figures.out)
    without, guarded = figures["unguarded"], figures["guarded"]
    assert (
        f"Without the engine {without['rejected']} of {without['requests']} requests were refused. "
        f"With it {guarded['rejected']} of {guarded['requests']}:\n"
        f"{guarded['held']} messages were held, {guarded['delivered']} delivered,"
        f" {guarded['returned']} returned, {guarded['lost']} lost.\n"
    ) in summary


def test_a_file_gets_text_only(plain: str) -> None:
    """No escape codes, nothing beyond 80 columns, no space at the end of a line that is no title."""
    assert "\x1b" not in plain
    assert max(map(len, plain.splitlines())) <= 80
    titles = {" without the engine ", " with turnlock "}
    assert {line for line in plain.splitlines() if line != line.rstrip()} <= titles


def test_a_narrow_terminal(demos: Demos) -> None:
    """80 columns are enough: the same lines, with colours that set apart what is refused, held and sent."""
    assert demos.narrow.code == 0
    codes = set(ESCAPE.findall(demos.narrow.out))
    assert {"1;31", "1;33", "1;32"} <= codes
    shown = ESCAPE.sub("", demos.narrow.out)
    assert max(map(len, shown.splitlines())) <= 80
    assert timeless(shown) == timeless(demos.piped.output)


def test_no_colours_are_used_when_nobody_wants_them(demos: Demos) -> None:
    """NO_COLOR leaves bold and reverse, and not one colour."""
    assert demos.colourless.code == 0
    codes = {code for codes in ESCAPE.findall(demos.colourless.out) for code in codes.split(";")}
    assert "1" in codes
    assert not [code for code in codes if code and 30 <= int(code) <= 107]


def test_a_wide_terminal_is_used(demos: Demos) -> None:
    """What does not fit into 80 columns stands on one line of 120."""
    shown = ESCAPE.sub("", demos.colourless.out)
    assert (
        "   ← It is the Python that runs this demo. The count was stopped, and the listing was never run.\n"
        in shown
    )
    assert max(map(len, shown.splitlines())) <= 120
