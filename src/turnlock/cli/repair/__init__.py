"""``turnlock repair``: what is open in captured requests and recorded sessions is closed; nothing is erased.

command.py    options, exit codes, where the result goes
mending.py    a request → a valid one, in its own dialect or in another
bodies.py     a file of bodies → the same file, each of them mended
sessions.py   a session → the request that would be sent next, mended
report.py     what was done and what is left, for people and as JSON
"""

from turnlock.cli.repair.command import repair as repair
