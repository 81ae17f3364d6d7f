"""Exercises, diagnosis, runners, sandbox and reports; not reading matter for learners."""
