"""Codex rollouts: items are the request, events are not; what was open was closed on the way out."""

from __future__ import annotations

from pathlib import Path

from support.session_files import (
    META,
    call,
    event,
    item,
    lengths,
    output,
    problems,
    requests,
    said,
    write,
)
from turnlock.reports import detect
from turnlock.reports.readers.filling import ABORTED
from turnlock.wire import check

TURN = {"type": "turn_context", "payload": {"model": "gpt-x"}}


def ids(rows: object) -> list[object]:
    assert isinstance(rows, list)
    return [row.get("call_id") or row["role"] for row in rows]


def test_a_request_left_before_every_run_of_the_models_items(tmp_path: Path) -> None:
    """C1: two calls of one response are one request's answer; their outputs are the next request's rows."""
    path = write(
        tmp_path / "rollout.jsonl",
        META,
        item(said("user", "Look.")),
        TURN,
        item({"type": "reasoning", "summary": [], "encrypted_content": "x"}),
        item(call("a")),
        item(call("b")),
        item(output("a")),
        item(output("b")),
        item(said("assistant", "Done.")),
    )
    found = requests(path)
    assert detect(path) == "codex_rollout"
    assert lengths(found) == [(1, 0), (6, 1), (7, 6)]
    assert [(each.line, each.next) for each in found] == [(4, False), (9, False), (None, True)]
    assert found[1].rows is found[0].rows
    assert found[1].body()["input"] == list(found[2].rows[:6])
    assert found[1].envelope == {"store": False, "instructions": "Be brief.", "model": "gpt-x"}
    assert [check(each.body(), each.dialect) for each in found] == [(), (), ()]


def test_events_say_nothing_about_items(tmp_path: Path) -> None:
    """The same story without its events, and with them at other moments, is the same requests."""
    items = [
        item(said("user", "Look.")),
        item(call("a")),
        item(output("a")),
        item(said("assistant", "Done.")),
    ]
    late = [
        event("agent_message", message="Done."),
        *items[:2],
        event("exec_command_end", call_id="a"),
        *items[2:],
    ]
    bare = requests(write(tmp_path / "bare.jsonl", META, *items))
    told = requests(write(tmp_path / "told.jsonl", META, *late, event("user_message", message="Look.")))
    assert [each.body() for each in bare] == [each.body() for each in told]


def test_what_is_not_sent_is_no_row(tmp_path: Path) -> None:
    """Snapshots are Codex's own; item ids and its own notes are not sent while nothing is stored."""
    path = write(
        tmp_path / "rollout.jsonl",
        item({**said("user", "Look."), "id": "msg-1", "metadata": {"turn_id": "t"}}),
        item({"type": "ghost_snapshot", "ghost_commit": {}}),
        item({"type": "local_shell_call", "id": "ls", "call_id": None, "action": {"type": "exec"}}),
        item(output("ls")),
    )
    rows = requests(path)[-1].rows
    assert [row["type"] for row in rows] == ["message", "local_shell_call", "function_call_output"]
    assert all("id" not in row and "metadata" not in row for row in rows)
    assert check(requests(path)[-1].body(), "openai_responses") == ()


def test_an_interrupted_call_was_closed_on_the_way_out_and_is_open_in_the_file(tmp_path: Path) -> None:
    """C38: the request that was answered has Codex's own output; what goes on from the file has none."""
    path = write(
        tmp_path / "rollout.jsonl",
        item(said("user", "Look.")),
        item(call("a")),
        item(call("b")),
        item(output("b")),
        event("turn_aborted", reason="interrupted"),
        item(said("user", "Stop.")),
        item(said("assistant", "Stopped.")),
        item(said("user", "Thanks.")),
    )
    first, second, last = requests(path)
    assert ids(list(second.rows[: second.length])) == ["user", "a", "a", "b", "b", "user"]
    assert second.rows[2]["output"] == ABORTED
    assert check(second.body(), second.dialect) == ()
    assert ids(list(last.rows)) == ["user", "a", "b", "b", "user", "assistant", "user"]
    assert [each.call_ids for each in check(last.body(), last.dialect)] == [("a",)]
    assert lengths([first, second, last]) == [(1, 0), (6, 1), (7, 2)]


def test_an_output_that_comes_late_is_left_out_of_what_was_sent(tmp_path: Path) -> None:
    """C39: the request was answered before the output was written; it is never sent a second time."""
    path = write(
        tmp_path / "rollout.jsonl",
        item(said("user", "Look.")),
        item(call("a")),
        TURN,
        item(said("assistant", "Meanwhile.")),
        item(output("a", "late")),
        TURN,
        item(said("assistant", "Done.")),
    )
    found = requests(path)
    assert [check(each.body(), each.dialect) for each in found] == [(), (), (), ()]
    assert [row["output"] for row in found[2].rows if "output" in row] == [ABORTED]
    assert [row["output"] for row in found[3].rows if "output" in row] == ["late"]


def test_a_search_of_tools_is_closed_in_its_own_way(tmp_path: Path) -> None:
    """C36: the client's tool search has no text; the provider's own needs nothing."""
    search = {"type": "tool_search_call", "call_id": "s", "execution": "client", "arguments": {}}
    path = write(
        tmp_path / "rollout.jsonl",
        item(said("user", "Look.")),
        item({"type": "tool_search_call", "call_id": None, "execution": "server", "arguments": {}}),
        item({"type": "tool_search_output", "call_id": None, "execution": "server", "tools": []}),
        item(search),
        item(said("user", "Stop.")),
        item(said("assistant", "Stopped.")),
    )
    first, second, _ = requests(path)
    assert second.rows[4] == {
        "type": "tool_search_output",
        "call_id": "s",
        "status": "completed",
        "execution": "client",
        "tools": [],
    }
    assert lengths([first, second]) == [(1, 0), (6, 1)]


def test_compaction_replaces_the_history(tmp_path: Path) -> None:
    """R18: what stands in the line is the history from then on, and nothing of it is shared."""
    path = write(
        tmp_path / "rollout.jsonl",
        item(said("user", "Look.")),
        item(call("a")),
        item(output("a")),
        item(said("assistant", "Done.")),
        {"type": "compacted", "payload": {"message": "", "replacement_history": [said("user", "Summary.")]}},
        item(said("user", "Go on.")),
        item(said("assistant", "Going.")),
    )
    found = requests(path)
    assert lengths(found) == [(1, 0), (3, 1), (2, 0), (3, 2)]
    assert found[1].length == 3, "requests that were given out keep their rows"
    assert [row["content"][0]["text"] for row in found[2].rows[:2]] == ["Summary.", "Go on."]


def test_an_older_compaction_keeps_the_users_messages_and_the_summary(tmp_path: Path) -> None:
    """Files before replacement_history: the user's own messages, then the summary; no call, no context."""
    path = write(
        tmp_path / "rollout.jsonl",
        item(said("user", "<environment_context>…")),
        item(said("user", "Look.")),
        item(call("a")),
        item(output("a")),
        {"type": "compacted", "payload": {"message": "We looked."}},
        item(said("assistant", "Going.")),
    )
    texts = [row["content"][0]["text"] for row in requests(path)[-1].rows]
    assert texts == ["Look.", "We looked.", "Going."]


def test_turns_that_were_rolled_back_are_gone(tmp_path: Path) -> None:
    """A rewind drops whole turns of the user; messages that Codex wrote begin none."""
    path = write(
        tmp_path / "rollout.jsonl",
        item(said("user", "One.")),
        item(said("assistant", "1")),
        item(said("user", "<environment_context>…")),
        item(said("user", "Two.")),
        item(said("assistant", "2")),
        event("thread_rolled_back", num_turns=1),
        item(said("user", "Three.")),
        item(said("assistant", "3")),
    )
    found = requests(path)
    texts = [row["content"][0]["text"] for row in found[2].rows[: found[2].length]]
    assert texts == ["One.", "1", "<environment_context>…", "Three."]
    assert found[2].fresh == 0


def test_a_refusal_is_the_verdict_on_the_request_that_it_answers(tmp_path: Path) -> None:
    """The refused request stands as the file has it; when nothing follows, it would be sent next."""
    error = event(
        "error",
        message="unexpected status 400 Bad Request: "
        '{"error":{"message":"No tool output found for function call a."}}',
    )
    lines = [item(said("user", "Look.")), item(call("a")), item(said("user", "Stop.")), error]
    *_, refused = requests(write(tmp_path / "ends.jsonl", *lines))
    assert refused.verdict is not None
    assert (refused.verdict.accepted, refused.verdict.status, refused.next) == (False, 400, True)
    [violation] = check(refused.body(), refused.dialect)
    assert violation.message == refused.verdict.error
    found = requests(write(tmp_path / "goes_on.jsonl", *lines, item(said("user", "Well?"))))
    assert [(each.length, each.next) for each in found] == [(1, False), (3, False), (4, True)]


def test_an_answer_that_was_broken_off_is_followed_by_another(tmp_path: Path) -> None:
    """What stands behind an interruption answers another request, though nobody said anything between."""
    path = write(
        tmp_path / "rollout.jsonl",
        item(said("user", "Look.")),
        item(said("assistant", "Look")),
        event("turn_aborted", reason="interrupted"),
        item(said("assistant", "Looking.")),
    )
    assert lengths(requests(path)) == [(1, 0), (2, 1), (3, 2)]


def test_an_error_within_an_answer_is_no_verdict(tmp_path: Path) -> None:
    """The request had been accepted; what broke was the answer."""
    path = write(
        tmp_path / "rollout.jsonl",
        item(said("user", "Look.")),
        item(said("assistant", "Look")),
        event("error", message="error code: 500"),
    )
    assert [(each.length, each.next) for each in requests(path)] == [(1, False), (2, True)]


def test_an_output_that_stands_twice_was_sent_once(tmp_path: Path) -> None:
    """C40: the second output of a call is in the file, and was not in what was answered."""
    path = write(
        tmp_path / "rollout.jsonl",
        item(said("user", "Look.")),
        item(call("a")),
        item(output("a", "first")),
        item(output("a", "second")),
        item(said("assistant", "Done.")),
    )
    _, answered, last = requests(path)
    assert [row["output"] for row in answered.rows if "output" in row] == ["first"]
    assert [row["output"] for row in last.rows if "output" in row] == ["first", "second"]


def test_an_error_without_a_status_is_no_verdict(tmp_path: Path) -> None:
    """Errors of Codex itself say nothing about a request."""
    path = write(
        tmp_path / "rollout.jsonl", item(said("user", "Look.")), event("error", message="no such tool")
    )
    assert [each.verdict for each in requests(path)] == [None]


def test_the_flat_form_has_its_items_bare(tmp_path: Path) -> None:
    """Files before the envelope: a line about the session, then items and the state of the program."""
    path = write(
        tmp_path / "rollout.jsonl",
        {"id": "s", "timestamp": "2025-08-01T00:00:00Z", "instructions": "Be brief."},
        {"record_type": "state"},
        said("user", "Look."),
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": None},
        call("a"),
        output("a"),
        {"record_type": "state"},
        said("assistant", "Done."),
    )
    found = requests(path)
    assert detect(path) == "codex_rollout"
    assert lengths(found) == [(1, 0), (4, 1), (5, 4)]
    assert found[0].envelope["instructions"] == "Be brief."
    assert check(found[-1].body(), "openai_responses") == ()


def test_a_torn_last_line_and_a_broken_one_are_said_and_passed_over(tmp_path: Path) -> None:
    """C33: the rest is read, and the line is named."""
    path = write(tmp_path / "rollout.jsonl", META, "{oops", item(said("user", "Look.")), "[1]")
    path.write_bytes(path.read_bytes() + b'{"type":"response_item","payl\0\0\0')
    assert lengths(requests(path)) == [(1, 0)]
    (second, broken), (fourth, other), (fifth, torn) = problems(path)
    assert (second, fourth, fifth) == (2, 4, 5)
    assert "not JSON" in broken
    assert "torn" not in broken
    assert other == "it is not a JSON object"
    assert torn.startswith("the last line is torn")


def test_a_lone_event_is_a_session_without_requests(tmp_path: Path) -> None:
    """Nothing is invented: without items nothing was sent that the file knows of."""
    path = write(tmp_path / "rollout.jsonl", event("turn_aborted", reason="interrupted"))
    assert detect(path) == "codex_rollout"
    assert (requests(path), problems(path)) == ([], [])
