"""Which format a file is of: by what stands in it; what is not read says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.session_files import META, answer, human, item, problems, requests, said, text, use, write
from turnlock.reports import FORMATS, Unreadable, detect, open_recording


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "it is empty"),
        ("\n \n", "it is empty"),
        ("# notes\n", "neither JSON nor JSON lines"),
        ("[]", "it holds nothing"),
        ("17", "its format is unknown: known are " + ", ".join(FORMATS)),
        ('{"a": 1}', "its format is unknown"),
        ('{"a": 1}\n{"b": 2}\n', "its lines are of no known format: known are "),
        ("[" * 100_000, "neither JSON nor JSON lines"),
    ],
)
def test_an_unknown_file_is_one_problem(tmp_path: Path, content: str, words: str) -> None:
    """It says which formats are known, and breaks nothing."""
    path = tmp_path / "file"
    path.write_text(content)
    assert detect(path) is None
    assert requests(path) == []
    [(line, problem)] = problems(path)
    assert line is None
    assert words in problem


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ('{"type": "thread.started", "thread_id": "t"}\n{"type": "turn.started"}\n', "codex_exec_json"),
        ('{"timestamp": 1, "event": {"type": "session.created"}}\n', "opencode_events"),
        ('[{"id": 0, "source": "user", "action": "message"}]', "openhands_events"),
        ('{"events": [{"event": "model"}]}', "inspect_ai"),
    ],
)
def test_a_known_format_that_is_not_read_says_why(tmp_path: Path, content: str, name: str) -> None:
    """It was no mistake of the file."""
    path = tmp_path / "file"
    path.write_text(content)
    assert detect(path) == name
    [recording] = open_recording(path)
    assert (recording.format, list(recording.requests())) == (name, [])
    [problem] = recording.problems
    assert problem.problem.startswith(f"{name} is known, and not read: ")


def test_a_mark_and_empty_lines_at_the_beginning_change_nothing(tmp_path: Path) -> None:
    """Editors of some systems write a byte order mark."""
    path = write(tmp_path / "rollout.jsonl", META, item(said("user", "Look.")))
    path.write_bytes(b"\xef\xbb\xbf" + b"\n\n" + path.read_bytes())
    assert (detect(path), len(requests(path)), problems(path)) == ("codex_rollout", 1, [])


def test_looser_json_is_read(tmp_path: Path) -> None:
    """Python writes NaN, and halves of surrogate pairs that a cut has left."""
    line = '{"type":"response_item","payload":{"role":"user","content":"\\ud83d","score":NaN}}'
    path = write(tmp_path / "rollout.jsonl", META, line)
    assert len(requests(path)) == 1


def test_a_session_of_one_line_is_a_session(tmp_path: Path) -> None:
    """One line is one JSON value, too."""
    assert detect(write(tmp_path / "a.jsonl", item(said("user", "Look.")))) == "codex_rollout"
    assert detect(write(tmp_path / "b.jsonl", human("Look."))) == "claude_code"


def test_a_broken_first_line_hides_nothing(tmp_path: Path) -> None:
    """The head of a file may be what is damaged."""
    path = write(tmp_path / "session.jsonl", "{oops", human("Look."), answer("m1", text("Done.")))
    assert (detect(path), len(requests(path))) == ("claude_code", 2)
    assert [line for line, _ in problems(path)] == [1]


def test_a_profile_is_given_and_another_format_is_refused(tmp_path: Path) -> None:
    """A session is of one family of dialects; within it, the caller says how strict the server is."""
    path = write(tmp_path / "session.jsonl", human("Look."), answer("m1", use("a")))
    assert {each.dialect for each in requests(path, "anthropic+4.6")} == {"anthropic+4.6"}
    [recording] = open_recording(path, "gemini")
    assert list(recording.requests()) == []
    assert recording.problems == [Unreadable(None, "it holds anthropic requests: none can be read as gemini")]


def test_a_file_that_is_not_there_is_an_error_of_the_caller(tmp_path: Path) -> None:
    """Only what stands in files is forgiven."""
    with pytest.raises(FileNotFoundError):
        open_recording(tmp_path / "nothing")
