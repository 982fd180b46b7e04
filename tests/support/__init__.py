"""What several rooms of the tests use.

story.py     a small language for stories over the pure engine, in the notation of the specification
snapshot.py  the whole state of an engine as a value, to compare before and after
referee.py   the specification's rules as questions to a recorded story; knows nothing of the engine's inside
"""
