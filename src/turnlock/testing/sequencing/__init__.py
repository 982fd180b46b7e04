"""One story, played to an agent, and what must hold in it.

    steps.py     what the user, the model, the tools and the clock do
    harness.py   what an adapter sees of the test, and what it may offer
    record.py    what an observer knows of a story
    oracle.py    the rules, and what must hold of requests and tools
    model.py     the model, as the story plays it
    times.py     real time, and virtual
    stage.py     the agent, its loop, its provider; what "settled" means
    play.py      one story, step by step
    ending.py    how a story ends; bounds of time
    story.py     what happened, in words and as a diagram

An agent is judged by what leaves it: the bodies of its requests, what its tools lived through, and whether
it goes on. Nothing of its inside is looked at.
"""
