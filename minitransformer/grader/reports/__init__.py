"""What a grading run leaves behind: reports for people, for gradebooks, for platforms.

`model` is what is known about a run; every other module turns it into one kind of file.
None of them trusts a name or a message: both may come from a submission.
"""
