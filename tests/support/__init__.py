"""What several rooms of the tests use.

story.py     a small language for stories over the pure engine, in the notation of the specification
snapshot.py  the whole state of an engine as a value, to compare before and after
referee.py   the specification's rules as questions to a whole recorded story
mistakes.py  engines with a mistake in them, to prove that whoever judges can find one
replay.py    a counterexample of the explorer, fed again
live.py      sessions for tests of the runtime
journals.py  journals that fail, wait and remember
storage.py   every sort of journal that we ship, for the tests of what all promise
recorded.py  a recorded session, fed to a fresh engine
commands.py  the command line as a process
"""
