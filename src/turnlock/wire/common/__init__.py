"""What all dialects share, and what knows none of them.

Layout:

    request.py     what a request says beside the transcript, and the results of both directions
    history.py     a body read back into a transcript
    content.py     the content of messages, in whichever dialect it was written
    rules.py       what a rule and a violation are
    walk.py        the check as a walk over a history that grows
    pairing.py     the two ways in which providers pair calls with their answers
    encoding.py    encoding that grows with a transcript
    ids.py         call ids that are unique and that a provider takes
    jsontext.py    JSON text, and arguments that are not JSON
"""
