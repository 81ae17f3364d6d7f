"""Run a learner's code where it can do no harm, and bring plain arrays back.

The parent (`host`) owns inputs, oracles, comparison, points and files, and never runs a
line of a submission. A `zygote` is a clean interpreter that has imported NumPy (a second
one torch too) and nothing of the grader's secrets. For each exercise it forks a `worker`,
which locks itself down (`lockdown`, with `landlock`, `seccomp` and `limits`) before it
sees learner code, and can only answer with frames of plain data (`wire`). `namespaces`
gives the zygote a file system of its own where the system lets it. `ladder` names the
levels of isolation, `canaries` prove which one holds.

Everything in this folder may be read by a submission without harm: it holds no answers.
"""
