"""The `minitransformer` command: a thin shell over the rooms of the package.

Each command is a pair: a function that describes its arguments and one that runs it.
Modules are imported inside the functions, so that `--help` answers at once.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from pathlib import Path


class UserError(Exception):
    """A mistake of the person at the keyboard: one clear line, no traceback."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """One word of the command line."""

    name: str
    summary: str
    describe: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def _describe_lab(page: argparse.ArgumentParser) -> None:
    page.add_argument(
        "--folder",
        type=Path,
        default=Path("my_course"),
        help="your own folder, made if it is missing (default: my_course)",
    )
    page.add_argument(
        "--no-browser", action="store_true", help="print the address, open nothing"
    )


def _lab(chosen: argparse.Namespace) -> int:
    from minitransformer.course import lab, workbook

    folder = chosen.folder.expanduser().absolute()
    try:
        source = workbook.pages()
    except FileNotFoundError as error:
        raise UserError(str(error)) from error
    try:
        done = workbook.update(folder, source, date.today())
        lab.prepare(folder)
    except OSError as error:
        raise UserError(f"your folder {folder} cannot be written: {error}") from error
    for line in workbook.report(done, folder, source):
        print(line)
    if find_spec("jupyterlab") is None:
        raise UserError(
            f"your notebooks are in {folder}; to open them there, install JupyterLab: "
            "python -m pip install 'minitransformer[lab]'"
        )
    command = lab.command(folder, browser=not chosen.no_browser)
    environment = lab.environment(folder, os.environ)
    sys.stdout.flush()
    if os.name == "posix":  # elsewhere this would give the prompt back at once
        os.execve(command[0], command, environment)  # noqa: S606 - no shell is wanted
    return subprocess.call(command, env=environment)


def _describe_grade(page: argparse.ArgumentParser) -> None:
    page.add_argument(
        "paths",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="a notebook, a .py file, or a folder of submissions",
    )
    page.add_argument("--out", type=Path, metavar="DIR", help="write the reports here")
    page.add_argument(
        "--format",
        action="append",
        default=[],
        metavar="FORMAT",
        help="json, csv, nbgrader, gradescope, classroom50 or junit; may be repeated",
    )
    page.add_argument(
        "--jobs", metavar="N", help="submissions at once (default: one a processor)"
    )
    page.add_argument(
        "--timeout",
        default="10",
        metavar="S",
        help="seconds for one exercise, all its cases together (default: 10)",
    )
    page.add_argument(
        "--topics",
        default="",
        metavar="NN,NN",
        help="expect these topics (default: those that were handed in)",
    )
    page.add_argument(
        "--policy",
        default="cost",
        help="'cost': a library function handed in as the answer costs its points; "
        "'report': it is only reported",
    )
    page.add_argument(
        "--seed", metavar="N", help="draws the hidden cases (default: a new one)"
    )
    page.add_argument(
        "--require-isolation",
        metavar="LEVEL",
        help="refuse to run below: full, namespaces, syscalls, limits or process",
    )


def _grade(chosen: argparse.Namespace) -> int:
    from minitransformer.grader import batch, terminal

    try:
        return terminal.grade(terminal.order(**vars(chosen)))
    except batch.WeakIsolationError as error:
        print(f"minitransformer: {error}", file=sys.stderr)
        return 3
    except terminal.USER_ERRORS as error:
        raise UserError(str(error)) from error
    except OSError as error:
        raise UserError(f"{error.filename or chosen.out}: {error.strerror}") from error


def _doctor(_chosen: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from minitransformer.course import doctor

    console, fine = Console(), True
    for title, look in doctor.SECTIONS.items():
        table = Table(title=title, title_justify="left", show_header=False)
        for _ in ("mark", "what"):
            table.add_column()
        table.add_column(overflow="fold")  # no path is cut
        for finding in look():
            mark = "[red]![/red]" if finding.mend else "[green]✓[/green]"
            told = (
                f"{finding.found}\n→ {finding.mend}" if finding.mend else finding.found
            )
            table.add_row(mark, Text(finding.what), Text(told))
            fine = fine and not finding.mend
        console.print(table)
    console.print("All is well." if fine else "→ names what to do about each '!'.")
    return 0 if fine else 1


COMMANDS: tuple[Command, ...] = (
    Command(
        name="lab",
        summary="create or update your folder, and open JupyterLab there",
        describe=_describe_lab,
        run=_lab,
    ),
    Command(
        name="doctor",
        summary="look whether everything is there, and what mends what is not",
        describe=lambda _: None,
        run=_doctor,
    ),
    Command(
        name="grade",
        summary="grade submissions of people you do not know, each answer locked away",
        describe=_describe_grade,
        run=_grade,
    ),
)


def parser() -> argparse.ArgumentParser:
    """Build the whole command line."""
    top = argparse.ArgumentParser(
        prog="minitransformer", description="A course on self-attention."
    )
    words = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        page = words.add_parser(
            command.name, help=command.summary, description=command.summary
        )
        command.describe(page)
        page.set_defaults(run=command.run)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    chosen = parser().parse_args(arguments)
    try:
        return chosen.run(chosen)
    except UserError as error:
        print(f"minitransformer: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
