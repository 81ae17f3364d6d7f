"""What every test runs under: one thread, no network, shapes checked, fixed examples.

Ctrl-C works, also where a job in the background would ignore it.

Shapes in the package's signatures are checked while the tests run (jaxtyping with
beartype). A test of the package's own words about a wrong shape asks for the fixture
`shapes_unchecked`; without it the checker speaks first.
"""

import os
import signal

# before numpy or torch is imported: both read these once
os.environ.update(
    OMP_NUM_THREADS="1",
    OPENBLAS_NUM_THREADS="1",
    MKL_NUM_THREADS="1",
    OMP_WAIT_POLICY="passive",
    MPLBACKEND="agg",
)

from collections.abc import Iterator

import hypothesis
import jaxtyping
import network_guard
import pytest

network_guard.switch_on()
signal.signal(signal.SIGINT, signal.default_int_handler)
# not the grader: it has no shapes in its signatures, and must run as learners run it
SHAPED = ("reference", "text", "model", "notebook", "course")
jaxtyping.install_import_hook(
    [f"minitransformer.{room}" for room in SHAPED], "beartype.beartype"
)

hypothesis.settings.register_profile(
    "course", derandomize=True, deadline=None, max_examples=50
)
hypothesis.settings.load_profile("course")


@pytest.fixture
def shapes_unchecked() -> Iterator[None]:
    """Let wrong shapes through to the package's own errors, as outside of tests."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
