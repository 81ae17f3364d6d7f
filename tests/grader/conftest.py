"""Rates of the grader, collected while its tests run and printed at their end."""

from dataclasses import dataclass

import pytest


@dataclass
class Rate:
    """How often something held, out of how many tries."""

    held: int = 0
    tried: int = 0

    def count(self, *, held: bool) -> None:
        """Take one more try."""
        self.held += held
        self.tried += 1


RATES = pytest.StashKey[dict[str, Rate]]()
NAMES = {
    "refused": "mistakes refused",
    "named": "mistakes named, alone or in a declared group",
    "pairs": "pairs of mistakes named as the pair",
    "separable": "the same, of the pairs that outputs can tell from one mistake",
    "written": "mistakes as learners write them, named",
    "accepted": "right alternatives accepted, shown and hidden cases",
    "accused": "right alternatives told a mistake (must be 0)",
    "misnamed": "mistakes named with another's id (must be 0)",
    "stubs": "untouched stubs that are not written, never wrong",
}


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RATES] = {name: Rate() for name in NAMES}


@pytest.fixture
def rates(request: pytest.FixtureRequest) -> dict[str, Rate]:
    """The rates of this run, to be counted into."""
    return request.config.stash[RATES]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    rates = config.stash[RATES]
    if not any(rate.tried for rate in rates.values()):
        return
    terminalreporter.section("rates of the grader")
    for name, words in NAMES.items():
        rate = rates[name]
        if rate.tried:
            share = 100 * rate.held / rate.tried
            terminalreporter.line(
                f"{words:<62} {rate.held:>5} of {rate.tried:>5}  {share:6.1f} %"
            )
