"""A learner's folder, progress, and the final model from a learner's own parts.

`workbook` makes the folder and brings it up to date, cell by cell with `cells`; `lab`
opens JupyterLab in it; `progress` checks its answers again and says what is next;
`assemble` builds the final model from the answers that are right; `runs` trains from the
terminal and `leaderboard` keeps what was reached; `doctor` looks whether everything is
there.
"""
