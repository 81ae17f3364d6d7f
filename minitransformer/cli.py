"""The `minitransformer` command: a thin shell over the rooms of the package.

Each command is a pair: a function that describes its arguments and one that runs it.
Modules are imported inside the functions, so that `--help` answers at once.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass


class UserError(Exception):
    """A mistake of the person at the keyboard: one clear line, no traceback."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """One word of the command line."""

    name: str
    summary: str
    describe: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


COMMANDS: tuple[Command, ...] = ()


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
        print(f"minitransformer: {error}", file=sys.stderr)  # noqa: T201 - the door speaks
        return 2


if __name__ == "__main__":
    sys.exit(main())
