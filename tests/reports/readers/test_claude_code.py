"""Claude Code sessions: the order of the lines, answers by their id, sidechains apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support.session_files import answer, human, lengths, requests, result, text, use, write
from turnlock.reports import detect, open_recording
from turnlock.reports.readers.filling import NO_RESULT


def blocks(row: Any) -> list[str]:
    content = row["content"]
    if isinstance(content, str):
        return [content]
    return [each.get("id") or each.get("tool_use_id") or each["text"] for each in content]


def sent(request: Any) -> list[list[str]]:
    return [blocks(row) for row in request.rows[: request.length]]


def test_lines_of_one_answer_are_one_message(tmp_path: Path) -> None:
    """Blocks come a line each; results of the first calls may stand between them."""
    path = write(
        tmp_path / "session.jsonl",
        human("Look.", uuid="1", parentUuid=None, sessionId="s"),
        answer("m1", text("Looking."), uuid="2", parentUuid="1"),
        answer("m1", use("a"), uuid="3", parentUuid="2"),
        result("a", uuid="4", parentUuid="3"),
        answer("m1", use("b"), uuid="5", parentUuid="3"),
        result("b", uuid="6", parentUuid="5"),
        answer("m2", text("Done."), uuid="7", parentUuid="4"),
    )
    found = requests(path)
    assert detect(path) == "claude_code"
    assert lengths(found) == [(1, 0), (4, 1), (5, 4)]
    assert sent(found[1]) == [["Look."], ["Looking.", "a", "b"], ["a"], ["b"]]
    assert found[1].envelope == {"model": "claude-x"}
    assert [each.line for each in found] == [2, 7, None]


def test_what_is_no_message_is_passed_over(tmp_path: Path) -> None:
    """Summaries, progress and notes of the program were not sent; a line that is copied counts once."""
    path = write(
        tmp_path / "session.jsonl",
        {"type": "summary", "summary": "…", "leafUuid": "x"},
        {"type": "file-history-snapshot", "messageId": "x", "snapshot": {}},
        human("Look.", uuid="1"),
        {"type": "progress", "uuid": "p", "data": {}},
        human("Look.", uuid="1"),
        {"type": "system", "subtype": "api_error", "uuid": "e"},
        answer("m1", text("Done."), uuid="2"),
        {"type": "queue-operation", "operation": "enqueue", "content": "more"},
        {"type": "user", "message": "not a message"},
        {"type": "assistant", "message": {"model": "<synthetic>", "content": "No response requested."}},
        {"type": "user", "isVisibleInTranscriptOnly": True, "message": {"content": "for the eye"}},
    )
    assert [sent(each) for each in requests(path)] == [[["Look."]], [["Look."], ["Done."]]]


def test_an_open_call_was_closed_on_the_way_out_and_is_open_in_the_file(tmp_path: Path) -> None:
    """C38: results come first in the next user message; the missing one was put in, the file lacks it."""
    path = write(
        tmp_path / "session.jsonl",
        human("Look."),
        answer("m1", use("a")),
        answer("m1", use("b")),
        human("Stop."),
        result("b"),
        answer("m2", text("Stopped.")),
        human("Thanks."),
        answer("m3", text("Bye.")),
    )
    found = requests(path)
    assert sent(found[1]) == [["Look."], ["a", "b"], ["a", "b"], ["Stop."]]
    assert found[1].rows[2]["content"][0]["content"] == NO_RESULT
    assert sent(found[2])[:4] == sent(found[1])
    assert sent(found[3]) == [["Look."], ["a", "b"], ["Stop."], ["b"], ["Stopped."], ["Thanks."], ["Bye."]]
    assert lengths(found) == [(1, 0), (4, 1), (6, 4), (7, 2)]


def test_a_result_behind_the_next_answer_was_not_sent(tmp_path: Path) -> None:
    """C39: results count where they follow their calls directly."""
    path = write(
        tmp_path / "session.jsonl",
        human("Look."),
        answer("m1", use("a"), use("b")),
        result("a"),
        answer("m2", text("Hm.")),
        result("b"),
        answer("m3", text("Done.")),
    )
    found = requests(path)
    assert sent(found[1]) == [["Look."], ["a", "b"], ["a", "b"]]
    assert sent(found[2]) == [["Look."], ["a", "b"], ["a", "b"], ["Hm."]]


def test_results_of_no_call_are_left_out_of_what_was_sent(tmp_path: Path) -> None:
    """C37: a result that belongs to nothing stands in the file, and the request was answered without it."""
    path = write(
        tmp_path / "session.jsonl",
        human("Look."),
        result("gone"),
        answer("m1", use("a")),
        result("a"),
        result("a", "again"),
        answer("m2", text("Done.")),
    )
    found = requests(path)
    assert [sent(each) for each in found[:2]] == [[["Look."]], [["Look."], ["a"], ["a"]]]
    assert found[1].rows[2]["content"][0]["content"] == "done", "the first result is the one that counts"
    assert sent(found[2]) == [["Look."], ["gone"], ["a"], ["a"], ["a"], ["Done."]]


def test_sidechains_are_conversations_of_their_own(tmp_path: Path) -> None:
    """By agent id; in older files by the line that they begin with. Numbers run on through the file."""
    path = write(
        tmp_path / "session.jsonl",
        human("Look.", uuid="1"),
        answer("m1", use("t"), uuid="2"),
        human("Help.", uuid="s1", isSidechain=True, parentUuid=None),
        human("Search.", uuid="g1", isSidechain=True, agentId="agent"),
        answer("n1", text("Helping."), uuid="s2", isSidechain=True, parentUuid="s1"),
        answer("o1", text("Found."), uuid="g2", isSidechain=True, agentId="agent", parentUuid="g1"),
        human("And?", uuid="s3", isSidechain=True, parentUuid="s2"),
        result("t", uuid="3"),
        answer("m2", text("Done."), uuid="4"),
    )
    main, older, newer = open_recording(path)
    told = {each.session: list(each.requests()) for each in (newer, main, older)}
    assert [sent(each) for each in told[""]][-1] == [["Look."], ["t"], ["t"], ["Done."]]
    assert [sent(each) for each in told["s1"]] == [[["Help."]], [["Help."], ["Helping."], ["And?"]]]
    assert [sent(each) for each in told["agent"]] == [[["Search."]], [["Search."], ["Found."]]]
    numbers = [each.index for name in ("", "s1", "agent") for each in told[name]]
    assert numbers == list(range(7)), "whatever the order in which they are read"


def test_an_api_error_is_the_verdict_on_the_request_before_it(tmp_path: Path) -> None:
    """The program writes it as an answer; it is none, and no row."""
    words = (
        'API Error: 400 {"type":"error","error":{"type":"invalid_request_error","message":"messages.1: no"}}'
    )
    lines = [
        human("Look."),
        answer("m1", use("a")),
        human("Stop."),
        answer("e1", text(words), isApiErrorMessage=True),
    ]
    *_, refused = requests(write(tmp_path / "ends.jsonl", *lines))
    assert refused.verdict is not None
    assert (refused.verdict.status, refused.verdict.error) == (400, "messages.1: no")
    assert sent(refused) == [["Look."], ["a"], ["Stop."]], "what was refused is told as the file has it"
    assert refused.next
    more = requests(write(tmp_path / "goes_on.jsonl", *lines, human("Well?"), answer("m2", text("Yes."))))
    assert [(len(sent(each)), each.next) for each in more] == [(1, False), (3, False), (5, False), (5, True)]
    assert [sent(each)[2] for each in more[1:]] == [["Stop."], ["a"], ["Stop."]]


def test_compaction_begins_a_new_history(tmp_path: Path) -> None:
    """R18: with a boundary line, or in older files with the summary alone."""
    before = [human("Look."), answer("m1", text("Done."))]
    summary = human("This session continues…", isCompactSummary=True, isVisibleInTranscriptOnly=True)
    boundary = {"type": "system", "subtype": "compact_boundary", "uuid": "b"}
    after = [human("Go on."), answer("m2", text("Going."))]
    for name, lines in (("new", [boundary, summary]), ("old", [summary])):
        found = requests(write(tmp_path / f"{name}.jsonl", *before, *lines, *after))
        assert [len(sent(each)) for each in found] == [1, 2, 3]
        assert (found[1].fresh, found[2].fresh) == (0, 2)
        assert sent(found[1]) == [["This session continues…"], ["Go on."]]


def test_answers_without_an_id_are_told_by_what_stands_between(tmp_path: Path) -> None:
    """Edited files lose ids: lines of the model that follow each other are one answer."""
    path = write(
        tmp_path / "session.jsonl",
        human("Look."),
        answer(None, text("Looking.")),
        answer(None, use("a")),
        result("a"),
        answer(None, text("Done.")),
    )
    assert [len(sent(each)) for each in requests(path)] == [1, 4, 5]


def test_a_file_that_begins_in_the_middle_has_no_request_before_its_first_answer(tmp_path: Path) -> None:
    """Nothing is known of it, so nothing is said of it."""
    path = write(tmp_path / "session.jsonl", answer("m1", use("a")), result("a"), answer("m2", text("Done.")))
    assert [(len(sent(each)), each.next) for each in requests(path)] == [(2, False), (3, True)]


def test_lines_that_cannot_be_read_are_said_once(tmp_path: Path) -> None:
    """C33: by the main conversation, also when there are sidechains."""
    path = write(
        tmp_path / "session.jsonl",
        human("Look.", sessionId="s"),
        '{"type":"user","isSidechain":true, oops',
        human("Help.", uuid="s1", isSidechain=True),
    )
    path.write_bytes(path.read_bytes() + json.dumps(human("torn")).encode()[:-5])
    main, side = open_recording(path)
    assert [len(list(each.requests())) for each in (main, side)] == [1, 1]
    assert [each.line for each in main.problems] == [2, 4]
    assert side.problems == []
