"""Tools: how they are declared, what they know of their call, and what becomes of what they leave.

    declare.py    @tool: a function as the model may call it
    options.py    what may be said of a tool beside its function
    kinds.py      what the calls of built-in kinds carry
    signature.py  schema and reader from a function's signature and docstring
    context.py    what a running tool may ask its call
    output.py     values, exceptions and long texts as what the model reads
    processes.py  commands of the system that own their process group

Nothing here knows of turns or requests; the runtime runs what is declared here.
"""

from turnlock.tools.context import ToolContext as ToolContext, current_call as current_call
from turnlock.tools.declare import (
    DEFAULT as DEFAULT,
    BadArguments as BadArguments,
    Tool as Tool,
    as_tools as as_tools,
    tool as tool,
)
from turnlock.tools.processes import ProcessResult as ProcessResult, run_command as run_command
