"""What was found, for people: each violation once, with what stands around it, like a good compiler."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from attrs import define, field
from rich.text import Text

from turnlock.cli.lint.explain import rule_of
from turnlock.cli.lint.findings import Finding
from turnlock.cli.lint.rows import cut, fitted
from turnlock.cli.screen import Paper, counted
from turnlock.reports import Implied
from turnlock.wire import Severity

_AROUND = 2  # rows before the one that is meant, and behind it
_FAR = 6  # rows behind it among which the intruder is looked for
_WIDTH = 100  # letters of a row; on a narrow terminal what it has
_MARGIN = 10  # letters before them
_MOST = 30  # violations of one file that are told; --json has all


@define(eq=False)
class _Told:
    """A violation, and the requests that have it."""

    finding: Finding
    place: int = -1  # the row that it is about
    intruder: int = -1  # the row that stands where an output should
    around: Sequence[tuple[int, str]] = ()
    last: bool = False  # the history ends behind what is shown
    requests: list[int] = field(factory=list)


@define(eq=False)
class Report:
    """Collects what is wrong in a file, and tells it when the file is read."""

    _console: Paper = field(factory=lambda: Paper(highlight=False, soft_wrap=True), init=False)
    _told: dict[object, _Told] = field(factory=dict, init=False)

    def add(self, finding: Finding) -> None:
        """Something was found."""
        found = finding.violation
        key = (finding.session, found, finding.line if finding.request is None else None)
        told = self._told.get(key)
        if told is None:
            self._told[key] = told = _told(finding, self._width)
        if finding.request is not None:
            told.requests.append(finding.request.index)

    @property
    def _width(self) -> int:
        width = self._console.width - _MARGIN if self._console.is_terminal else _WIDTH
        return max(_MARGIN, min(_WIDTH, width))

    def tell(self) -> None:
        """The file is read."""
        for told in list(self._told.values())[:_MOST]:
            for line in _lines(told):
                self._console.print(line)
            self._console.print()
        if (more := len(self._told) - _MOST) > 0:
            self._console.print(f"… and {counted(more, 'violation')} more in this file; --json has all.\n")
        self._told.clear()

    def conclude(self, line: str, *, explain: bool = False) -> None:
        """The last line, and before it where to learn more of the rules that were named."""
        if explain:
            self._console.print(Text("More of a rule, and who saw it: turnlock lint --explain RULE", "dim"))
        self._console.print(Text(line, "bold"))


def _lines(told: _Told) -> Iterator[Text]:
    finding = told.finding
    found, request = finding.violation, finding.request
    colour = "red" if found.severity is Severity.ERROR else "yellow"
    yield Text.assemble((f"{found.severity}[{found.rule}]", f"bold {colour}"), " ", (found.message, "bold"))
    yield Text.assemble(("  --> ", "blue"), _place(finding))
    if request is None:
        return
    rule = rule_of(request.dialect, found.rule)
    for at, text in told.around:
        sign = _sign(told, at)
        style = "" if sign == " " else f"bold {colour}"
        yield Text.assemble((f"{sign}{at:6} | ", style or "blue"), (text, style))
    if told.last:
        sign = _sign(told, request.length)
        yield Text(f"{sign}      | (here the request ends)", "dim" if sign == " " else f"bold {colour}")
    yield Text.assemble(("  = rule: ", "blue"), rule.statement)
    if not rule.literal:
        yield Text.assemble(("  = note: ", "blue"), "the text is ours: nobody has seen the provider's")
    verdict = request.verdict
    if verdict is not None and verdict.accepted:
        yield Text.assemble(("  = note: ", "blue"), "the file says that this request was accepted")
    elif verdict is not None:
        became = "has no answer" if verdict.status is None else f"was refused with {verdict.status}"
        said = cut(" ".join(verdict.error.split()), 300)
        yield Text.assemble(("  = note: ", "blue"), f"it {became}: {said}")
    yield Text.assemble(("  = help: ", "blue"), rule.fix)
    if told.requests[1:]:
        yield Text.assemble(("  = also in ", "blue"), _also(told.requests[1:]))


def _place(finding: Finding) -> str:
    request = finding.request
    parts = [str(finding.file)]
    if finding.line is not None:
        parts[0] += f":{finding.line}"
    if finding.session:
        parts.append(f"sidechain {finding.session}")
    if request is not None:
        what = "the next request" if finding.ahead else "request"
        parts.append(f"{what} ({request.index}) of {request.dialect}")
        if finding.violation.at:
            parts.append(f"at {finding.violation.at}")
    return ", ".join(parts)


def _sign(told: _Told, at: int) -> str:
    return ">" if at == told.place else "!" if at == told.intruder else " "


def _intruder(request: Implied, at: int) -> int:
    """What stands where the output of a call should: the first row behind it that no answer is made of."""
    for place in range(at + 1, request.length):
        kind, role = request.rows[place].get("type"), request.rows[place].get("role")
        ours = role is not None and role not in ("assistant", "model", "tool")
        if ours or (role is None and not str(kind).endswith(("_call", "_output", "reasoning"))):
            return place
    return request.length


def _told(finding: Finding, width: int) -> _Told:
    """A violation with the rows around it."""
    request = finding.request
    pointer = finding.violation.at.split("/")
    if request is None or pointer[1:2] != [request.key] or not "".join(pointer[2:3]).isdecimal():
        return _Told(finding)
    at = int(pointer[2])
    intruder = _intruder(request, at) if rule_of(request.dialect, finding.violation.rule).absent else -1
    end = min(request.length, max(at + _AROUND, min(intruder, at + _FAR)) + 1)
    rows = range(max(0, at - _AROUND), end)
    around = [(row, fitted(request.rows[row], width, pointer[3:] if row == at else ())) for row in rows]
    return _Told(finding, at, intruder, around, end == request.length)


def _also(indexes: Sequence[int]) -> str:
    runs = list(_runs(indexes))
    text = ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in runs[:8])
    more = f", and {counted(len(runs) - 8, 'more run')}" if len(runs) > 8 else ""  # a line
    return f"request{'s' if len(indexes) > 1 else ''} {text}{more}"


def _runs(indexes: Iterable[int]) -> Iterator[tuple[int, int]]:
    first = last = None
    for index in indexes:
        if first is None or last is None:
            first = last = index
        elif index == last + 1:
            last = index
        else:
            yield first, last
            first = last = index
    if first is not None and last is not None:
        yield first, last


def summary(paths: Sequence[Path], requests: int, errors: int, warnings: int, unread: int) -> str:
    """One line about everything."""
    seen = f"{counted(requests, 'request')} in {counted(len(paths), 'file')}"
    wrong = [counted(number, what) for number, what in ((errors, "error"), (warnings, "warning")) if number]
    if not unread:
        return f"{seen}: {', '.join(wrong) or 'nothing that a provider would refuse'}."
    said = ", ".join(wrong) or "nothing was judged"
    return f"{seen}: {said}. {counted(unread, 'problem')} of reading."
