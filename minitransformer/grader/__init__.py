"""Exercises, diagnosis, runners, sandbox and reports; not reading matter for learners.

Nothing is imported here: the process that answers run in must load none of the
`catalogue`, whose pages hold oracles and mistakes.
"""
