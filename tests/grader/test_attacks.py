"""The attacks and faults of the list, each with an innocent exercise beside it.

The numbers are those of the list in the design of the grader. What "held" means: the
answer tries something, and would be right if any attempt succeeded.
"""

import os
import re
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest
from grader.grading_room import (
    IMPORTS,
    INNOCENT,
    RIGHT,
    descendants,
    graded,
    graded_text,
    notebook,
    sandbox,
    statuses,
)

from minitransformer.grader import catalogue
from minitransformer.grader.sandbox.host import SPARES, search_path

linux = pytest.mark.skipif(sys.platform != "linux", reason="the locks are Linux's")
pytestmark = [linux, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
LEFT_OUT = os.environ.get("SANDBOX_WITHOUT", "")  # set in the reruns at the end
WRONG_STATUSES = {"failed", "error", "crashed", "timeout", "memory"}
os.environ["GITHUB_TOKEN"] = (
    "a secret of the grading machine"  # before any zygote starts
)


def attack(folder: Path, source: str, **settings: object):
    """Grade an attacking `attention_scores` beside the innocent exercise."""
    report = graded_text(folder, textwrap.dedent(source) + INNOCENT, **settings)
    by_id = {one.id: one for one in report.exercises}
    innocent = by_id["softmax_backward"]
    assert (innocent.status, innocent.points) == ("passed", innocent.max_points)
    return by_id["attention_scores"]


def held(folder: Path, attempts: str, **settings: object):
    """Grade an answer that is right only if one of its attempts succeeds."""
    source = f"""
import ctypes, gc, os, socket, subprocess, sys, threading

{textwrap.dedent(attempts)}

def attention_scores(q, k):
    tried = [value for name, value in list(globals().items()) if name.startswith("try_")]
    assert tried
    for attempt in tried:
        try:
            if attempt():
                return q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
        except (Exception, SystemExit):
            pass
    raise RuntimeError("every attempt failed")
"""
    # the attempts are found at run time: name them, so that slicing keeps them
    names = re.findall(r"^def (try_\w+)", source, re.MULTILINE)
    source += f"\nattention_scores.tried = [{', '.join(names)}]\n"
    source = source.replace(
        'tried = [value for name, value in list(globals().items()) if name.startswith("try_")]',
        f"tried = [{', '.join(names)}]",
    )
    found = attack(folder, source, **settings)
    assert found.status == "error"
    assert "every attempt failed" in found.message
    assert found.points < found.max_points
    return found


# ---------------------------------------------------------------- A. cheating the verdict
CHEATS = {
    "01 allclose is always true": """
        np.allclose = np.array_equal = np.isclose = lambda *a, **k: True
        np.testing.assert_allclose = lambda *a, **k: None

        def attention_scores(q, k):
            np.allclose = np.array_equal = lambda *a, **k: True
            return np.zeros((*q.shape[:-1], k.shape[-2]))
        """,
    "02 a subclass of ndarray that equals everything": """
        class Evil(np.ndarray):
            def __eq__(self, other): return True
            def __array_function__(self, *a, **k): return True
            def __array_ufunc__(self, *a, **k): return True
            def __array__(self, *a, **k): return self

        def attention_scores(q, k):
            return np.zeros((*q.shape[:-1], k.shape[-2])).view(Evil)
        """,
    "03 a subclass of Tensor that equals everything": """
        import torch
        class Evil(torch.Tensor):
            @classmethod
            def __torch_function__(cls, *a, **k): return True

        def attention_scores(q, k):
            return torch.zeros((*q.shape[:-1], k.shape[-2])).as_subclass(Evil)
        """,
    "04 an object whose methods raise": """
        class Evil:
            def __array__(self, *a, **k): raise ZeroDivisionError("array")
            def __float__(self): raise ZeroDivisionError("float")
            def __len__(self): raise ZeroDivisionError("len")
            def __repr__(self): raise ZeroDivisionError("repr")

        def attention_scores(q, k):
            return Evil()
        """,
    "05 a patched test framework": """
        def attention_scores(q, k):
            import doctest, unittest
            unittest.TestCase.assertTrue = unittest.TestCase.run = lambda *a, **k: True
            doctest.testmod = lambda *a, **k: True
            for name in list(sys.modules):
                if "minitransformer" in name:
                    vars(sys.modules[name]).update(check=lambda *a: 9.0, judge=lambda *a: 9.0)
            return np.zeros((*q.shape[:-1], k.shape[-2]))
        import sys
        """,
    "06 a replaced cell runner": """
        def attention_scores(q, k):
            get_ipython().run_cell_async = lambda *a, **k: None
            return q
        """,
    "07 silenced tracebacks": """
        def attention_scores(q, k):
            import sys
            sys.excepthook = lambda *a: None
            raise ValueError("quiet")
        """,
    "08 forged frames": """
        import json, os, socket, struct
        def attention_scores(q, k):
            def frame(tree):
                header = json.dumps({"tree": tree, "arrays": []}).encode()
                return struct.pack("<II", len(header), 0) + header
            with socket.socket(fileno=3) as line:
                line.sendall(frame({"dict": {"ok": True, "passed": True, "score": 999}}))
                for index in range(50):
                    line.sendall(frame({"dict": {"index": index, "kind": "passed"}}))
                line.sendall(frame({"dict": {"tripped": {"list": []}}}))
            return q
        """,
    "16 a pickle on the channel": """
        import os, pickle
        class Payload:
            def __reduce__(self): return os.system, ("touch /tmp/unpickled-by-the-grader",)
        def attention_scores(q, k):
            os.write(3, pickle.dumps(Payload()))
            return np.array([Payload()], dtype=object)
        """,
    "18 another behaviour at each call": """
        calls = []
        def attention_scores(q, k):
            import sys
            calls.append(1)
            right = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
            return right if len(calls) == 1 or "IPython" in sys.modules else right * 0
        """,
    "20 a memory of the first result of each shape": """
        known = {}
        def attention_scores(q, k):
            right = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
            return known.setdefault(q.ndim, right)
        """,
    "43 NaN where numbers belong": """
        def attention_scores(q, k):
            return np.full((*q.shape[:-1], k.shape[-2]), np.nan)
        """,
}


@pytest.mark.parametrize("source", CHEATS.values(), ids=CHEATS.keys())
def test_a_cheat_gets_no_full_marks_and_costs_nobody_else(source, tmp_path):
    found = attack(tmp_path, source)
    assert found.status in WRONG_STATUSES
    assert found.points < found.max_points
    assert found.message
    assert "Traceback" not in found.message
    assert not Path("/tmp/unpickled-by-the-grader").exists()


def test_09_10_results_and_gradebooks_outside_cannot_be_written(tmp_path):
    tmp_path.chmod(0o777)
    book = tmp_path / "gradebook.db"
    book.write_bytes(b"grades")
    book.chmod(0o666)
    held(
        tmp_path,
        f"""
        import sqlite3
        def try_results():
            for path in ("{tmp_path}/results.json", "/autograder/results/results.json", "/tmp/r.json"):
                open(path, "w").write("{{}}")
                return True
        def try_gradebook():
            return sqlite3.connect("{book}").execute("select 1") and open("{book}", "r+b")
        """,
    )
    assert not (tmp_path / "results.json").exists()
    assert book.read_bytes() == b"grades"


def test_11_solutions_tests_and_the_installed_package_cannot_be_read(tmp_path):
    package = Path(catalogue.__file__).parents[2]
    solution = tmp_path / "solution.py"
    solution.write_text(RIGHT)
    tmp_path.chmod(0o755)
    held(
        tmp_path,
        f"""
        def try_solution(): return open("{solution}").read()
        def try_solutions(): return os.listdir("{package.parent}/solutions")
        def try_reference(): return open("{package}/reference/attention.py").read()
        def try_catalogue(): return open("{catalogue.__file__}").read()
        def try_bytes():
            folder = "{package}/grader/catalogue/__pycache__"
            return [open(os.path.join(folder, name), "rb").read() for name in os.listdir(folder)]
        def try_password(): return open("/etc/passwd").read()
        def try_link():
            os.symlink("{solution}", "link")
            return open("link").read()
        def try_hard_link():
            os.link("{solution}", "link2")
            return open("link2").read()
        """,
    )


def test_12_the_finished_function_of_the_package_says_so(tmp_path):
    source = "from minitransformer.reference import attention_scores as mine\n"
    found = attack(
        tmp_path, source + "def attention_scores(q, k):\n    return mine(q, k)\n"
    )
    assert found.status == "error"
    assert "is what this exercise asks you to write" in found.message
    assert found.policy == [
        "minitransformer.reference.attention_scores in submission.py, line 4"
    ]
    assert found.points == 0.0


def test_12_what_contains_it_and_what_comes_later_says_so_too(tmp_path):
    for name in ("attention", "masked_attention", "multi_head_attention"):
        source = f"from minitransformer import reference\ndef attention_scores(q, k):\n    return reference.{name}(q, k, k)[1]\n"
        found = attack(tmp_path, source)
        assert found.status == "error"
        assert found.policy


def test_12_functions_of_earlier_topics_may_be_used(tmp_path):
    source = """
    from minitransformer.reference import dot_products, softmax
    def attention_scores(q, k):
        return dot_products(q, k) / np.sqrt(q.shape[-1])
    """
    found = attack(tmp_path, source)
    assert (found.status, found.policy) == ("passed", [])


def test_13_neither_memory_nor_modules_hold_an_oracle(tmp_path):
    held(
        tmp_path,
        """
        def try_modules():
            secret = ("catalogue", "diagnosis", "bench", "exercise", "card", "isolated")
            return [name for name in sys.modules if name.split(".")[-1] in secret]
        def try_catalogue():
            import minitransformer.grader.catalogue
            return True
        def try_diagnosis():
            import minitransformer.grader.diagnosis
            return True
        def try_garbage():
            names = ("oracle", "softmax", "attention", "dot_products", "by_root_of_width")
            return [one for one in gc.get_objects() if getattr(one, "__name__", "") in names]
        def try_frames():
            frame = sys._getframe()
            while frame:
                if any(name in frame.f_locals for name in ("exercise", "oracle", "needed")):
                    return True
                frame = frame.f_back
        """,
    )


def test_14_the_memory_of_the_parent_cannot_be_reached(tmp_path):
    held(
        tmp_path,
        f"""
        libc = ctypes.CDLL(None, use_errno=True)
        PARENTS = (os.getppid(), {os.getpid()})
        def try_memory(): return [open(f"/proc/{{one}}/mem", "rb") for one in PARENTS]
        def try_maps(): return open("/proc/self/maps").read()
        def try_command(): return [open(f"/proc/{{one}}/cmdline").read() for one in PARENTS]
        def try_ptrace(): return any(libc.ptrace(16, one, 0, 0) == 0 for one in PARENTS)
        def try_vm():
            buffer = ctypes.create_string_buffer(8)
            vector = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 8)
            return any(libc.process_vm_readv(one, vector, 1, vector, 1, 0) >= 0 for one in PARENTS)
        """,
    )


def test_15_the_environment_holds_no_secret(tmp_path):
    held(
        tmp_path,
        """
        def try_environment(): return "GITHUB_TOKEN" in os.environ
        def try_parents(): return open(f"/proc/{os.getppid()}/environ").read()
        def try_c():
            getenv = ctypes.CDLL(None).getenv
            getenv.restype = ctypes.c_char_p
            return getenv(b"GITHUB_TOKEN")
        """,
    )


def test_17_hard_coded_results_pass_the_shown_inputs_only(tmp_path):
    exercise = catalogue.exercise("attention_scores")
    known = {
        b"".join(one.tobytes() for one in case.data): exercise.oracle(*case.data)
        for case in exercise.cases()
    }
    table = {
        key: (value.dtype.name, value.shape, value.tobytes())
        for key, value in known.items()
    }
    source = f"""
TABLE = {table!r}
def attention_scores(q, k):
    dtype, shape, content = TABLE.get(q.tobytes() + k.tobytes(), ("float64", (1,), bytes(8)))
    return np.frombuffer(content, dtype).reshape(shape)
"""
    found = attack(tmp_path, source)
    assert found.status == "failed"
    assert found.points < found.max_points
    assert "hidden" in found.message


POLICY = {
    "by its name": """
        import torch
        import torch.nn.functional as F
        def attention(q, k, v):
            q, k, v = (torch.as_tensor(one) for one in (q, k, v))
            eye = torch.eye(k.shape[-2], dtype=q.dtype).expand(*k.shape[:-1], k.shape[-2])
            call = F.scaled_dot_product_attention
            return call(q, k, v), call(q, k, eye)
        """,
    "by a name made at run time": """
        import torch
        def attention(q, k, v):
            q, k, v = (torch.as_tensor(one) for one in (q, k, v))
            eye = torch.eye(k.shape[-2], dtype=q.dtype).expand(*k.shape[:-1], k.shape[-2])
            call = getattr(torch.nn.functional, "scaled_dot_product" + "_attention")
            return call(q, k, v), call(q, k, eye)
        """,
}


@pytest.mark.parametrize("source", POLICY.values(), ids=POLICY.keys())
def test_19_a_finished_library_function_is_reported_with_its_line(source, tmp_path):
    report = graded_text(tmp_path, textwrap.dedent(source) + INNOCENT)
    found, innocent = report.exercises
    assert (found.status, found.points) == ("passed", 0.0)
    assert "scaled_dot_product_attention in submission.py, line" in found.policy[0]
    assert innocent.points == innocent.max_points
    (reported, _) = graded_text(
        tmp_path, textwrap.dedent(source) + INNOCENT, policy_costs=False
    ).exercises
    assert reported.points == reported.max_points
    assert reported.policy


RIGHT_ANSWERS = {
    "21 that change their inputs": """
        def attention_scores(q, k):
            q /= np.sqrt(q.shape[-1])
            return q @ np.swapaxes(k, -1, -2)
        """,
    "22 that reuse one buffer": """
        BUFFER = np.zeros(10**6)
        def attention_scores(q, k):
            right = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
            out = BUFFER[: right.size].reshape(right.shape)
            out[...] = right
            return out
        """,
    "23 that set global state": """
        np.seterr(all="raise")
        np.set_printoptions(precision=1)
        np.random.seed(0)
        def attention_scores(q, k):
            np.seterr(all="raise")
            return q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
        """,
    "37 that flood the output": """
        import os, sys
        def attention_scores(q, k):
            print("x" * 1_000_000)
            sys.stderr.write("y" * 1_000_000)
            os.write(1, b"z" * 3_000_000)
            return q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
        """,
    "38 that print what is not text": """
        import os
        def attention_scores(q, k):
            os.write(1, b"\\xff\\xfe\\x1b[2J\\r{\\"ok\\": true}")
            os.write(2, b"\\x00" * 100)
            return q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
        """,
    "44 that are slow": """
        import time
        def attention_scores(q, k):
            time.sleep(0.02)
            out = np.empty((*q.shape[:-1], k.shape[-2]), q.dtype)
            for place in np.ndindex(out.shape):
                *lead, i, j = place
                terms = [float(a) * float(b) for a, b in zip(q[(*lead, i)], k[(*lead, j)])]
                out[place] = sum(terms) / len(terms) ** 0.5
            return out
        """,
    "52 that warn": """
        import logging, warnings
        def attention_scores(q, k):
            warnings.warn("careful")
            logging.error("careful")
            np.float64(1.0) / np.float64(0.0)
            return q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
        """,
    "53 in float32, read-only and strided": """
        def attention_scores(q, k, *, scale=None, verbose=False):
            out = (q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])).astype(np.float32)
            wide = np.repeat(out, 2, axis=-1)[..., ::2]
            wide.setflags(write=False)
            return wide
        """,
    "53 as an object that can be called": """
        class Scores:
            def __init__(self, power): self.power = power
            def __call__(self, q, k, bias=0.0):
                return q @ np.swapaxes(k, -1, -2) / q.shape[-1] ** self.power + bias
        attention_scores = Scores(0.5)
        """,
    "53 as a partial, a lambda and a decorated function": """
        from functools import partial, wraps
        scaled = lambda q, k, power: q @ np.swapaxes(k, -1, -2) / q.shape[-1] ** power
        def loud(function):
            @wraps(function)
            def wrapped(*data, **options):
                print("called")
                return function(*data, **options)
            return wrapped
        attention_scores = loud(partial(scaled, power=0.5))
        """,
    "53 on torch": """
        import torch
        def attention_scores(q, k):
            q, k = torch.as_tensor(q), torch.as_tensor(k)
            return q @ k.mT / q.shape[-1] ** 0.5
        """,
    "54 with a little noise below the tolerance": """
        noise = np.random.default_rng()
        def attention_scores(q, k):
            right = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
            return right * (1 + 1e-10 * noise.normal(size=right.shape))
        """,
    "36 that leave threads and finalizers behind": """
        import atexit, threading, time
        atexit.register(time.sleep, 1000)
        class Late:
            def __del__(self): time.sleep(1000)
        kept = []
        def attention_scores(q, k):
            kept.append(Late())
            threading.Thread(target=time.sleep, args=(1000,)).start()
            return q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
        """,
    "47 beside a module with a library's name": """
        import random, statistics
        def attention_scores(q, k):
            assert random.random() < 1 and statistics.mean([1, 3]) == 2
            return q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
        """,
}


@pytest.mark.parametrize("source", RIGHT_ANSWERS.values(), ids=RIGHT_ANSWERS.keys())
def test_right_answers_pass(source, tmp_path):
    found = attack(tmp_path, source)
    assert (found.status, found.points) == ("passed", found.max_points), found.message


def test_21_the_change_of_an_input_is_told(tmp_path):
    found = attack(tmp_path, RIGHT_ANSWERS["21 that change their inputs"])
    assert "changes its input" in found.message


def test_24_ids_and_points_come_from_the_catalogue(tmp_path):
    cheat = notebook(
        ("attention_scores", IMPORTS + RIGHT.replace("np.sqrt(q.shape[-1])", "1.0")),
        ("attention_scores", "attention_scores = None"),
        ("check-attention_scores", 'print("passed"); 1000.0'),
        ("softmax_backward", IMPORTS + INNOCENT),
    )
    text = cheat.replace('"grade": false', '"grade": true, "points": 1000, "x": NaN')
    (tmp_path / "cheat.ipynb").write_text(text)
    (report,) = graded(tmp_path)
    found = {one.id: one for one in report.exercises}
    assert found["attention_scores"].points < 1.0
    assert found["softmax_backward"].points == found["softmax_backward"].max_points
    assert report.max_points == sum(one.points for one in catalogue.exercises("03"))


def test_26_magics_are_named_and_never_run(tmp_path):
    cells = (
        "%matplotlib inline\n!touch /tmp/run-by-the-grader\nimport numpy as np\n",
        "%%bash\ntouch /tmp/run-by-the-grader\n",
        "%%time\n" + RIGHT + "attention_scores?\n",
        "files = !ls\n%run other.py\n" + INNOCENT,
    )
    (tmp_path / "magic.ipynb").write_text(notebook(*cells))
    (report,) = graded(tmp_path)
    assert statuses(report)["attention_scores"] == "passed"
    assert statuses(report)["softmax_backward"] == "passed"
    told = "\n".join(report.notes)
    for line in (
        "%matplotlib inline",
        "!touch",
        "%%bash",
        "%%time",
        "files = !ls",
        "%run",
    ):
        assert line in told
    assert not Path("/tmp/run-by-the-grader").exists()


EXFILTRATION = {
    "in a message": 'raise ValueError("input " + str(q.ravel().tolist()))',
    "in the name of an error": 'raise type("input_" + str(q.ravel().tolist()), (Exception,), {})()',
    "in what is printed": 'print("input", q.ravel().tolist()); return q',
}


@pytest.mark.parametrize("line", EXFILTRATION.values(), ids=EXFILTRATION.keys())
def test_29_hidden_inputs_do_not_reach_the_report(line, tmp_path):
    shown = [
        case.data[0].tobytes()
        for case in catalogue.exercise("attention_scores").cases()
    ]
    source = f"""
SHOWN = {shown!r}
def attention_scores(q, k):
    if q.tobytes() in SHOWN:
        return q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    {line}
"""
    found = attack(tmp_path, source)
    assert found.status in WRONG_STATUSES
    assert "hidden" in found.message
    assert not re.search(r"\d\.\d{3}", found.message + found.card)


# ---------------------------------------------------------------- B. exhaustion and hangs
HANGS = {
    "30 an endless loop": "while True: pass",
    "32 a loop that catches everything": """
        import signal
        for number in (signal.SIGTERM, signal.SIGALRM, signal.SIGXCPU, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        while True:
            try:
                while True: pass
            except BaseException: pass
        """,
    "33 a long sleep": "import time; time.sleep(10**6)",
    "33 an event that never comes": "import threading; threading.Event().wait()",
    "33 a stopped process": "import os, signal; signal.raise_signal(signal.SIGSTOP)",
}


@pytest.mark.parametrize("body", HANGS.values(), ids=HANGS.keys())
def test_what_hangs_costs_its_own_exercise_only(body, tmp_path):
    body = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    found = attack(tmp_path, f"def attention_scores(q, k):\n{body}\n", timeout=2.5)
    assert found.status == "timeout", found.message
    assert found.points < found.max_points


def test_31_a_loop_at_top_level_costs_nothing_that_does_not_need_it(tmp_path):
    cells = (IMPORTS + RIGHT, "while True:\n    pass", INNOCENT)
    (tmp_path / "loop.ipynb").write_text(notebook(*cells))
    (report,) = graded(tmp_path, timeout=5.0)
    assert statuses(report)["attention_scores"] == "passed"
    assert statuses(report)["softmax_backward"] == "passed"


def test_33_input_ends_at_once(tmp_path):
    found = attack(tmp_path, "def attention_scores(q, k):\n    return input()\n")
    assert found.status == "error"
    assert "EOFError" in found.message


BOMBS = {
    "a list that grows": "x = []\n    while True: x.append(bytearray(10 << 20))",
    "a huge array": "return np.ones((10**6, 10**6))",
    "a quadratic broadcast": "return np.ones((40_000, 1, 8)) * np.ones((1, 40_000, 8))",
}


@pytest.mark.parametrize("body", BOMBS.values(), ids=BOMBS.keys())
def test_34_a_memory_bomb_is_told_as_memory(body, tmp_path):
    found = attack(tmp_path, f"def attention_scores(q, k):\n    {body}\n")
    assert found.status == "memory"


def test_35_no_processes_and_few_threads(tmp_path):
    held(
        tmp_path,
        """
        def try_fork():
            child = os.fork()
            if child == 0: os._exit(0)
            return True
        def try_exec():
            try: os.execv("/bin/true", ["true"])
            except FileNotFoundError: return True
        def try_popen(): return subprocess.Popen(["/bin/true"])
        def try_system(): return os.system("true") == 0
        def try_pool():
            import multiprocessing
            return multiprocessing.get_context("fork").Pool(2)
        def try_threads():
            wait = threading.Event()
            for _ in range(5000): threading.Thread(target=wait.wait, daemon=True).start()
            return True
        """,
    )


def test_36_no_process_outlives_its_exercise(tmp_path):
    attack(tmp_path, RIGHT_ANSWERS["36 that leave threads and finalizers behind"])
    attack(
        tmp_path,
        HANGS["30 an endless loop"].join(("def attention_scores(q, k):\n    ", "\n")),
        timeout=1.5,
    )
    zygote = sandbox().start("numpy")
    launcher = zygote._process.pid
    # the zygote itself, where it has a world of its own, and workers in waiting
    for _ in range(100):
        left = list(descendants(launcher))
        if len(left) <= 1 + SPARES:
            return
        time.sleep(0.05)
    pytest.fail(f"processes are left: {left}")


def test_39_the_disk_cannot_be_filled(tmp_path):
    held(
        tmp_path,
        """
        def try_one_large_file():
            with open("large", "wb") as file:
                for _ in range(100): file.write(bytes(1 << 20))
            return True
        def try_sparse():
            with open("sparse", "wb") as file:
                file.seek(10 << 30); file.write(b"x")
            return True
        def try_many():
            for number in range(100_000): open(f"small{number}", "w").close()
            return True
        def try_elsewhere():
            for folder in ("/tmp", "/dev/shm", "/var/tmp"):
                open(f"{folder}/worker", "w").close()
                return True
        def try_memory_file(): return os.memfd_create("x")
        """,
    )


def test_40_descriptors_run_out_for_this_worker_only(tmp_path):
    held(
        tmp_path,
        """
        def try_many():
            opened = [os.dup(0) for _ in range(100_000)]
            return True
        """,
    )
    closing = "def attention_scores(q, k):\n    import os\n    os.closerange(0, 64)\n    return q\n"
    found = attack(tmp_path, closing)
    assert found.status == "crashed"


CLAIMS = {
    "a frame of 4 GB": 'b"\\xff" * 8',
    "deep nesting": 'frame(b\'{"tree": \' + b"[" * 16_000 + b"]" * 16_000 + b\', "arrays": []}\')',
    "five thousand digits": 'frame(b\'{"tree": \' + b"9" * 5000 + b\', "arrays": []}\')',
    "NaN in JSON": 'frame(b\'{"tree": NaN, "arrays": []}\')',
    "an array of 2^40 entries": (
        'frame(b\'{"tree": {"array": 0}, "arrays": [{"dtype": "float64", "shape": [1099511627776]}]}\')'
    ),
}


@pytest.mark.parametrize("content", CLAIMS.values(), ids=CLAIMS.keys())
def test_41_a_huge_claim_is_only_a_bad_result(content, tmp_path):
    source = f"""
import os, struct
def frame(header): return struct.pack("<II", len(header), 0) + header
def attention_scores(q, k):
    os.write(3, {content})
    return q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
"""
    found = attack(tmp_path, source)
    assert found.status == "crashed"


ODD_VALUES = {
    "None": "None",
    "an object array": "np.array([object()], dtype=object)",
    "a structured array": "np.zeros(3, dtype=[('a', 'f8'), ('b', 'i4')])",
    "text": "'scores'",
    "an array of text": "np.array(['a'])",
    "complex": "(q @ np.swapaxes(k, -1, -2)).astype(complex)",
    "a number": "0.5",
    "a tuple": "(q, k)",
    "a dict": "{'scores': q}",
    "a generator": "(one for one in q)",
    "ragged lists": "[[1.0], [1.0, 2.0]]",
    "bytes": "b'scores'",
    "a function": "np.exp",
    "a huge whole number": "10**10000",
    "void": "np.void(b'abc')",
    "nothing": "np.zeros((0, 3))",
}


@pytest.mark.parametrize("value", ODD_VALUES.values(), ids=ODD_VALUES.keys())
def test_42_a_value_of_the_wrong_kind_has_a_message(value, tmp_path):
    found = attack(tmp_path, f"def attention_scores(q, k):\n    return {value}\n")
    assert found.status in ("failed", "error")
    assert found.message
    assert "Traceback" not in found.message


# ---------------------------------------------------------------- C. crashes, environment
ENDS = {
    "45 sys.exit": ("import sys; sys.exit(0)", {"error"}, "SystemExit"),
    "45 raise SystemExit": ("raise SystemExit", {"error"}, "SystemExit"),
    "45 quit": ("quit()", {"error"}, ""),
    "45 KeyboardInterrupt": ("raise KeyboardInterrupt", {"error"}, "KeyboardInterrupt"),
    "45 os._exit": ("import os; os._exit(0)", {"crashed"}, ""),
    "45 os.abort": ("import os; os.abort()", {"crashed"}, ""),
    "46 a bad address": ("import ctypes; ctypes.string_at(0)", {"crashed"}, ""),
    "46 endless recursion": (
        "return attention_scores(q, k)",
        {"error"},
        "RecursionError",
    ),
    "46 recursion without a limit": (
        "import sys; sys.setrecursionlimit(10**9)\n    return eval('(' * 90 + 'deep(q)' + ')' * 90)",
        {"crashed", "error", "memory"},
        "",
    ),
    "47 a package that is not there": (
        "import not_a_package",
        {"error"},
        "not_a_package",
    ),
    "47 a local file that was not handed in": (
        "import my_helpers",
        {"error"},
        "my_helpers",
    ),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_an_end_is_never_a_pass(end, tmp_path):
    body, expected, words = end
    source = f"""
def deep(q): return deep(q) + 1
def attention_scores(q, k):
    {body}
"""
    found = attack(tmp_path, source)
    assert found.status in expected, found.message
    assert words in found.message
    assert found.points < found.max_points


def test_47_a_file_called_numpy_does_not_shadow_numpy(tmp_path):
    ada = tmp_path / "ada"
    ada.mkdir()
    for name in ("numpy", "torch", "random"):
        (ada / f"{name}.py").write_text("raise SystemExit('shadowed')\n")
    (ada / "answers.py").write_text(
        IMPORTS
        + "from helpers import root\n"
        + RIGHT.replace("np.sqrt", "root")
        + INNOCENT
    )
    (ada / "helpers.py").write_text("import numpy\nroot = numpy.sqrt\n")
    (report,) = graded(tmp_path)
    assert set(statuses(report).values()) == {"passed"}, report.exercises


def test_48_no_network(tmp_path):
    held(
        tmp_path,
        """
        def try_internet(): return socket.socket(socket.AF_INET)
        def try_ipv6(): return socket.socket(socket.AF_INET6)
        def try_local(): return socket.socket(socket.AF_UNIX)
        def try_names(): return socket.getaddrinfo("localhost", 80)
        def try_web():
            import urllib.request
            return urllib.request.urlopen("http://127.0.0.1:9")
        def try_pip(): return subprocess.run([sys.executable, "-m", "pip", "install", "x"])
        """,
    )


def test_49_permissions_times_and_attributes_stay(tmp_path):
    planted = tmp_path / "planted"
    planted.write_text("x")
    planted.chmod(0o600)
    held(
        tmp_path,
        f"""
        import numpy
        def paths(): return ("{planted}", numpy.__file__, os.__file__, ".")
        def attempt(change):
            worked = False
            for path in paths():
                try:
                    change(path)
                    worked = True
                except OSError: pass
            return worked
        def try_mode(): return attempt(lambda path: os.chmod(path, 0o777))
        def try_owner(): return attempt(lambda path: os.chown(path, 0, 0))
        def try_times(): return attempt(lambda path: os.utime(path, (0, 0)))
        def try_attributes(): return attempt(lambda path: os.setxattr(path, "user.x", b"y"))
        """,
    )
    assert planted.stat().st_mode & 0o777 == 0o600


def test_50_nobody_can_be_killed(tmp_path):
    held(
        tmp_path,
        f"""
        import signal
        libc = ctypes.CDLL(None, use_errno=True)
        def try_parent(): return os.kill(os.getppid(), 9) is None
        def try_grader(): return os.kill({os.getpid()}, 0) is None
        def try_all(): return os.kill(-1, 9) is None
        def try_group(): return os.killpg(0, 9) is None
        def try_descriptor(): return os.pidfd_open(os.getppid()) > 0
        def try_thread(): return libc.syscall(234, os.getppid(), os.getppid(), 0) == 0
        def try_limits():
            import resource
            return resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))
        """,
    )


def test_51_no_way_around_the_filter(tmp_path):
    held(
        tmp_path,
        """
        libc = ctypes.CDLL(None, use_errno=True)
        def worked(number, *data): return libc.syscall(number, *data) >= 0
        zeros = ctypes.create_string_buffer(256)
        def try_io_uring(): return worked(425, 8, zeros)
        def try_bpf(): return worked(321, 0, zeros, 72)
        def try_userfaultfd(): return worked(323, 1)
        def try_keyctl(): return worked(250, 0, -3, 1)
        def try_unshare(): return worked(272, 0x10000000)
        def try_mount(): return worked(165, b"none", b"/", b"tmpfs", 0, None)
        def try_handle(): return worked(304, 0, zeros, 0)
        def try_clone(): return worked(56, 17, 0, 0, 0, 0)
        def try_clone3(): return worked(435, zeros, 64)
        def try_memfd(): return worked(319, b"x", 0)
        def try_personality(): return worked(135, 0x0040000)
        def try_perf(): return worked(298, zeros, 0, -1, -1, 0)
        def try_new_call(): return worked(500)
        def try_raise_limit():
            import resource
            most = resource.getrlimit(resource.RLIMIT_AS)[1]
            return resource.setrlimit(resource.RLIMIT_AS, (most * 2, most * 2)) is None
        """,
    )


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="x32 calls exist on x86_64")
def test_51_a_call_by_x32_numbers_kills_the_worker(tmp_path):
    body = "    import ctypes\n    ctypes.CDLL(None).syscall(0x40000000 + 39)\n    return q\n"
    found = attack(tmp_path, "def attention_scores(q, k):\n" + body)
    assert found.status == "crashed"


# ---------------------------------------------------------------- by whom, under what
RERUNS = {
    "an ordinary user": (65534, ""),
    "an ordinary user, without namespaces": (65534, "namespaces"),
    "root, without Landlock": (0, "landlock"),
}


@pytest.fixture
def open_folder():
    """A folder that everybody can reach; pytest's own belong to one user."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.skipif(bool(LEFT_OUT), reason="this is such a run")
@pytest.mark.parametrize("rerun", RERUNS.values(), ids=RERUNS.keys())
def test_all_of_it_holds_for(rerun, open_folder):
    user, without = rerun
    somebody = {"user": user, "group": user, "extra_groups": []} if user else {}
    path = os.pathsep.join([*search_path(), str(Path(pytest.__file__).parents[1])])
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": path,
        "HOME": str(open_folder),
        "TMPDIR": str(open_folder),
        "SANDBOX_WITHOUT": without or "nothing",
    }
    python = _python_for(environment, somebody)
    command = [python, "-m", "pytest", __file__, "-q", "--no-header"]
    command += ["--basetemp", str(open_folder / "inner")]
    done = subprocess.run(
        command, check=False, env=environment, cwd=ROOT, capture_output=True, text=True,
        **somebody,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def _python_for(environment, somebody):
    """Find an interpreter that somebody may run and that has the packages."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        trial = [python, "-c", "import numpy, pytest, rich"]
        try:
            subprocess.run(trial, check=True, env=environment, cwd=ROOT, **somebody)
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    pytest.skip("no Python that an ordinary user may run has these packages")
