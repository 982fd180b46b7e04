"""Sequencing tests: random stories played to an agent, and what must hold in each of them.

    steps.py     what the user, the model, the tools and the clock do
    harness.py   what an adapter sees of the test
    record.py    what an observer knows of a story
    oracle.py    what must hold
    play.py      one story, played to one agent
    machine.py   the hypothesis state machine, and the test case
    hunt.py      the same within a budget of seconds; what was found, told and kept

An agent is judged by what leaves it: the bodies of its requests, what its tools lived through, and whether
it goes on. Nothing of its inside is looked at.
"""
