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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minitransformer.course.progress import Page


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


def _describe_check(page: argparse.ArgumentParser) -> None:
    page.add_argument(
        "notebooks",
        type=Path,
        nargs="*",
        metavar="NOTEBOOK",
        help="your exercises (default: all notebooks of your folder)",
    )


def _pages(paths: Sequence[Path]) -> "list[Page]":
    """Check a learner's notebooks behind a bar that says which."""
    from rich.console import Console
    from rich.progress import track

    from minitransformer.course import progress

    try:
        found = list(paths) or progress.find_notebooks(Path.cwd())
    except FileNotFoundError as error:
        raise UserError(str(error)) from error
    for path in found:
        if path.suffix not in (".ipynb", ".py") or not path.is_file():
            raise UserError(f"check needs a notebook or a .py file; got {path}")
    loud = Console(stderr=True)
    return list(
        track(
            progress.check_notebooks(found),
            "Checking",
            total=len(found),
            console=loud,
            transient=True,
            disable=not loud.is_terminal,
        )
    )


def _check(chosen: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from minitransformer.course.progress import next_step

    pages, console = _pages(chosen.notebooks), Console(highlight=False)
    table = Table("exercise", box=None, pad_edge=False)
    table.add_column("points", justify="right")
    table.add_column("what was found", overflow="fold")
    signs = {"passed": "✓", "not_written": "○"}
    for page in pages:
        table.add_row(Text(page.path.stem, style="bold"), "", Text(page.report.error))
        for one in page.report.exercises:
            untouched = one.status == "not_written"
            table.add_row(
                Text(f"{signs.get(one.status, '✗')} {one.id}"),
                f"{one.points:g} / {one.max_points:g}",
                Text("not written yet" if untouched else one.message),
            )
    console.print(table)
    points = sum(page.report.points for page in pages)
    whole = sum(page.report.max_points for page in pages)
    console.print(Text(f"\n{points:g} of {whole:g} points. {next_step(pages)}"))
    return 1 if any(page.report.error for page in pages) else 0


def _describe_progress(page: argparse.ArgumentParser) -> None:
    page.add_argument(
        "--folder", type=Path, help="your own folder (default: found from here)"
    )


def _progress(chosen: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from minitransformer.course.progress import find_notebooks, next_step
    from minitransformer.notebook import prediction_log

    start = (chosen.folder or Path.cwd()).expanduser().absolute()
    try:
        found = find_notebooks(start)
    except FileNotFoundError as error:
        raise UserError(str(error)) from error
    pages, console = _pages(found), Console(highlight=False)
    table = Table("topic", box=None, pad_edge=False)
    for name in ("solved", "points"):
        table.add_column(name, justify="right")
    table.add_column("")
    for page in pages:
        count = len(page.report.exercises)
        table.add_row(
            page.path.stem,
            f"{page.solved} of {count}",
            f"{page.report.points:g} / {page.report.max_points:g}",
            Text("■" * page.solved + "□" * (count - page.solved)),
        )
    console.print(table)
    folder = prediction_log.predictions_folder(found[0].parent)
    if folder is not None:
        made = prediction_log.read_predictions(folder)
        console.print(Text(f"\n{prediction_log.calibration(made)}"))
    console.print(Text(f"\n{next_step(pages)}"))
    return 0


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
        "--jobs", metavar="N", help="submissions at once (default: two a processor)"
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
    from minitransformer.grader import order
    from minitransformer.grader.sandbox.box import Sandbox

    try:
        wanted = order.read(**vars(chosen))
    except order.BadOptionError as error:
        raise UserError(str(error)) from error
    # the threads of a larger number would spin while they wait for small matrices
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with Sandbox(timeout=wanted.settings.timeout) as sandbox:
        sandbox.start("numpy")  # it gets ready while the rest of the grader loads
        from minitransformer.grader import batch, terminal

        try:
            return terminal.grade(wanted, sandbox)
        except batch.WeakIsolationError as error:
            print(f"minitransformer: {error}", file=sys.stderr)
            return 3
        except terminal.USER_ERRORS as error:
            raise UserError(str(error)) from error
        except OSError as error:
            words = f"{error.filename or chosen.out}: {error.strerror}"
            raise UserError(words) from error


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


def _describe_train(page: argparse.ArgumentParser) -> None:
    page.formatter_class = argparse.RawDescriptionHelpFormatter
    page.epilog = """\
presets for characters:
  seconds   a dozen seconds; about 1.87 nats per character of Shakespeare
  minutes   three minutes
  coffee    ten minutes

A loss of 4.16 nats is that of knowing nothing about 64 characters; 1.9 writes words
that look like English, 1.5 mostly English words. Ctrl-C stops and keeps the best.

examples:
  minitransformer train                              Shakespeare, in seconds
  minitransformer train --seconds 60 --text my.txt   your own text, one minute
  minitransformer train --preset coffee --curve loss.png
  minitransformer train --preset coffee --resume     go on with a run that was stopped
  minitransformer train pronunciation                spelling to sounds, five minutes
"""
    page.add_argument(
        "what",
        nargs="?",
        default="characters",
        choices=("characters", "dates", "pronunciation"),
        help="what to learn (default: characters)",
    )
    page.add_argument(
        "--preset",
        default="seconds",
        choices=("seconds", "minutes", "coffee"),
        help="which recipe for characters (default: seconds)",
    )
    page.add_argument(
        "--seconds",
        type=float,
        metavar="S",
        help="train this long, whatever the machine; it takes as many steps as it can",
    )
    page.add_argument("--steps", type=int, metavar="N", help="take so many steps")
    page.add_argument(
        "--text", type=Path, metavar="FILE", help="a text of your own, in UTF-8"
    )
    page.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="where the model is kept (default: characters.safetensors, dates.… or "
        "pronunciation.…); beside it a log of the run, one JSON object a step",
    )
    page.add_argument(
        "--resume", action="store_true", help="go on with the run kept in --out"
    )
    page.add_argument(
        "--curve", type=Path, metavar="FILE", help="draw the losses, as .png or .svg"
    )
    page.add_argument(
        "--seed", type=int, default=0, help="draws parameters and batches (default: 0)"
    )


def _train(chosen: argparse.Namespace) -> int:
    from rich.console import Console

    from minitransformer.course import runs

    if chosen.steps is not None and chosen.seconds is not None:
        raise UserError("give --steps or --seconds, not both")
    if chosen.curve is not None and chosen.curve.suffix not in (".png", ".svg"):
        raise UserError(
            f"--curve needs a name ending in .png or .svg; got {chosen.curve}"
        )
    if chosen.text is not None and chosen.what != "characters":
        raise UserError(f"--text is for characters; {chosen.what} brings its own data")
    order = runs.Order(
        what=chosen.what,
        preset=chosen.preset,
        steps=chosen.steps,
        seconds=chosen.seconds,
        text=chosen.text,
        out=chosen.out or Path(f"{chosen.what}.safetensors"),
        resume=chosen.resume,
        curve=chosen.curve,
        seed=chosen.seed,
    )
    try:
        return runs.run(order, Console())
    except (OSError, ValueError) as error:
        raise UserError(str(error)) from error


def _describe_runs(page: argparse.ArgumentParser) -> None:
    page.add_argument(
        "--folder", type=Path, help="your own folder (default: found from here upward)"
    )


def _runs(chosen: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from minitransformer.course import leaderboard

    start = (chosen.folder or Path.cwd()).expanduser().absolute()
    folder, console = leaderboard.runs_folder(start), Console(highlight=False)
    for limit, seconds in leaderboard.LIMITS.items():
        table = Table(box=None, pad_edge=False, collapse_padding=True)
        columns = leaderboard.columns(folder, seconds)
        for name in columns:
            justify = "right" if name in ("loss", "seconds") else "left"
            table.add_column(name, justify=justify, overflow="fold")
        for line in zip(*columns.values(), strict=True):
            style = "bold" if line[0] == "rival" else ""
            table.add_row(*(Text(cell, style=style) for cell in line))
        console.print(Text(f"Best within {limit} of training", style="italic"))
        console.print(table)
        console.print()
    console.print(Text(leaderboard.ABOUT))
    if folder is None:
        console.print(
            Text(
                f"\nNo run is kept: there is no course folder in {start} or above. Train "
                "inside yours; `minitransformer lab` makes one."
            )
        )
    elif not leaderboard.read_runs(folder):
        console.print(Text("\nNo run yet. `minitransformer train` in your folder."))
    return 0


def _describe_generate(page: argparse.ArgumentParser) -> None:
    page.formatter_class = argparse.RawDescriptionHelpFormatter
    page.epilog = """\
The model gives each character a probability; one is drawn, and becomes part of what is
read next. A temperature below 1 prefers the likely ones, 0 takes the likeliest alone;
--top-k and --top-p never draw the unlikely ones. The same seed writes the same text.

examples:
  minitransformer generate
  minitransformer generate --prompt "ROMEO:" --temperature 0.8 --length 1000
  minitransformer generate --model characters.safetensors --top-p 0.9 --seed 3
  minitransformer generate --numpy                   the same model, without torch's help
"""
    page.add_argument(
        "--model",
        type=Path,
        metavar="FILE",
        help="a model kept by `train` (default: the one that comes with the course)",
    )
    page.add_argument(
        "--prompt", default="\n", metavar="TEXT", help="what to begin with"
    )
    page.add_argument(
        "--length", type=int, default=500, metavar="N", help="characters (default: 500)"
    )
    page.add_argument("--temperature", type=float, default=0.8, metavar="T")
    page.add_argument(
        "--top-k", type=int, metavar="K", help="draw from the K likeliest"
    )
    page.add_argument(
        "--top-p", type=float, metavar="P", help="draw from the likeliest that sum to P"
    )
    page.add_argument("--seed", type=int, default=0, help="draws the text (default: 0)")
    page.add_argument(
        "--numpy", action="store_true", help="compute with the NumPy engine"
    )


def _generate(chosen: argparse.Namespace) -> int:
    from minitransformer.course import writing

    request = writing.Request(
        model=chosen.model,
        prompt=chosen.prompt,
        length=chosen.length,
        temperature=chosen.temperature,
        top_k=chosen.top_k,
        top_p=chosen.top_p,
        seed=chosen.seed,
        numpy=chosen.numpy,
    )
    try:
        for piece in writing.stream(request):
            print(piece, end="", flush=True)
    except (OSError, ValueError) as error:
        raise UserError(str(error)) from error
    except KeyboardInterrupt:
        print()
        return 130
    print()
    return 0


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
        name="train",
        summary="train a small transformer here and now: characters, dates, pronunciation",
        describe=_describe_train,
        run=_train,
    ),
    Command(
        name="runs",
        summary="your best character models, in 60 s and in 5 minutes, beside the rival",
        describe=_describe_runs,
        run=_runs,
    ),
    Command(
        name="generate",
        summary="let a trained character model write, character by character",
        describe=_describe_generate,
        run=_generate,
    ),
    Command(
        name="check",
        summary="check your own answers, all at once, with what was found in each",
        describe=_describe_check,
        run=_check,
    ),
    Command(
        name="progress",
        summary="what you have done so far, and what is next",
        describe=_describe_progress,
        run=_progress,
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
        prog="minitransformer",
        description="A course on self-attention, from the dot product to a small "
        "transformer that writes.",
        epilog="Begin with `minitransformer lab`: it makes your folder and opens the "
        "first lesson. `minitransformer COMMAND --help` tells more.",
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
