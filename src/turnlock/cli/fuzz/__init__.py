"""``turnlock fuzz``: random stories played to somebody's agent, to find those that break a rule.

command.py   the options, and what is done in which order
target.py    MODULE:FACTORY
report.py    what was found, in words, as JSON, and as files
"""

from turnlock.cli.fuzz.command import fuzz as fuzz
