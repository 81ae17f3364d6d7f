"""Grade a folder of submissions: several at once, interruptible, nothing lost.

What is finished is remembered in the output folder until the run is complete, so that
the same command goes on where it stopped.
"""

import contextlib
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from minitransformer import __version__
from minitransformer.grader.order import MEMORY
from minitransformer.grader.reports.files import safe_name, write_whole
from minitransformer.grader.reports.model import Report, SubmissionReport
from minitransformer.grader.sandbox import ladder
from minitransformer.grader.sandbox.box import Sandbox
from minitransformer.grader.sandbox.ladder import LockError
from minitransformer.grader.settings import Settings
from minitransformer.grader.submissions import Submission

if TYPE_CHECKING:
    from minitransformer.grader.grading import Grader


class WeakIsolationError(Exception):
    """The proven level is below what was required; nothing was run."""


class BusyFolderError(Exception):
    """Another run is writing to the same folder."""


@dataclass(frozen=True)
class Finished:
    """A run's report, and whether it came to its end."""

    report: Report
    complete: bool


def prove(
    sandbox: Sandbox,
    settings: Settings,
    required: str | None = None,
    first: Submission | None = None,
) -> str:
    """Give the level of a sandbox's isolation, proven and good enough.

    While a sandbox that was started gets ready, so does the rest for the `first` submission.

    Raises
    ------
    WeakIsolationError
        If the level is below `required`, or if no level holds.
    """
    if first is not None:
        from minitransformer.grader.grading import Grader

        Grader(sandbox, settings).foresee(first)
    level = sandbox.level()
    if level is None or not ladder.at_least(level, required or ladder.LEVELS[-1]):
        raise WeakIsolationError(
            f"isolation {required or ladder.LEVELS[-1]} is required; this system "
            f"holds {level or 'no level of it'}, see `minitransformer doctor`"
        )
    return level


def grade(
    submissions: Sequence[Submission],
    settings: Settings,
    sandbox: Sandbox,
    level: str,
    *,
    jobs: int = 1,
    memory: "Memory | None" = None,
    done: Callable[[SubmissionReport], object] = id,
) -> Finished:
    """Grade all submissions; Ctrl-C ends it early, with what is finished.

    Parameters
    ----------
    submissions : sequence of Submission
        In the order in which they are reported.
    settings : Settings
        How to grade.
    sandbox, level : Sandbox, str
        Where answers run, and what it has proven.
    jobs : int
        How many at once.
    memory : Memory, optional
        Where finished reports are kept until all are.
    done : callable
        Told about each report as it comes, in whatever order.

    Raises
    ------
    WeakIsolationError
        If a worker turns out not to be locked.
    """
    from minitransformer.grader.grading import Grader

    reports = memory.recall(submissions, level) if memory else {}
    for report in reports.values():
        done(report)
    waiting = [one for one in submissions if one.name not in reports]
    grader = Grader(sandbox, settings)
    complete = True
    try:
        for report in _in_parallel(grader, waiting, jobs):
            if memory:
                memory.keep(report, level)
            reports[report.name] = report
            done(report)
    except KeyboardInterrupt:
        complete = False
    except LockError as error:
        raise WeakIsolationError(str(error)) from None
    ordered = [reports[one.name] for one in submissions if one.name in reports]
    report = Report(isolation=level, seed=settings.seed, submissions=ordered)
    return Finished(report, complete)


def _in_parallel(
    grader: "Grader", submissions: Sequence[Submission], jobs: int
) -> Iterator[SubmissionReport]:
    """Give reports as they are finished; stop everything when the caller stops."""
    running: set[Future[SubmissionReport]] = set()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for submission in submissions:
                running.add(pool.submit(_safely, grader, submission))
                if len(running) >= 2 * jobs:
                    finished, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (one.result() for one in finished)
            while running:
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (one.result() for one in finished)
        except BaseException:
            grader.sandbox.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _safely(grader: "Grader", submission: Submission) -> SubmissionReport:
    """Grade one; a fault of the grader itself costs this submission's report only."""
    try:
        return grader.grade(submission)
    except (LockError, InterruptedError):
        raise
    except Exception as error:  # noqa: BLE001 - the batch goes on
        words = f"the grader failed on it ({type(error).__name__}: {error}); please report this"
        return SubmissionReport(name=submission.name, error=words)


# ---------------------------------------------------------------- what is finished
class Memory:
    """Finished reports of a run that is not complete, in its output folder.

    Parameters
    ----------
    folder : Path
        The output folder.
    settings : Settings
        A report is recalled only if it was made with the same settings.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder / MEMORY
        self._settings = settings
        self._marks: dict[str, str] = {}

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep other runs away from the folder."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            if sys.platform != "win32":
                import fcntl

                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise BusyFolderError(
                        f"another run is writing to {self._folder.parent}"
                    ) from None
            yield

    def keep(self, report: SubmissionReport, level: str) -> None:
        """Remember a finished report."""
        write_whole(self._folder / "seed", str(self._settings.seed))
        told = {"level": level, "report": report.to_memory()}
        write_whole(self._path(report.name), json.dumps(told))

    def recall(
        self, submissions: Sequence[Submission], level: str
    ) -> dict[str, SubmissionReport]:
        """Give the reports of submissions that have not changed since."""
        found = {}
        self._marks = {one.name: self._mark(one) for one in submissions}
        for one in submissions:
            try:
                told = json.loads(self._path(one.name).read_text("utf-8"))
                if told["level"] == level:
                    found[one.name] = SubmissionReport.from_memory(told["report"])
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return found

    def _path(self, name: str) -> Path:
        return self._folder / f"{safe_name(name)}-{self._marks[name]}.json"

    def _mark(self, submission: Submission) -> str:
        """Give a mark of everything that a report depends on."""
        whole = hashlib.sha256(repr((__version__, asdict(self._settings))).encode())
        whole.update(repr(submission).encode("utf-8", "replace"))
        for path in submission.files:
            with contextlib.suppress(OSError):
                what = path.stat()
                whole.update(f"{what.st_size} {what.st_mtime_ns}".encode())
        return whole.hexdigest()[:16]

    def forget(self) -> None:
        """Remove what was kept: the run is complete."""
        for path in self._folder.iterdir():
            path.unlink()
        self._folder.rmdir()
