"""Adapters that point the sequencing test at agents of other frameworks, and what it found in them.

Owns the settings that keep the frameworks from sending traces anywhere: nothing here may leave the machine.
Must not be imported by turnlock or its tests: the frameworks are installed by the tox environment
``frameworks`` and by nothing else.
"""

import os

os.environ["OPENAI_AGENTS_DISABLE_TRACING"] = "1"
os.environ["LANGSMITH_TRACING"] = "false"
