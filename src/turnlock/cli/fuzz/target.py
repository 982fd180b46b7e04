"""What ``turnlock fuzz`` is pointed at: MODULE:FACTORY.

Owns how it is imported, and the errors of that. It plays nothing.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from attrs import frozen

import turnlock
from turnlock.cli.exits import Unusable


@frozen
class Target:
    """An agent's adapter.

    Attributes:
        named: As it was given.
        folder: Where the module lies, if it was given as a file.
        module: The module's name.
        name: The factory's name in it.
        factory: The factory.
    """

    named: str
    folder: Path | None
    module: str
    name: str
    factory: Callable[..., Any]


def load(target: str) -> Target:
    """Import what ``target`` names.

    Raises:
        click.ClickException: It cannot be found, imported or called.
    """
    where, colon, name = target.rpartition(":")
    if not colon or not where or not name:
        raise click.UsageError(f"{target!r} is not MODULE:FACTORY, such as my_agent:Adapter")
    path, folder = Path(where), None
    if path.suffix == ".py":
        if not path.is_file():
            raise click.UsageError(f"there is no file {where}")
        folder = path.parent.resolve()
        where = path.stem
    sys.path.insert(0, str(Path.cwd()))
    if folder is not None:
        sys.path.insert(0, str(folder))
    try:
        module = importlib.import_module(where)
    except ModuleNotFoundError as error:
        if error.name is not None and not where.startswith(error.name):
            raise Unusable(f"{where} cannot be imported: {error}") from error
        raise click.UsageError(f"there is no module {where!r} here; give a path to its .py file") from error
    except (Exception, SystemExit) as error:
        raise Unusable(f"{where} cannot be imported: {described(error)}") from error
    factory = getattr(module, name, None)
    if factory is None:
        offered = ", ".join(each for each in vars(module) if not each.startswith("_"))
        raise click.UsageError(f"{where} has no {name!r}; it has {offered}")
    if not callable(factory):
        raise click.UsageError(f"{target} is {factory!r}: give a class, or a function that takes a Harness")
    return Target(target, folder, where, name, factory)


def described(error: BaseException) -> str:
    """An error in a line, with the place in the user's own code, if there is one."""
    others = (str(Path(turnlock.__file__).parent), sys.prefix, sys.base_prefix, "<")
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(others)]
    place = f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {error}{place}"
