"""Looking for stories that break a rule: by hypothesis, within a budget, and then made small.

machine.py   the hypothesis state machine, and the test case
hunt.py      stories within a budget of seconds
smaller.py   the smallest story nearby that breaks the same rule
kept.py      a finding as a test that plays it again
"""
