"""Small worlds: what may happen in them, and the moves that this makes.

Layout:

    form.py     what a world is made of
    plain.py    the plain world, of any size
    named.py    the fixed worlds, each with its theme
    script.py   the moves of a world, and how people say them
"""

from turnlock.explore.worlds.form import (
    DIALECT as DIALECT,
    MODEL as MODEL,
    Plan as Plan,
    Response as Response,
    Says as Says,
    World as World,
)
from turnlock.explore.worlds.named import small_worlds as small_worlds
from turnlock.explore.worlds.plain import plain as plain
