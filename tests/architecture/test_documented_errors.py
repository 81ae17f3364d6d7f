"""Every error in a docstring has a test that reads its message, and every raise a docstring."""

import pytest
from architecture.raised import PACKAGE, Function, public_functions, read_messages

MESSAGES = read_messages()
FUNCTIONS = [
    function
    for room in ("reference", "text")
    for function in public_functions(PACKAGE / room)
]


def named(function: Function) -> str:
    return f"{function.module.stem}.{function.name}"


@pytest.mark.parametrize("function", [f for f in FUNCTIONS if f.documented], ids=named)
def test_a_documented_error_has_a_test_that_reads_its_message(function):
    unread = {
        error for error in function.documented if (function.name, error) not in MESSAGES
    }
    assert not unread


@pytest.mark.parametrize("function", [f for f in FUNCTIONS if f.raised], ids=named)
def test_a_raised_error_is_documented(function):
    assert function.raised <= function.documented
