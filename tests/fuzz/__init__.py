"""Fuzzing of everything that reads untrusted input; see README.md here.

Nothing is imported at this place: ``child`` has to see the parsers before anybody else does.
"""
