"""How the engine's values are declared: frozen for whoever reads or types them, plain at run time.

A frozen attrs class pays for every field when a value is made, several times what a plain one pays, and a
turn makes a dozen values per call. So the type checker sees ``attrs.frozen`` and refuses every assignment
(``tests/typing`` proves it), and the class that runs is ``attrs.define`` with the same equality and hash. It
is for values that are made in every turn; all others use ``attrs.frozen``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attrs import frozen as value
else:
    from functools import partial

    from attrs import define

    value = partial(define, unsafe_hash=True, on_setattr=None)

__all__ = ["value"]
