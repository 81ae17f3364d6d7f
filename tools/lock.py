"""Write the lock files from what is installed here: `python -m tools.lock [--check]`.

`requirements.lock` holds what a learner needs, `requirements-test.lock` what the whole
test run needs besides. Both are read off this environment, starting from
`pyproject.toml` and following each package's own requirements; packages that another
system needs and this one has not are pinned below. Torch is missing on purpose:
`start.py` installs it first, in a step of its own.
"""

import argparse
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
ELSEWHERE = {"colorama": "0.4.6", "pywinpty": "3.1.2", "appnope": "1.0.0"}
SYSTEMS = ("linux", "darwin", "win32")
# what `start.py test --quick` needs of the tests, so that a learner has it too
QUICK = {"pytest", "pytest-timeout", "hypothesis", "beartype", "nbval", "jupytext"}
IN_PLACE = {"hatchling", "editables"}  # what installs the checkout itself
HEADER = """\
# Written by `python -m tools.lock`: {purpose}, as tested with Python {python}.
# torch comes first, in a step of its own (start.py); texts are in requirements-data.lock
"""


def environment(system: str, extra: str) -> dict[str, str]:
    """Describe a computer to the markers of a requirement."""
    names = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}
    return {
        "sys_platform": system,
        "platform_system": names[system],
        "os_name": "nt" if system == "win32" else "posix",
        "extra": extra,
    }


def wanted_by(requirement: Requirement, system: str) -> list[Requirement]:
    """List what one package needs on one system; nothing if it is not installed."""
    try:
        needs = map(Requirement, distribution(requirement.name).requires or [])
    except PackageNotFoundError:
        return []
    extras = {"", *requirement.extras}
    return [
        need
        for need in needs
        if not need.marker
        or any(need.marker.evaluate(environment(system, extra)) for extra in extras)
    ]


def closure(roots: Iterable[Requirement], system: str) -> set[str]:
    """Follow requirements to their end; the names of all packages met, torch apart."""
    waiting, met = list(roots), set()
    while waiting:
        requirement = waiting.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key not in met:
            met.add(key)
            waiting += wanted_by(requirement, system)
    return {name for name, _ in met} - {"torch"}


def pins(roots: list[Requirement]) -> dict[str, str]:
    """Give each package its line: pinned, and marked where only some systems need it."""
    needed = {system: closure(roots, system) for system in SYSTEMS}
    lines = {}
    for name in sorted(set.union(*needed.values())):
        where = [system for system in SYSTEMS if name in needed[system]]
        marker = " or ".join(f'sys_platform == "{system}"' for system in where)
        version = ELSEWHERE.get(name) or distribution(name).version
        lines[name] = f"{name}=={version}" + (
            "" if len(where) == len(SYSTEMS) else f" ; {marker}"
        )
    return lines


def locks() -> dict[Path, str]:
    """Compose the text of both lock files."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    test = [Requirement(line) for line in extras["test"]]
    course = [Requirement(line) for line in project["dependencies"] + extras["lab"]]
    course += [need for need in test if need.name in QUICK]
    course += map(Requirement, sorted(IN_PLACE))
    first = pins(course)
    both = pins(course + test)
    second = [line for name, line in both.items() if name not in first]
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {
        ROOT / f"{file}.lock": HEADER.format(purpose=purpose, python=python)
        + "".join(f"{line}\n" for line in lines)
        for file, purpose, lines in (
            ("requirements", "what the course needs", first.values()),
            ("requirements-test", "what the whole test run needs besides", second),
        )
    }


def main() -> int:
    """Write both files, or only say whether they are what would be written."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--check", action="store_true", help="write nothing")
    check = options.parse_args().check
    stale = [
        (path, text)
        for path, text in locks().items()
        if not path.exists() or path.read_text("utf-8") != text
    ]
    for path, text in stale:
        print(f"{path.name}: {'not what is installed' if check else 'written'}")
        if not check:
            path.write_text(text, "utf-8")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
