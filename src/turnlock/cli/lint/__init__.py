"""``turnlock lint``: would the provider refuse it? For captured requests and recorded sessions.

command.py   options, exit codes, what is done in which order
files.py     the files that a path means
findings.py  a file → what is wrong in each of its requests
report.py    the same for people, each violation once
rows.py      a message, an item or a content in one line
explain.py   the rule that a violation names
"""

from turnlock.cli.lint.command import lint as lint
