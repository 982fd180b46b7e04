"""What may be said of a tool beside its function, and what is wrong with what was said.

Options are judged when the tool is made: a deadline that is no number would otherwise be found out in the
middle of a turn. It owns no option's meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, TypeAlias

from turnlock.engine.limits import is_seconds
from turnlock.wire.common.jsontext import as_json


class Default(Enum):
    """Stands for "as the session's limits say"."""

    DEFAULT = "default"


Seconds: TypeAlias = float | Default | None


def _limit(value: object) -> bool:
    return isinstance(value, Default) or is_seconds(value)


def _switch(value: object) -> bool:
    return isinstance(value, bool)


def _choice(value: object) -> bool:
    return value is None or isinstance(value, bool)


def _text(value: object) -> bool:
    return isinstance(value, str)


def _schema(value: object) -> bool:
    return isinstance(value, Mapping) and as_json(value) is not None


_SECONDS = "give a number of seconds above 0, or None for no limit; left out, it is the session's"
_SWITCH = "give True or False"
_OPTIONS: Mapping[str, tuple[Callable[[object], bool], str]] = MappingProxyType(
    {
        "description": (_text, "give a text"),
        "parameters": (_schema, "give a dict that JSON can say"),
        "deadline": (_limit, _SECONDS),
        "idle_deadline": (_limit, _SECONDS),
        "exclusive": (_switch, _SWITCH),
        "ends_turn": (_switch, _SWITCH),
        "approval": (_choice, "give True, False, or None for as the session says"),
        "strict": (_switch, _SWITCH),
    }
)


def problems(tool: Any) -> list[str]:  # noqa: ANN401  # a Tool, which is made of what stands here
    """What is wrong with a tool's options, each with its value and its repair."""
    given = ((name, getattr(tool, name), *rule) for name, rule in _OPTIONS.items())
    return [f"{name} is {value!r}: {repair}" for name, value, fits, repair in given if not fits(value)]
