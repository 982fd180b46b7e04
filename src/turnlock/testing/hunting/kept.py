"""A finding as a test that plays it again: the text of a Python file.

Owns the wording of that file. It writes nothing: whoever asked for it does.
"""

from __future__ import annotations

import re
from keyword import iskeyword

from turnlock.testing.hunting.smaller import Finding
from turnlock.testing.sequencing.oracle import Rule

_NAMES = re.compile(r"\b([A-Z][A-Za-z]+)\(")


def as_test(
    finding: Finding, module: str, factory: str, ignore: frozenset[Rule] = frozenset(), folder: str = ""
) -> str:
    """The text of a test module; it fails as long as the finding shows.

    Args:
        finding: The finding.
        module: The module of the factory, as it is imported.
        factory: The factory's name in it.
        ignore: The rules that were not asked.
        folder: Where the module lies, seen from the file; empty where Python finds it anyway.
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

{_imports(module, factory, ", ".join([*names, "replay"]), folder)}

def test_{_word(str(finding.rule))}() -> None:
    replay(
        {factory},
        [
{steps}        ],
{rest}    )
'''


def _imports(module: str, factory: str, names: str, folder: str) -> str:
    """The head of the file; a module that ``import`` cannot name, or find, is imported in other ways."""
    ours, named = f"from turnlock.testing import {names}\n", all(map(_is_name, module.split(".")))
    if named and not folder:
        return f"from {module} import {factory}\n{ours}"
    head = "" if named else "from importlib import import_module\n"
    found = ""
    if folder:
        head = f"import sys\n{head}from pathlib import Path\n"
        found = f"sys.path.insert(0, str(Path(__file__).parent / {folder!r}))\n"
    if named:
        return f"{head}\n{ours}\n{found}\nfrom {module} import {factory}  # noqa: E402\n"
    return f"{head}\n{ours}\n{found}{factory} = import_module({module!r}).{factory}\n"


def _is_name(part: str) -> bool:
    return part.isidentifier() and not iskeyword(part)


def _plain(text: str) -> str:
    """What may stand in a docstring."""
    return text.replace("\\", "\\\\").replace('"""', "'''")


def _word(name: str) -> str:
    return re.sub(r"\W+", "_", name)
