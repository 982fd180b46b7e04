"""Anthropic Messages: the verdicts on a request, and how the provider answers it.

Owns the whole dialect: ``shape`` the fields of one message, ``judge`` the history, ``signatures`` the marks
of the thinking that the provider itself gave, ``stream`` the answers and the envelope of errors. The other
dialects of the room know nothing of it.
"""
