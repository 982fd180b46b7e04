"""Pictures between markers: what is marked is drawn anew, and every other byte stays."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from turnlock.diagrams import MarkerError, markers, render

END = "<!-- turnlock end -->"
BOTH = "<!-- turnlock diagram both -->"


def page(*lines: str, newline: str = "\n") -> str:
    return newline.join([*lines, ""])


def test_marked_place_gets_its_picture() -> None:
    """The picture stands in a fenced block of its language, between the markers, which stay."""
    text = page("# Title", BOTH, "old", END, "after")
    assert markers.replace(text) == page(
        "# Title", BOTH, "", "```mermaid", *render("both").splitlines(), "```", "", END, "after"
    )


@pytest.mark.parametrize(
    ("marker", "subject", "format_", "fence"),
    [
        ("<!-- turnlock diagram turn -->", "turn", "mermaid", "```mermaid\n"),
        ("<!-- turnlock diagram turn --format dot -->", "turn", "dot", "```dot\n"),
        ("<!-- turnlock diagram --format=markdown invocation -->", "invocation", "markdown", ""),
        ("<!-- turnlock diagram -->", "both", "mermaid", "```mermaid\n"),
        ("<!--turnlock  diagram   both-->", "both", "mermaid", "```mermaid\n"),
    ],
)
def test_marker_says_what_is_drawn(marker: str, subject: str, format_: str, fence: str) -> None:
    """A subject and a format as on the command line; tables need no fence."""
    drawn = markers.replace(page(marker, END))
    close = "```\n" if fence else ""
    assert drawn == f"{marker}\n\n{fence}{render(subject, format_)}{close}\n{END}\n"


def test_several_markers_in_a_file() -> None:
    """Each place gets its own picture, and what stands between them stays between them."""
    text = page("<!-- turnlock diagram turn -->", END, "between", "<!-- turnlock diagram invocation -->", END)
    first, second = markers.replace(text).split("between")
    assert "turn_idle" in first
    assert "invocation_running" in second


def test_drawing_twice_changes_nothing() -> None:
    """What was written is current."""
    once = markers.replace(page("a", BOTH, END, BOTH, "x", END))
    assert markers.replace(once) == once


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_line_ends_are_those_of_the_file(newline: str) -> None:
    """A file with carriage returns has them in the picture too, and nowhere twice."""
    drawn = markers.replace(page("a", BOTH, END, "b", newline=newline))
    assert drawn.count("\n") == drawn.count(newline)
    assert drawn.count("\r") == (drawn.count("\n") if newline == "\r\n" else 0)


def test_last_line_needs_no_line_end() -> None:
    """A file may end with its closing marker."""
    assert markers.replace(f"{BOTH}\n{END}").endswith(END)


anything = st.text(alphabet="ab `~#-<!>\r\n\t\x0b\u2028", max_size=60).filter(lambda text: "<!--" not in text)


@settings(deadline=None)  # a busy machine says nothing about the code
@given(anything, anything)
def test_text_outside_is_untouched(before: str, after: str) -> None:
    """Byte for byte, whatever line separators and odd characters it holds."""
    unfenced = before.replace("`", "").replace("~", "")
    text = f"{unfenced}\n{BOTH}\nold\n{END}\n{after}"
    drawn = markers.replace(text)
    assert drawn.startswith(f"{unfenced}\n{BOTH}\n")
    assert drawn.endswith(f"{END}\n{after}")
    assert len(markers.find(text)) == 1


@settings(deadline=None)  # a busy machine says nothing about the code
@given(anything)
def test_file_without_markers_stays(text: str) -> None:
    """Nothing is marked, nothing changes."""
    assert markers.replace(text) == text


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(["```markdown", BOTH, END, "```"], id="backticks"),
        pytest.param(["~~~", BOTH, "```", END, "~~~"], id="tildes"),
        pytest.param(["````", "```", BOTH, "```", "````"], id="longer fence"),
        pytest.param(["- ```markdown", f"  {BOTH}", "  ```"], id="on a bullet"),
        pytest.param(["1. step", "", "   ```", f"   {BOTH}", "   ```"], id="in a list"),
        pytest.param([f"    {BOTH}"], id="indented code"),
        pytest.param([f"Write `{BOTH}` there."], id="in a sentence"),
        pytest.param([f"> {BOTH}"], id="quoted"),
        pytest.param(["```", BOTH], id="fence without end"),
    ],
)
def test_example_of_a_marker_is_not_touched(example: list[str]) -> None:
    """Documentation of the syntax stays as it is, also when it could not be followed."""
    text = page(*example)
    assert markers.find(text) == ()
    assert markers.replace(text) == text


def test_fence_ends_where_it_ends() -> None:
    """A marker below an example is followed: a fence is closed by its own mark, at least as long."""
    text = page("```", BOTH, "``", "~~~", "``` not a close", "````  ", BOTH, END)
    assert [marker.line for marker in markers.find(text)] == [7]


def test_code_span_of_backticks_is_no_fence() -> None:
    """Three backticks with more behind them in the line are code in a sentence."""
    assert [marker.line for marker in markers.find(page("```x``` is code", BOTH, END))] == [2]


@pytest.mark.parametrize(
    ("lines", "number", "problem"),
    [
        ([BOTH], 1, "not closed"),
        (["a", BOTH, "text", BOTH, END], 2, "not closed"),
        ([BOTH, "<!-- turnlock chart -->", END], 1, "not closed"),
        (["a", "", END], 3, "closes nothing"),
        ([BOTH, END, END], 3, "closes nothing"),
        (["<!-- turnlock chart -->", END], 1, "unknown marker 'chart'"),
        (["<!-- turnlock -->", END], 1, "unknown marker ''"),
        (["<!-- turnlock diagram session -->", END], 1, "unknown subject 'session': write one of invocation"),
        (
            ["<!-- turnlock diagram turn --format svg -->", END],
            1,
            "unknown format 'svg': write one of mermaid",
        ),
        (["<!-- turnlock diagram turn --format -->", END], 1, "unknown format ''"),
        (["<!-- turnlock diagram turn both -->", END], 1, "too many words: 'both'"),
        (["<!-- turnlock diagram turn", "-->", END], 1, "alone on its line"),
        ([f"  {BOTH}", END], 1, "from its margin"),
        ([f"{BOTH} and more", END], 1, "alone on its line"),
        ([BOTH, f"{END} and more"], 2, "alone on its line"),
    ],
)
def test_marker_that_cannot_be_followed_is_an_error(lines: list[str], number: int, problem: str) -> None:
    """It would silently go out of date: the error names the line, and what to write instead."""
    with pytest.raises(MarkerError) as caught:
        markers.replace(page(*lines))
    assert caught.value.line == number
    assert problem in caught.value.problem
    assert str(caught.value) == f"line {number}: {caught.value.problem}"


def test_example_to_paste_works() -> None:
    """What the error message offers is a marker that can be followed."""
    assert markers.replace(markers.EXAMPLE) != markers.EXAMPLE
