"""The whole state of an engine as a value: two engines that are equal here behave equally ever after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from turnlock.engine import Engine
from turnlock.machines import Stepper, TableMachine

_ELSEWHERE = {
    ("Invocation", "registry"),  # the way back
    ("Turn", "registry"),  # the engine's own
    ("Turn", "inbox"),
    ("Engine", "_out"),  # what the last input said, not what the engine knows
    ("Engine", "_now"),  # the time of the last input, refused or not
}


def snapshot(engine: Engine) -> Any:
    """Everything that the engine knows, as nested tuples."""
    return _value(engine)


def _value(value: Any) -> Any:
    if isinstance(value, (TableMachine, Stepper)):
        return None
    kind = type(value).__name__
    if attrs.has(type(value)):
        return (
            kind,
            *(
                (field.name, _value(getattr(value, field.name)))
                for field in attrs.fields(type(value))
                if (kind, field.name) not in _ELSEWHERE
            ),
        )
    if isinstance(value, Mapping):
        return tuple((key, _value(content)) for key, content in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(_value(content) for content in value)
    return value
