"""Exercises, diagnosis, runners, sandbox and reports; not reading matter for learners.

`exercise(id)` and `exercises(topic)` say what is known about each exercise. They are
bound here at once, because one shares its name with a module; the catalogue's pages,
with oracles and mistakes in them, load only when an exercise of theirs is asked for.
"""

from minitransformer.grader.catalogue import exercise, exercises

__all__ = ["exercise", "exercises"]
