"""The formats that are read: one reader each. Which one a file is of is decided in ``opening.py``."""
