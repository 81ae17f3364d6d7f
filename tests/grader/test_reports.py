"""Reports: what the schema says, what gradebooks read, and nothing that a name can break."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitransformer.grader.order import FORMATS
from minitransformer.grader.reports import files, pages, platforms, tables
from minitransformer.grader.reports.model import (
    ExerciseReport,
    Report,
    SubmissionReport,
    clean,
)

SCHEMA = json.loads(Path(files.__file__).with_name("report.schema.json").read_text())
EVIL = '=HYPERLINK("http://x")<script>alert(1)</script>\x1b[31m]]>\x00\ud800,"\n&\u202e'


def exercise(
    status: str = "passed", points: float = 2.0, **more: object
) -> ExerciseReport:
    told = {"id": "softmax", "topic": "02_soft_lookup", "max_points": 2.0, **more}
    return ExerciseReport(status=status, points=points, **told)


def report(*submissions: SubmissionReport) -> Report:
    return Report(isolation="full", seed=3, submissions=submissions)


WRONG = exercise(
    "failed",
    0.5,
    mistakes=["softmax.no_shift", "softmax.wrong_axis"],
    message="It is wrong.",
)
CLASS = report(
    SubmissionReport(name="ada", seconds=0.1234, exercises=[exercise()]),
    SubmissionReport(
        name="bob", seconds=1.0, exercises=[WRONG], notes=["%time dropped"]
    ),
    SubmissionReport(name="cy", exercises=[exercise("not_written", 0.0)]),
    SubmissionReport(
        name="dee", exercises=[exercise("timeout", 0.0, message="Too slow.")]
    ),
    SubmissionReport(
        name="eve",
        exercises=[exercise("passed", 0.0, policy=["F.softmax in cell 1, line 2"])],
    ),
    SubmissionReport(name="fay", error="not a notebook: it is not JSON"),
)
NASTY = report(
    SubmissionReport(
        name=clean(EVIL),
        error=clean(EVIL),
        notes=[clean(EVIL)],
        exercises=[exercise("failed", 0.0, message=clean(EVIL), policy=[clean(EVIL)])],
    )
)


# ---------------------------------------------------------------- JSON
@pytest.mark.parametrize(
    "some", [CLASS, NASTY, report()], ids=["class", "nasty", "empty"]
)
def test_the_object_is_what_the_schema_says(some):
    told = json.loads(some.text())
    jsonschema.validate(told, SCHEMA, cls=jsonschema.Draft202012Validator)


def test_the_schema_is_a_schema_and_refuses_what_it_must():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    told = CLASS.to_json()
    for change in (
        {"isolation": "none"},
        {"schema": "minitransformer/report/2"},
        {
            "submissions": [
                {**told["submissions"][0], "points": float("nan"), "extra": 1}
            ]
        },
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**told, **change}, SCHEMA)


def test_a_submission_is_told_as_the_design_shows_it():
    told = CLASS.to_json()["submissions"]
    assert told[0] == {
        "name": "ada",
        "points": 2.0,
        "max_points": 2.0,
        "seconds": 0.123,
        "exercises": [
            {
                "id": "softmax",
                "status": "passed",
                "points": 2.0,
                "max_points": 2.0,
                "mistakes": [],
                "message": "",
                "policy": [],
            }
        ],
    }
    assert told[5] == {
        "name": "fay",
        "points": 0,
        "max_points": 0,
        "seconds": 0.0,
        "exercises": [],
        "error": "not a notebook: it is not JSON",
    }


def test_what_is_remembered_comes_back_whole():
    for one in CLASS.submissions:
        memory = json.loads(json.dumps(one.to_memory()))
        assert SubmissionReport.from_memory(memory).to_json() == one.to_json()


@given(st.text())
def test_clean_text_holds_nothing_that_a_file_may_not_hold(text):
    words = clean(text)
    words.encode("utf-8")
    assert len(words) <= 2000
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\ufffe\uffff\u202e]", words)
    assert clean(words) == words


# ---------------------------------------------------------------- tables
def test_grades_have_a_row_for_each_submission():
    rows = list(csv.DictReader(io.StringIO(tables.grades(CLASS))))
    assert [row["name"] for row in rows] == ["ada", "bob", "cy", "dee", "eve", "fay"]
    assert [row["softmax"] for row in rows] == ["2.0", "0.5", "0.0", "0.0", "0.0", ""]
    assert rows[5]["error"].startswith("not a notebook")


def test_nbgrader_reads_its_own_columns():
    text = tables.nbgrader(CLASS)
    assert text.splitlines()[0] == (
        "assignment,duedate,timestamp,student_id,last_name,first_name,email,"
        "raw_score,late_submission_penalty,score,max_score"
    )
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[1]["student_id"] == "bob"
    assert (rows[1]["assignment"], rows[1]["score"], rows[1]["max_score"]) == (
        "02_soft_lookup", "0.5", "2.0",
    )  # fmt: skip
    assert (rows[5]["student_id"], rows[5]["score"]) == ("fay", "0")


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t=", "\r=", " ="])
def test_no_cell_begins_like_a_formula(sign):
    assert not re.match(r"\s*[=+\-@]", str(tables.cell(f"{sign}1+1")))


@pytest.mark.parametrize("write", [tables.grades, tables.nbgrader])
def test_a_nasty_name_stays_in_its_cell(write):
    rows = list(csv.reader(io.StringIO(write(NASTY))))
    assert len(rows) == 2
    assert len(rows[1]) == len(rows[0])
    assert not any(value.startswith(("=", "+", "-", "@")) for value in rows[1])


# ---------------------------------------------------------------- platforms
def test_gradescope_gets_scores_statuses_and_words():
    told = json.loads(platforms.gradescope(CLASS, CLASS.submissions[1]))
    assert told["score"] == 0.5
    (test,) = told["tests"]
    assert (test["score"], test["max_score"], test["status"]) == (0.5, 2.0, "failed")
    assert test["output"] == "It is wrong."
    assert test["tags"] == ["softmax.no_shift", "softmax.wrong_axis"]
    assert isinstance(told["execution_time"], int)
    unreadable = json.loads(platforms.gradescope(CLASS, CLASS.submissions[5]))
    assert unreadable["score"] == 0
    assert "not JSON" in unreadable["output"]


def test_classroom_50_gets_whole_numbers(monkeypatch):
    monkeypatch.setenv("SUBMISSION_TAG", "submit/1")
    told = json.loads(platforms.classroom50(CLASS, CLASS.submissions[1]))
    assert told["schema"] == "classroom50/result/v1"
    assert (told["score"], told["max-score"]) == (5, 20)  # tenths of a point
    assert told["submission"] == "submit/1"
    (test,) = told["tests"]
    assert (test["test-name"], test["passed"], test["score"]) == ("softmax", False, 5)


def test_junit_tells_wrong_from_broken_from_not_written():
    root = ET.fromstring(platforms.junit(CLASS))
    assert (root.get("tests"), root.get("failures"), root.get("errors"), root.get("skipped")) == (
        "6", "2", "2", "1",
    )  # fmt: skip
    cases = {case.get("classname"): case for case in root.iter("testcase")}
    assert list(cases["ada"]) == []
    assert cases["bob"].find("failure").get("type") == "misconception:softmax.no_shift"
    assert cases["cy"].find("skipped") is not None
    assert cases["dee"].find("error").get("type") == "timeout"
    assert cases["eve"].find("failure").get("type") == "policy"
    assert cases["fay"].find("error").get("type") == "unreadable"
    for suite in root.iter("testsuite"):
        assert len(list(suite.iter("testcase"))) == int(suite.get("tests"))


def test_junit_stays_xml_whatever_a_name_holds():
    text = platforms.junit(NASTY)
    ET.fromstring(text)
    assert "<script>" not in text
    assert "]]>" not in text


# ---------------------------------------------------------------- pages
class Reader(HTMLParser):
    """Collects tags, attributes and ids, and whether every tag is closed."""

    VOID = ("meta", "br", "img", "hr", "input", "link")

    def __init__(self) -> None:
        super().__init__()
        self.tags, self.open, self.attributes = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


PAGES = {
    "class": pages.class_report(CLASS),
    "nasty class": pages.class_report(NASTY),
    **{
        one.name[:3]: pages.feedback(one)
        for one in (*CLASS.submissions, *NASTY.submissions)
    },
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())
def test_a_page_needs_nothing_else_and_runs_nothing(page):
    reader = read(page)
    assert not {"script", "link", "iframe", "img"} & set(reader.tags)
    names = {name for name, _ in reader.attributes}
    assert not {name for name in names if name.startswith("on")}
    assert "default-src 'none'" in page
    assert "<script>alert" not in page
    for name, value in reader.attributes:
        if name in ("src", "href"):
            assert not re.match(r"\s*(https?:|//|javascript:)", value or "")


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())
def test_a_page_can_be_read_on_a_phone_and_aloud(page):
    reader = read(page)
    assert ("lang", "en") in reader.attributes
    assert ("content", "width=device-width, initial-scale=1") in reader.attributes
    assert reader.tags.count("h1") == reader.tags.count("title") == 1
    assert reader.tags.count("main") == 1
    if "table" in reader.tags:
        assert ("scope", "col") in reader.attributes
        assert ("scope", "row") in reader.attributes
    for number, tag in enumerate(reader.tags):
        if tag == "svg":
            assert ("role", "img") in reader.attributes, number
            assert any(
                name == "aria-label" and value for name, value in reader.attributes
            )


def test_the_class_report_counts_who_solved_what_and_which_mistakes_were_made():
    (share,) = pages.shares(CLASS)
    assert share.solved == 2 / 5
    assert share.mistakes == {"softmax.no_shift or softmax.wrong_axis": 1}
    page = pages.class_report(CLASS)
    assert "40%" in page
    assert "5 submissions graded, 1 not readable" in page
    assert "softmax.no_shift or softmax.wrong_axis" in page


def test_feedback_shows_the_card_where_there_is_one():
    one = SubmissionReport(name="a", exercises=[exercise(card="<p>the card</p>")])
    assert "<p>the card</p>" in pages.feedback(one)
    assert "It is wrong." in pages.feedback(CLASS.submissions[1])


# ---------------------------------------------------------------- files
@given(st.text(min_size=1))
def test_a_name_becomes_a_file_name_that_every_system_can_store(name):
    made = files.safe_name(name)
    assert made == files.safe_name(name)
    assert 0 < len(made.encode()) <= 140
    assert not re.search(r'[<>:"/\\|?*\x00-\x1f]', made)
    assert made not in (".", "..")
    assert not made.endswith((".", " "))


def test_different_names_get_different_files():
    names = ["a/b", "a:b", "a_b", "x" * 300, "x" * 301, "con", "_con", "a.", "a", "A"]
    some = report(*(SubmissionReport(name=name) for name in names))
    made = {name.casefold() for name in files.file_names(some).values()}
    assert len(made) == len(names)


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    files.write_whole(path, "old")

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        files.write_whole(path, "new")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["report.json"]


def test_all_files_of_a_run_are_where_the_design_says(tmp_path):
    files.write_all(CLASS, tmp_path, FORMATS)
    for name in (
        "report.json",
        "grades.csv",
        "nbgrader.csv",
        "junit.xml",
        "class.html",
    ):
        assert (tmp_path / name).is_file()
    for name in ("gradescope/bob.json", "classroom50/bob.json", "feedback/bob.html"):
        assert (tmp_path / name).is_file()
