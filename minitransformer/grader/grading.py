"""Grade one submission: read it, run each answer in the sandbox, judge what came."""

import contextlib
import importlib
import re
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from minitransformer.grader import answers, card, catalogue
from minitransformer.grader.answers import Document, UnreadableError
from minitransformer.grader.bench import bench
from minitransformer.grader.diagnosis import Verdict, judge
from minitransformer.grader.exercise import Exercise
from minitransformer.grader.isolated import (
    Clock,
    Isolated,
    topics_by_exercise,
    view_of,
)
from minitransformer.grader.reports.model import (
    ExerciseReport,
    SubmissionReport,
    clean,
)
from minitransformer.grader.sandbox.box import Sandbox
from minitransformer.grader.settings import Settings
from minitransformer.grader.submissions import Submission
from minitransformer.grader.topics import TOPICS

TIMES_THE_TIMEOUT = 10  # what a submission may take in all
MOST_NOTES = 50
WARM_TORCH = "minitransformer.grader.sandbox.warm_torch"


@dataclass
class Grader:
    """Grades submissions with one sandbox; several threads may share it.

    Verdicts are computed by one thread at a time, which is the one that holds `turn`;
    a thread whose answer is running lets others have it.
    """

    sandbox: Sandbox
    settings: Settings
    turn: threading.Lock = field(default_factory=threading.Lock)

    def grade(self, submission: Submission) -> SubmissionReport:
        """Grade one submission; what cannot be read becomes a report that says so."""
        started = time.monotonic()
        with self.turn:
            documents, problems = _read(submission)
            if not documents:
                reason = "; ".join(problems) or "no notebook or .py file in it"
                return SubmissionReport(name=submission.name, error=clean(reason))
            expected = self._expected(documents)
            if any(one.needs_torch for one in expected):
                self._get_torch_ready()
            work = _Work(self, documents)
            torch_last = sorted(expected, key=lambda one: one.needs_torch)
            reports = {one.id: work.report(one) for one in torch_last}
        notes = [*problems, *_dropped(documents), *work.notes]
        return SubmissionReport(
            name=submission.name,
            seconds=time.monotonic() - started,
            exercises=[reports[one.id] for one in expected],
            notes=[clean(note) for note in notes[:MOST_NOTES]],
            partly=bool(problems),
        )

    def foresee(self, submission: Submission) -> None:
        """Load what grading a submission will need, while the sandbox gets ready."""
        with contextlib.suppress(Exception):  # it will fail again where it is reported
            documents, _ = _read(submission)
            expected = self._expected(documents) if documents else []
            if any(one.needs_torch for one in expected):
                self._get_torch_ready()
            for one in expected:
                bench(one, self.settings.seed)

    def _get_torch_ready(self) -> None:
        """Let torch load here and where answers run, while NumPy answers are graded."""
        self.sandbox.start("torch")
        threading.Thread(target=importlib.import_module, args=[WARM_TORCH]).start()

    def _expected(self, documents: Sequence[Document]) -> list[Exercise]:
        """Choose the exercises: of fixed topics, or of what was handed in."""
        topics = self.settings.topics
        wanted = set()
        for document in documents:
            wanted |= _asked_by(document)
        return [
            catalogue.exercise(name)
            for name, topic in topics_by_exercise().items()
            if (topic[:2] in topics if topics else name in wanted)
        ]


def _read(submission: Submission) -> tuple[list[Document], list[str]]:
    documents, problems = [], list(submission.refused)
    for path in submission.files:
        try:
            documents.append(answers.read_document(path))
        except UnreadableError as error:
            problems.append(str(error))
    return documents, problems


def _dropped(documents: Sequence[Document]) -> list[str]:
    return [
        f"not Python, dropped: {line}"
        for document in documents
        for line in document.dropped
    ]


def _asked_by(document: Document) -> set[str]:
    """Name the exercises that a file is about: whole topics for a notebook."""
    known = topics_by_exercise()
    defined = answers.defined_in(document) & known.keys()
    if not document.is_notebook:
        return defined
    marked = answers.checked_in(document) & known.keys()
    topics = {known[one] for one in marked or defined}
    number = re.match(r"(\d\d)_", document.name)
    if not marked and number and number[1] in TOPICS:
        topics = {TOPICS[number[1]]}
    return {one for one, topic in known.items() if topic in topics}


class _Work:
    """The answers of one submission, with what is known about them so far."""

    def __init__(self, grader: Grader, documents: Sequence[Document]) -> None:
        self._grader, self._documents = grader, documents
        settings = grader.settings
        self._clock = Clock(TIMES_THE_TIMEOUT * settings.timeout)
        self._verdicts: dict[str, tuple[Verdict, list[str]]] = {}
        self.notes: list[str] = []

    def report(self, exercise: Exercise) -> ExerciseReport:
        """Judge an answer and write down what there is to say."""
        verdict, policy = self._judged(exercise)
        costs = bool(policy) and self._grader.settings.policy_costs
        return ExerciseReport(
            id=exercise.id,
            topic=exercise.topic,
            status=verdict.status,
            points=0.0 if costs else verdict.points,
            max_points=exercise.points,
            mistakes=verdict.mistakes,
            message=clean(self._message(verdict, policy)),
            policy=[clean(words) for words in policy],
            card=card.html(verdict),
        )

    def _message(self, verdict: Verdict, policy: Collection[str]) -> str:
        passed = verdict.status == "passed"
        words = " ".join(verdict.notes) if passed else card.message(verdict)
        if not policy:
            return words
        return f"Handed in as the answer: {'; '.join(policy)}. {words}".strip()

    def _judged(self, exercise: Exercise) -> tuple[Verdict, list[str]]:
        if exercise.id not in self._verdicts:
            self._verdicts[exercise.id] = self._judge(exercise)
        return self._verdicts[exercise.id]

    def _judge(self, exercise: Exercise) -> tuple[Verdict, list[str]]:
        answer, note = answers.find_answer(self._documents, exercise.id)
        if note:
            self.notes.append(note)
        if answer is None:
            return Verdict(exercise=exercise, status="not_written"), []
        settings = self._grader.settings
        run = Isolated(
            sandbox=self._grader.sandbox,
            answer=answer,
            timeout=settings.timeout,
            clock=self._clock,
            seed=settings.seed,
            turn=self._grader.turn,
        )
        wrong = self._wrong_ones_below(exercise)
        verdict = judge(exercise, run, seed=settings.seed, wrong=wrong)
        refused = view_of(exercise.id).refused_names if answer.uses_package else ()
        found = answers.finished_uses(answer, exercise.finished, refused)
        found += [one for one in run.tripped if one not in found]
        return verdict, list(dict.fromkeys(found))

    def _wrong_ones_below(self, exercise: Exercise) -> Iterator[str]:
        """Name the answers that this one may be built on and that are not right."""
        for below in exercise.built_on:
            if below not in self._verdicts and not self._is_defined(below):
                continue
            if self._judged(catalogue.exercise(below))[0].status != "passed":
                yield below

    def _is_defined(self, name: str) -> bool:
        return any(name in answers.defined_in(one) for one in self._documents)
