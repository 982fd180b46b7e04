"""``turnlock explore``: every interleaving of small worlds, from the command line.

It owns the size, the files, the clock and the words of the report; what a world is and what is wrong in it
is said in ``turnlock.explore``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from turnlock.cli.screen import Progress, counted, few_collections
from turnlock.explore import (
    GUARDS,
    SOUND,
    Survey,
    Violation,
    World,
    all_rows,
    plain,
    small_worlds,
    survey,
    without_guard,
)

_FOUND = 1

_HELP = f"""Run every interleaving of small worlds through the real engine, and judge each state.

The plain world has --calls calls in one answer, --messages messages and one interrupt, at any moment; tools
return, raise, are stopped, use up their grace, or return when their call is long over. Beside it small worlds
are explored, one for each thing that can go differently: --worlds lists them.

In every state: is each request accepted by a strict provider, and no call open? Has each call one output,
and is it true? Has each message one fate, in order? Does an interrupt end the turn? Can all still end well?

\b
Examples:
  turnlock explore
  turnlock explore --calls 5 --messages 4       the largest: half a minute
  turnlock explore --world crash --world late   two worlds alone
  turnlock explore --exact --calls 3 --messages 3
  turnlock explore --drop-guard all_terminal    a missing guard, found

States of the plain world that differ in nothing but what is past, or in which of several equal calls is
which, are explored once. --exact tells them apart by their whole history, and sees whether those that count
as one go on alike; 4 calls and 4 messages take minutes then.

\b
Guards, for --drop-guard:
  {", ".join(GUARDS)}

\b
Exit codes:
  0  nothing is wrong
  1  something is: the shortest way to it is told
  2  wrong usage, or a FILE that cannot be written
"""


def _guard(_context: click.Context, _option: click.Parameter, name: str | None) -> str | None:
    """Refuse a name that no table knows."""
    if name is not None:
        try:
            without_guard(name)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
    return name


def _list_worlds(context: click.Context, _option: click.Parameter, wanted: bool) -> None:  # noqa: FBT001  # click's
    """Name the worlds, and what each is about."""
    if wanted:
        for world in (*small_worlds(), plain(2, 2)):
            click.echo(f"{world.name:14}{world.about}")
        context.exit()


@click.command(help=_HELP)
@click.option("--calls", type=int, default=2, show_default=True, help="Calls in the plain world, 1 to 5.")
@click.option("--messages", type=int, default=2, show_default=True, help="Messages in it, 1 to 4.")
@click.option("--exact", is_flag=True, help="Tell the states of the plain world apart by whole histories.")
@click.option("--world", "names", multiple=True, metavar="NAME", help="Explore this world alone.")
@click.option(
    "--worlds",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_worlds,
    help="List the worlds.",
)
@click.option("--drop-guard", callback=_guard, metavar="NAME", help="Explore without this guard.")
@click.option(
    "--dump-requests",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write every distinct request, an OpenAI Responses body a line.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def explore(
    calls: int,
    messages: int,
    names: tuple[str, ...],
    drop_guard: str | None,
    dump_requests: Path | None,
    *,
    exact: bool,
    as_json: bool,
) -> None:
    """Explore, report, and say by the exit code whether something is wrong."""
    try:
        world = plain(calls, messages, exact=exact)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    worlds = _chosen([*small_worlds(), world], names)
    _write(dump_requests)  # whoever waits for minutes learns before it whether the file can be written
    machines = SOUND if drop_guard is None else without_guard(drop_guard)
    with few_collections(), Progress() as progress:

        def show(name: str, states: int, edges: int) -> None:
            progress.show(f"the {name} world: {states:,} states, {edges:,} edges")

        result = survey(worlds, machines=machines, exact=exact, progress=show)
        seconds = progress.gone
    _write(dump_requests, b"".join(body + b"\n" for body in result.bodies))
    if as_json:
        size = {"calls": calls, "messages": messages, "interrupts": world.interrupts}
        click.echo(json.dumps(size | _as_json(result, seconds) | {"dropped": drop_guard, "exact": exact}))
    else:
        _tell(result, drop_guard, seconds)
    click.get_current_context().exit(_FOUND if result.violations else 0)


def _chosen(worlds: Sequence[World], names: Sequence[str]) -> Sequence[World]:
    """The worlds of these names; all, without names."""
    known = {world.name: world for world in worlds}
    for name in names:
        if name not in known:
            raise click.UsageError(f"there is no world {name!r}; there are: {', '.join(known)}")
    return [world for world in worlds if not names or world.name in names]


def _write(path: Path | None, content: bytes | None = None) -> None:
    """Write the file; without content only see whether that is possible."""
    if path is None:
        return
    try:
        with path.open("ab" if content is None else "wb") as file:
            file.write(content or b"")
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written: {error.strerror}") from error


def _as_json(result: Survey, seconds: float) -> dict[str, Any]:
    violations = result.violations
    first = violations[0] if violations else None
    return {
        "states": result.states,
        "edges": result.edges,
        "violations": len(violations),
        "seconds": round(seconds, 3),
        "counterexample": None if first is None else list(first.moves),
        "wrong": None if first is None else first.text,
        "world": None if first is None else first.world,
        "worlds": [
            {"name": each.world.name, "states": each.states, "edges": each.edges}
            for each in result.explorations
        ],
        "rows": {
            "exercised": [str(row) for row in all_rows() if row in result.rows],
            "missed": [str(row) for row in all_rows() if row not in result.rows],
        },
    }


def _tell(result: Survey, dropped: str | None, seconds: float) -> None:
    """The same for people."""
    if dropped is not None:
        click.echo(f"Without the guard {dropped}:")
    if result.violations:
        _tell_story(result, result.violations[0])
        seen = "Seen until then"
    else:
        click.echo(
            "Nothing is wrong: every request was acceptable, every message has one fate, every turn ends."
        )
        seen = "Explored"
    click.echo(
        f"{seen}: {_sizes(result)}: {result.states:,} states, {result.edges:,} edges, "
        f"{len(result.bodies):,} different requests, {seconds:.1f} s."
    )
    for each in result.explorations:
        if each.images and each.violation is None:
            click.echo(
                f"Of the {each.states:,} states of the {each.world.name} world those that count as one go on "
                f"alike: {each.images:,} are different."
            )
    missed = [str(row) for row in all_rows() if row not in result.rows]
    every = len(list(all_rows()))
    click.echo(f"Rows of the two tables that were exercised: {every - len(missed)} of {every}.")
    for row in missed:
        click.echo(f"  not {row}")


def _sizes(result: Survey) -> str:
    """What was explored, in words."""
    worlds = [each.world for each in result.explorations]
    sizes = [
        f"{counted(world.calls, 'call')}, {counted(len(world.messages), 'message')}, 1 interrupt"
        for world in worlds
        if world.symmetric
    ]
    named = [world.name for world in worlds if not world.symmetric]
    if named:
        small = "the world " + named[0] if len(named) == 1 else f"{len(named)} small worlds"
        sizes.append(f"and {small}" if sizes else small)
    return ", ".join(sizes)


def _tell_story(result: Survey, violation: Violation) -> None:
    """The shortest way to what is wrong, as a numbered story."""
    about = next(each.world.about for each in result.explorations if each.world.name == violation.world)
    click.echo(f"Wrong: {violation.text}.")
    click.echo(f'The shortest way there, in the world "{violation.world}" ({about}):')
    for number, move in enumerate(violation.moves, 1):
        click.echo(f"{number:3}. {move}")
