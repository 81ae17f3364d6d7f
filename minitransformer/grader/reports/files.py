"""Where reports go: names that every system can store, files that are whole or absent."""

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from minitransformer.grader.reports import pages, platforms, tables
from minitransformer.grader.reports.model import Report, clean

ONE_FILE = {
    "json": ("report.json", Report.text),
    "csv": ("grades.csv", tables.grades),
    "nbgrader": ("nbgrader.csv", tables.nbgrader),
    "junit": ("junit.xml", platforms.junit),
}
ONE_EACH = {
    "gradescope": platforms.gradescope,
    "classroom50": platforms.classroom50,
}
LONGEST_NAME = 120  # bytes, so that an ending and a temporary name still fit
_RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def safe_name(name: str) -> str:
    """Turn a submission's name into a file's, the same each time.

    A name that cannot be kept as it is gets a mark of its own, so that different names
    stay different.

    Examples
    --------
    >>> safe_name("ada lovelace")
    'ada lovelace'
    >>> safe_name("../x")
    '_x-d6b96a97'
    """
    words = re.sub(r'[<>:"/\\|?*\n]', "_", clean(name)).strip(". ")
    words = f"_{words}" if _RESERVED.match(words) else words
    short = words.encode()[:LONGEST_NAME].decode("utf-8", "ignore").rstrip(". ")
    return short if short == name else f"{short}-{_mark(name)}"


def _mark(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:8]


def file_names(report: Report) -> dict[str, str]:
    """Give each submission's file name; no two differ by capitals only."""
    made: dict[str, str] = {}
    for name in (one.name for one in report.submissions):
        file = safe_name(name)
        taken = {other.casefold() for other in made.values()}
        made[name] = f"{file}-{_mark(name)}" if file.casefold() in taken else file
    return made


def write_whole(path: Path, text: str) -> None:
    """Write a file completely, or leave what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    opened, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(opened, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def one_text(report: Report, name: str) -> str:
    """Give the text of a format for a run that is printed, not written.

    A format with one file for each submission is for a run of one.
    """
    if name in ONE_FILE:
        return ONE_FILE[name][1](report)
    (submission,) = report.submissions
    return ONE_EACH[name](report, submission)


def write_all(report: Report, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Write the chosen formats, the feedback pages and the class report."""
    written: dict[Path, str] = {}
    for name in formats:
        if name in ONE_FILE:
            file, write = ONE_FILE[name]
            written[folder / file] = write(report)
    names = file_names(report)
    for submission in report.submissions:
        file = names[submission.name]
        for name in formats:
            if name in ONE_EACH:
                text = ONE_EACH[name](report, submission)
                written[folder / name / f"{file}.json"] = text
        written[folder / "feedback" / f"{file}.html"] = pages.feedback(submission)
    written[folder / "class.html"] = pages.class_report(report)
    for path, text in written.items():
        write_whole(path, text)
    return list(written)
