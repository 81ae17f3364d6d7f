"""What Gradescope, Classroom 50 and readers of JUnit XML expect."""

import json
import os
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from minitransformer.grader.reports.model import (
    ExerciseReport,
    Report,
    SubmissionReport,
    clean,
)

TENTHS = 10  # Classroom 50 counts whole numbers; points have one decimal


def _json(told: Mapping[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _words(one: ExerciseReport) -> str:
    policy = [f"Policy: {words}" for words in one.policy]
    return "\n".join([one.message, *policy]).strip()


# ---------------------------------------------------------------- Gradescope
def gradescope(report: Report, submission: SubmissionReport) -> str:
    """Write one `results.json`."""
    about = f"Isolation: {report.isolation}."
    words = [submission.error, *submission.notes, about]
    return _json(
        {
            "score": submission.points,
            "output": "\n".join(line for line in words if line),
            "output_format": "text",
            "test_output_format": "text",
            "test_name_format": "text",
            "execution_time": round(submission.seconds),
            "tests": [
                {
                    "score": one.points,
                    "max_score": one.max_points,
                    "status": "passed" if one.status == "passed" else "failed",
                    "name": one.id,
                    "output": _words(one),
                    "tags": list(one.mistakes),
                    "visibility": "visible",
                }
                for one in submission.exercises
            ],
        }
    )


# ---------------------------------------------------------------- Classroom 50
def classroom50(report: Report, submission: SubmissionReport) -> str:
    """Write one `result.json`; scores in tenths of a point, because they must be whole."""
    names = {"classroom": "CLASSROOM", "assignment": "ASSIGNMENT"}
    names |= {"submission": "SUBMISSION_TAG", "commit": "COMMIT_URL"}
    names |= {"release": "RELEASE_URL", "review": "REVIEW_URL"}
    return _json(
        {
            "schema": "classroom50/result/v1",
            **{key: os.environ.get(name, "") for key, name in names.items()},
            "isolation": report.isolation,
            "score": _tenths(submission.points),
            "max-score": _tenths(submission.max_points),
            "tests": [
                {
                    "test-name": one.id,
                    "passed": one.status == "passed" and one.points == one.max_points,
                    "score": _tenths(one.points),
                    "max-score": _tenths(one.max_points),
                    "diagnosis": _words(one),
                }
                for one in submission.exercises
            ],
            **({"error": submission.error} if submission.error else {}),
        }
    )


def _tenths(points: float) -> int:
    return round(points * TENTHS)


# ---------------------------------------------------------------- JUnit
def junit(report: Report) -> str:
    """Write one file for all: a suite a submission, a case an exercise."""
    root = Element(
        "testsuites", {"name": "minitransformer", **_counts(report.submissions)}
    )
    for submission in report.submissions:
        suite = SubElement(
            root,
            "testsuite",
            {"name": _text(submission.name), **_counts([submission])},
        )
        properties = SubElement(suite, "properties")
        for name in ("points", "max_points"):
            value = f"{getattr(submission, name):g}"
            SubElement(properties, "property", name=name, value=value)
        SubElement(properties, "property", name="isolation", value=report.isolation)
        if submission.error:
            case = _case(suite, submission, "read")
            _verdict(case, "error", submission.error, "unreadable")
        for one in submission.exercises:
            _add_exercise(_case(suite, submission, one.id), one)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, "unicode") + "\n"


def _add_exercise(case: Element, one: ExerciseReport) -> None:
    if one.status == "not_written":
        SubElement(case, "skipped", message="not written yet")
    elif one.status == "failed":
        kind = f"misconception:{one.mistakes[0]}" if one.mistakes else "wrong"
        _verdict(case, "failure", _words(one), kind)
    elif one.status != "passed":
        _verdict(case, "error", _words(one), one.status)
    elif one.policy:
        _verdict(case, "failure", _words(one), "policy")


def _case(suite: Element, submission: SubmissionReport, name: str) -> Element:
    return SubElement(
        suite, "testcase", classname=_text(submission.name), name=name, time="0"
    )


def _verdict(case: Element, tag: str, words: str, kind: str) -> None:
    found = SubElement(case, tag, message=_text(words), type=kind)
    found.text = _text(words)


def _text(words: str) -> str:
    return clean(words).replace("]]>", "]] >")


def _counts(submissions: Any) -> dict[str, str]:
    statuses = [one.status for some in submissions for one in some.exercises]
    unreadable = sum(bool(some.error) for some in submissions)
    policy = sum(
        one.status == "passed" and bool(one.policy)
        for some in submissions
        for one in some.exercises
    )
    failures = statuses.count("failed") + policy
    skipped = statuses.count("not_written")
    right = statuses.count("passed") - policy
    return {
        "tests": str(len(statuses) + unreadable),
        "failures": str(failures),
        "errors": str(len(statuses) - failures - skipped - right + unreadable),
        "skipped": str(skipped),
        "time": f"{sum(some.seconds for some in submissions):.3f}",
    }
