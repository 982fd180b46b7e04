"""Claude Code sessions: one line per block of an answer, per message of the user, per note of the program.

The history is the order of the lines. Each line names a parent, but the tree forks at parallel calls, so it
is not followed. Lines of one answer share the message's id and are one message; results of its first calls
may stand between them. Lines that are no message (summaries, progress, snapshots, system notes) are passed
over. A compaction boundary begins a new history. An answer that the program wrote itself about an API error
is no answer of the model: it is the verdict on the request before it.

Sidechains are conversations of their own: by agent id, in older files by the line that they begin with.
Calls that the file leaves open were closed on the way out (``filling.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field

from turnlock.reports.readers import source
from turnlock.reports.readers.filling import fill_anthropic
from turnlock.reports.readers.form import Implied, Recording, Unreadable
from turnlock.reports.readers.growing import History
from turnlock.reports.readers.shapes import key_of
from turnlock.reports.readers.verdicts import refusal

FORMAT = "claude_code"

_TYPES = frozenset(
    {"user", "assistant", "summary", "system", "file-history-snapshot", "progress", "queue-operation"}
)
_NOTES = frozenset({"leafUuid", "messageId", "sessionId"})
_SIDE = re.compile(rb'"isSidechain"\s*:\s*true')  # every line says whether; few say yes
_ERROR_MODEL = "<synthetic>"


def matches(first: Sequence[Mapping[str, Any]]) -> bool:
    """Whether lines are those of a session."""
    return any(
        each.get("type") in _TYPES and (_is_message(each.get("message")) or not _NOTES.isdisjoint(each))
        for each in first
    )


def _is_message(value: object) -> bool:
    return isinstance(value, Mapping) and "content" in value


def recordings(path: Path, dialect: str) -> list[Recording]:
    """The main conversation, then the sidechains in the order in which they begin."""
    sides = _sidechains(path)
    skipped = frozenset(line for lines in sides.values() for line in lines)

    def main(first: int, problems: list[Unreadable]) -> Iterator[Implied]:
        return _read(source.lines(path, problems, skip=skipped), dialect, first)

    found = [Recording(FORMAT, dialect, read=main)]
    for name, lines in sides.items():
        only = frozenset(lines)

        def side(first: int, problems: list[Unreadable], only: frozenset[int] = only) -> Iterator[Implied]:
            return _read(source.lines(path, problems, only=only), dialect, first)

        found.append(Recording(FORMAT, dialect, name, read=side, before=found[-1]))
    return found


def _sidechains(path: Path) -> dict[str, list[int]]:
    """The lines of each sidechain, by its name."""
    sides: dict[str, list[int]] = {}
    chain: dict[str, str] = {}  # of a line of a sidechain: the sidechain
    with path.open("rb") as stream:
        for number, raw in enumerate(stream, 1):
            if _SIDE.search(raw) is None:
                continue
            try:
                line = source.decode(raw.strip())
            except source.NotJson:
                continue
            if not isinstance(line, dict) or line.get("isSidechain") is not True:
                continue
            uuid, agent = line.get("uuid"), line.get("agentId")
            name = agent if isinstance(agent, str) else chain.get(str(line.get("parentUuid")), str(uuid))
            if isinstance(uuid, str):
                chain[uuid] = name
            sides.setdefault(name, []).append(number)
    return sides


def _read(entries: Iterator[tuple[int, dict[str, Any]]], dialect: str, first: int) -> Iterator[Implied]:
    history = History(first, dialect, key_of(dialect), filling=fill_anthropic)
    session = _Session(history)
    for line, entry in entries:
        session.take(line, entry)
        if history.ready:
            yield from history.hand_out()
    history.end()
    yield from history.hand_out()


@define(eq=False)
class _Session:
    history: History
    seen: set[str] = field(init=False, factory=set)  # lines that a resumed session has copied stand twice
    answer: str | None = field(init=False, default=None)  # the id of the message that is being answered
    message: dict[str, Any] | None = field(init=False, default=None)  # the same, as a row
    answering: bool = field(init=False, default=False)  # the last row was the model's

    def take(self, line: int, entry: dict[str, Any]) -> None:
        kind = entry.get("type")
        if kind == "system" and entry.get("subtype") == "compact_boundary":
            self.replace()
            return
        message = entry.get("message")
        if (kind != "user" and kind != "assistant") or message.__class__ is not dict:  # noqa: PLR1714  # hot
            return
        uuid = entry.get("uuid")
        if uuid.__class__ is str:
            if uuid in self.seen:
                return
            self.seen.add(uuid)
        if kind == "user":
            self.by_user(entry, message)
        elif entry.get("isApiErrorMessage"):
            self.history.refused(line, refusal(_text(message)))
            self.rest()
        elif message.get("model") != _ERROR_MODEL:
            self.by_model(line, message)

    def by_user(self, entry: dict[str, Any], message: dict[str, Any]) -> None:
        if entry.get("isCompactSummary"):
            if len(self.history):
                self.replace()
        elif entry.get("isVisibleInTranscriptOnly"):
            return
        self.answering = False
        self.history.add({"role": "user", "content": message.get("content")})

    def by_model(self, line: int, message: dict[str, Any]) -> None:
        answer = message.get("id")
        name = answer if isinstance(answer, str) else None
        if self.message is not None and (self.answering if name is None else name == self.answer):
            self.answering = True
            if name is not None:
                self.message["content"] = [*_blocks(self.message), *_blocks(message)]
                return
        else:
            model = message.get("model")
            if isinstance(model, str) and self.history.envelope.get("model") != model:
                self.history.envelope = {**self.history.envelope, "model": model}
            self.history.answered(line)
        self.answer, self.answering = name, True
        self.message = {"role": "assistant", "content": message.get("content")}
        self.history.add(self.message)

    def replace(self) -> None:
        self.rest()
        self.history.replace(())

    def rest(self) -> None:
        """What follows belongs to another answer."""
        self.answer = self.message = None
        self.answering = False


def _blocks(message: Mapping[str, Any]) -> list[Any]:
    content = message.get("content")
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if isinstance(content, str) else []


def _text(message: Mapping[str, Any]) -> str:
    return "".join(str(block.get("text", "")) for block in _blocks(message) if isinstance(block, Mapping))
