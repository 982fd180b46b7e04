"""A finding as a test that plays it again: the text of a Python file.

Owns the wording of that file. It writes nothing: whoever asked for it does.
"""

from __future__ import annotations

import re

from turnlock.testing.hunting.smaller import Finding
from turnlock.testing.sequencing.oracle import Rule

_NAMES = re.compile(r"\b([A-Z][A-Za-z]+)\(")


def as_test(finding: Finding, module: str, factory: str, ignore: frozenset[Rule] = frozenset()) -> str:
    """The text of a test module; it fails as long as the finding shows.

    Args:
        finding: The finding.
        module: The module of the factory, as it is imported.
        factory: The factory's name in it.
        ignore: The rules that were not asked.
    """
    steps = "".join(f"            {step!r},\n" for step in finding.steps)
    rest = f"        {finding.deviations!r},\n" if len(finding.deviations) else ""
    if ignore:
        rest += f"        ignore={sorted(map(str, ignore))!r},\n"
    names = sorted(set(_NAMES.findall(steps + rest)))
    story = "".join(f"    {line}\n" for line in finding.story)
    return f'''"""Found by `turnlock fuzz {module}:{factory}`: {finding.rule}.

{_plain(finding.what)}

Play it again with `python -m pytest` and the name of this file: it fails until the agent is mended.

{_plain(story)}"""

from {module} import {factory}
from turnlock.testing import {", ".join([*names, "replay"])}


def test_{_word(str(finding.rule))}() -> None:
    replay(
        {factory},
        [
{steps}        ],
{rest}    )
'''


def _plain(text: str) -> str:
    """What may stand in a docstring."""
    return text.replace("\\", "\\\\").replace('"""', "'''")


def _word(name: str) -> str:
    return re.sub(r"\W+", "_", name)
