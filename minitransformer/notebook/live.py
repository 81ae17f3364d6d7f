"""A training run watched while it runs: a bar, a curve, and a sentence at the end.

The view is a widget, and widgets change by messages of their own, not by new outputs.
So the cell's stored output is two fixed sentences, whatever the machine and its speed.
"""

import html
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import ipywidgets as widgets
from matplotlib.ticker import MaxNLocator

from minitransformer.notebook.display import Shown, put, widget_bundle
from minitransformer.notebook.plots.palette import CARD, INK, QUIET, RULE, SERIES

Record = TypeVar("Record")

_PAUSE = 0.25  # seconds between two drawings
_WIDE, _TALL = 690.0, 240.0  # pixels
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 130.0, 14.0, 42.0
_MOST_POINTS = 300
_DONE = 0.999


def watch(
    records: Iterable[Record],
    *,
    steps: int | None = None,
    target: int | float | None = None,
    unit: str = "nats per character",
) -> list[Record]:
    """Run a training to its end and draw its loss while it runs.

    Parameters
    ----------
    records : iterable
        What a training yields: one record a step, with `step`, `loss` and, where there
        is one, `validation_loss`, `progress` and `characters_per_second`; attributes or
        keys.
    steps : int, optional
        How many steps there will be; the sentence at the end then says so. Not for runs
        by the clock, which take as many steps as the machine can.
    target : float, optional
        A loss to fall below; the sentence at the end says whether it did.
    unit : str
        The unit of the loss.

    Returns
    -------
    list
        The records. After Ctrl-C, those up to then.
    """
    return watch_all({"": records}, steps=steps, target=target, unit=unit)[""]


def watch_all(
    runs: Mapping[str, Iterable[Record]],
    *,
    steps: int | None = None,
    target: int | float | None = None,
    unit: str = "nats per character",
) -> dict[str, list[Record]]:
    """Run several trainings, one after the other, and draw their losses together.

    Parameters
    ----------
    runs : mapping of str to iterable
        The trainings by name; see `watch` for what each yields.
    steps : int, optional
        How many steps each takes.
    target : float, optional
        A loss to fall below.
    unit : str
        The unit of the loss.

    Returns
    -------
    dict
        The records of each run. After Ctrl-C, those up to then.
    """
    view = widgets.HTML()
    put(
        widget_bundle(
            view,
            words="The loss, drawn here while the cell runs.",
            fallback="<p><em>The loss is drawn here while the cell runs.</em></p>",
        )
    )
    board = _Board(names=tuple(runs), steps=steps, target=target, unit=unit)
    kept: dict[str, list[Record]] = {name: [] for name in runs}
    stopped = False
    for name, records in runs.items():
        iterator = iter(records)
        try:
            for record in iterator:
                kept[name].append(record)
                board.add(name, record)
                if board.due():
                    view.value = board.page()
        except KeyboardInterrupt:
            stopped = True
            _close(iterator)
        if stopped:
            break
    view.value = board.page()
    put(_sentence(board, stopped=stopped))
    return kept


def _close(iterator: Iterator[object]) -> None:
    """Let a training that was interrupted between two steps put its things in order."""
    close = getattr(iterator, "close", None)
    if close is not None:
        close()


def _field(record: object, name: str) -> float | None:
    value = (
        record.get(name) if isinstance(record, Mapping) else getattr(record, name, None)
    )
    return None if value is None else float(value)


@dataclass(kw_only=True)
class _Run:
    """The points of one training."""

    steps: int | None
    loss: list[tuple[float, float]] = field(default_factory=list)
    held_out: list[tuple[float, float]] = field(default_factory=list)
    speed: float | None = None
    told_progress: float | None = None

    @property
    def main(self) -> list[tuple[float, float]]:
        """The curve that matters: the held-out loss, where there is one."""
        return self.held_out or self.loss

    @property
    def progress(self) -> float | None:
        """The share that is done, from 0 to 1, or None where nobody knows."""
        if self.told_progress is not None:
            return self.told_progress
        return len(self.loss) / self.steps if self.steps else None

    @property
    def best(self) -> float:
        """The best held-out loss; without one, the mean loss of the last tenth."""
        if self.held_out:
            return min(level for _, level in self.held_out)
        last = self.loss[-max(1, len(self.loss) // 10) :]
        return sum(level for _, level in last) / len(last) if last else math.inf


@dataclass(kw_only=True)
class _Board:
    """What has come so far, and how it is shown."""

    names: tuple[str, ...]
    steps: int | None
    target: int | float | None
    unit: str
    runs: dict[str, _Run] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    drawn: float = -math.inf

    def add(self, name: str, record: object) -> None:
        """Take in one record."""
        run = self.runs.setdefault(name, _Run(steps=self.steps))
        step, loss = _field(record, "step"), _field(record, "loss")
        held_out = _field(record, "validation_loss")
        if step is None or loss is None:
            raise ValueError(f"a record needs step and loss; got {record!r}")
        run.loss.append((step, loss))
        if held_out is not None:
            run.held_out.append((step, held_out))
        run.speed = _field(record, "characters_per_second")
        run.told_progress = _field(record, "progress")

    def due(self) -> bool:
        """Whether the last drawing is long enough ago; drawing must not slow the run."""
        now = time.monotonic()
        if now - self.drawn < _PAUSE:
            return False
        self.drawn = now
        return True

    @property
    def stopped(self) -> bool:
        """Whether a run ended before it was done, as after Ctrl-C."""
        return len(self.runs) < len(self.names) or any(
            run.progress is not None and run.progress < _DONE
            for run in self.runs.values()
        )

    def page(self) -> str:
        """Return what the reader sees now."""
        return f"{self._bar()}{self._curve()}"

    def _bar(self) -> str:
        if not self.runs:
            return ""
        name, run = next(reversed(self.runs.items()))
        spent = time.monotonic() - self.started
        parts = [f"<strong>{html.escape(name)}</strong>"] if name else []
        parts += [f"step {run.loss[-1][0]:,.0f}", f"loss {run.loss[-1][1]:.2f}"]
        if run.held_out:
            parts.append(f"held-out loss {run.held_out[-1][1]:.2f}")
        if run.speed:
            parts.append(f"{float(f'{run.speed:.2g}'):,.0f} characters per second")
        if run.progress is None:
            return f"<div>{' · '.join([*parts, f'{spent:.0f} s'])}</div>"
        done = (len(self.runs) - 1 + run.progress) / len(self.names)
        to_go = (
            f", about {spent * (1 - done) / done:.0f} s to go"
            if 0 < done < _DONE
            else ""
        )
        return (
            f'<progress max="1" value="{done:.4f}" aria-label="share of the training done" '
            f'style="width: 100%"></progress><div>{" · ".join([*parts, f"{spent:.0f} s{to_go}"])}</div>'
        )

    def _curve(self) -> str:
        points = [
            point for run in self.runs.values() for point in run.loss + run.held_out
        ]
        points = [(x, y) for x, y in points if math.isfinite(y)]
        if not points:
            return ""
        right = float(self.steps or max(x for x, _ in points) or 1)
        for run in self.runs.values():
            if run.progress:
                right = max(right, run.loss[-1][0] / run.progress)
        levels = [y for _, y in points] + (
            [self.target] if self.target is not None else []
        )
        low, high = min(levels), max(levels)
        margin = 0.06 * (high - low) or 0.5
        paper = _Paper(right=right, low=low - margin, high=high + margin)
        return paper.drawn(self)


@dataclass(frozen=True, kw_only=True)
class _Paper:
    """The axes of the live curve, written as SVG by hand: a drawing takes under a millisecond."""

    right: float
    low: float
    high: float

    def x(self, step: float) -> float:
        return _LEFT + (_WIDE - _LEFT - _RIGHT) * step / self.right

    def y(self, level: float) -> float:
        return _TOP + (_TALL - _TOP - _BOTTOM) * (self.high - level) / (
            self.high - self.low
        )

    def line(self, points: list[tuple[float, float]], colour: str, style: str) -> str:
        every = -(-len(points) // _MOST_POINTS)
        thinned = points[::every] + points[-1:]
        path = " ".join(
            f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in thinned if math.isfinite(y)
        )
        return f'<polyline points="{path}" fill="none" stroke="{colour}" {style}/>'

    def text(
        self, x: float, y: float, text: str, *, anchor: str = "start", colour: str = INK
    ) -> str:
        return (
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
            f"{html.escape(text)}</text>"
        )

    def drawn(self, board: _Board) -> str:
        parts = [
            f'<rect width="{_WIDE:.0f}" height="{_TALL:.0f}" rx="4" fill="{CARD}"/>'
        ]
        for level in MaxNLocator(5).tick_values(self.low, self.high):
            if self.low < level < self.high:
                parts.append(
                    f'<line x1="{_LEFT}" x2="{_WIDE - _RIGHT}" y1="{self.y(level):.1f}" '
                    f'y2="{self.y(level):.1f}" stroke="{RULE}"/>'
                )
                parts.append(
                    self.text(_LEFT - 6, self.y(level) + 4, f"{level:g}", anchor="end")
                )
        parts.extend(
            self.text(self.x(step), _TALL - 24, f"{step:,.0f}", anchor="middle")
            for step in MaxNLocator(6, integer=True).tick_values(0, self.right)
            if 0 <= step <= self.right
        )
        parts.append(
            self.text((_LEFT + _WIDE - _RIGHT) / 2, _TALL - 6, "step", anchor="middle")
        )
        parts.append(
            f'<text transform="translate(14 {(_TOP + _TALL - _BOTTOM) / 2}) rotate(-90)" '
            f'text-anchor="middle" fill="{INK}">loss, {html.escape(board.unit)}</text>'
        )
        if board.target is not None:
            y = self.y(board.target)
            parts.append(
                f'<line x1="{_LEFT}" x2="{_WIDE - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
                f'stroke="{QUIET}" stroke-dasharray="4 3"/>'
            )
            parts.append(
                self.text(_LEFT + 4, y - 4, f"target {board.target:g}", colour=QUIET)
            )
        taken: list[float] = []
        for index, (name, run) in enumerate(board.runs.items()):
            colour = SERIES[index % len(SERIES)]
            if run.held_out:
                parts.append(
                    self.line(
                        run.loss, colour, 'stroke-width="1" stroke-opacity="0.35"'
                    )
                )
            parts.append(self.line(run.main, colour, 'stroke-width="2"'))
            if run.main and math.isfinite(run.main[-1][1]):
                x, y = self.x(run.loss[-1][0]), self.y(run.main[-1][1]) + 4
                while any(abs(y - other) < 14 for other in taken):
                    y -= 14
                taken.append(y)
                which = name or ("held-out" if run.held_out else "")
                label = f"{which} {run.main[-1][1]:.2f}".strip()
                parts.append(self.text(x + 6, y, label, colour=colour))
        told = f"The loss after {max(len(run.loss) for run in board.runs.values()):,} steps."
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{told}" '
            f'viewBox="0 0 {_WIDE:.0f} {_TALL:.0f}" width="{_WIDE:.0f}" style="max-width: 100%" '
            f'font-family="sans-serif" font-size="12">{"".join(parts)}</svg>'
        )


def _sentence(board: _Board, *, stopped: bool) -> Shown:
    """Say only what is the same on every machine, unless the reader stopped the run."""
    if stopped or board.stopped:
        done = sum(len(run.loss) for run in board.runs.values())
        told = f"Stopped after {done:,} steps; what was learned so far is kept."
    elif board.steps is not None:
        told = f"{board.steps:,} steps done" + (
            " in each run." if len(board.runs) > 1 else "."
        )
    else:
        told = "The runs are done." if len(board.runs) > 1 else "The run is done."
    if board.target is not None:
        for name, run in board.runs.items():
            which = "held-out loss" if run.held_out else "loss"
            whose = f"the {which} of {name}" if name else f"the {which}"
            did = "fell below" if run.best < board.target else "did not fall below"
            told += (
                f" {whose[0].upper()}{whose[1:]} {did} {board.target:g} {board.unit}."
            )
    return Shown(told, **{"text/html": f"<p>{html.escape(told)}</p>"})
