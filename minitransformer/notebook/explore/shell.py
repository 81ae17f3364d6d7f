"""The shell all explorers share: controls, a plain function, a picture and its words.

An explorer is a function from the controls' values to a `View`. The shell only passes
values on. What it stores in a notebook is the view at the start, so that readers without
a kernel see the point too, and strict comparison has something fixed to compare.
"""

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import ipywidgets as widgets
import numpy as np
import traitlets
from matplotlib.figure import Figure

from minitransformer.notebook.display import image, widget_bundle

_WIDE = widgets.Layout(width="auto", min_width="320px")
_STYLE = {"description_width": "initial"}


@dataclass(frozen=True, kw_only=True)
class View:
    """What an explorer shows for one setting of its controls."""

    figure: Figure
    alt: str  # what there is to see in the picture
    marker: str  # one line with the number that changes


class Explorer:
    """Controls above, one line with a number, a picture that follows.

    Parameters
    ----------
    view : callable
        Takes the controls' values by name and returns a `View`; a `ValueError` from it
        is shown to the reader in place of the line.
    controls : mapping of str to Widget
        Anything with a `value`, by the name of the argument it sets.
    question : str
        What to find out, in a sentence.
    """

    def __init__(
        self,
        view: Callable[..., View],
        controls: Mapping[str, widgets.ValueWidget],
        question: str,
    ) -> None:
        self.controls = dict(controls)
        self.marker = widgets.HTML()
        self.picture = widgets.HTML()
        self._view = view
        self._question = question
        self._start = view(**self.values)
        self._draw(self._start)
        self._start_picture = self.picture.value
        for control in self.controls.values():
            control.observe(self._changed, names="value")
        self.widget = widgets.VBox(
            [
                widgets.HTML(f"<strong>Explore</strong>: {html.escape(question)}"),
                widgets.VBox(list(self.controls.values())),
                self.marker,
                self.picture,
            ]
        )

    @property
    def values(self) -> dict[str, object]:
        """What the controls stand at."""
        return {name: control.value for name, control in self.controls.items()}

    def still(self) -> Figure:
        """Return the picture of the start, for a page that shows it on its own."""
        return self._start.figure

    def _changed(self, _: object) -> None:
        try:
            self._draw(self._view(**self.values))
        except ValueError as error:
            self._say(str(error))

    def _draw(self, view: View) -> None:
        self._say(view.marker)
        self.picture.value = image(view.figure, view.alt)

    def _say(self, text: str) -> None:
        self.marker.value = (
            f'<span class="explorer-marker" role="status">{html.escape(text)}</span>'
        )

    def __repr__(self) -> str:
        """Return the words of the picture at the start."""
        return self._start.alt

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        start = self._start
        return widget_bundle(
            self.widget,
            words=start.alt,
            fallback=f"<p><strong>Explore</strong>: {html.escape(self._question)}</p>"
            f"<p>{html.escape(start.marker)}</p>{self._start_picture}",
        ).bundle


def slider(
    label: str, value: float, low: float, high: float, step: float
) -> widgets.FloatSlider:
    """Make a slider whose number can also be typed."""
    return widgets.FloatSlider(
        value=value,
        min=low,
        max=high,
        step=step,
        description=label,
        readout_format=".2f",
        layout=_WIDE,
        style=_STYLE,
    )


def whole(label: str, value: int, low: int, high: int) -> widgets.IntSlider:
    """Make a slider for whole numbers."""
    return widgets.IntSlider(
        value=value, min=low, max=high, description=label, layout=_WIDE, style=_STYLE
    )


def choice(
    label: str, options: Sequence[str] | Mapping[str, object], *, start: object = None
) -> widgets.Dropdown:
    """Make a list to choose from; the first is chosen at the start, if nothing else is."""
    pairs = list(options.items()) if isinstance(options, Mapping) else list(options)
    box = widgets.Dropdown(options=pairs, description=label, style=_STYLE)
    if start is not None:
        box.value = start
    return box


def switch(label: str, *, on: bool) -> widgets.Checkbox:
    """Make a box to tick."""
    return widgets.Checkbox(value=on, description=label, indent=False)


class Numbers(widgets.VBox, widgets.ValueWidget):
    """A small matrix to edit: one labelled line a row; `value` is a tuple of tuples."""

    value = traitlets.Tuple()

    def __init__(
        self,
        names: Sequence[str],
        rows: Sequence[Sequence[float]] | np.ndarray,
        limit: float = 9.0,
        features: Sequence[str] | None = None,
    ) -> None:
        columns = features or [f"feature {place + 1}" for place in range(len(rows[0]))]
        self._cells = [
            [
                widgets.BoundedFloatText(
                    value=float(number),
                    min=-limit,
                    max=limit,
                    step=0.1,
                    description=f"{name}, {column}",
                    style=_STYLE,
                    layout=widgets.Layout(width="190px"),
                )
                for column, number in zip(columns, row, strict=True)
            ]
            for name, row in zip(names, rows, strict=True)
        ]
        super().__init__([widgets.HBox(row) for row in self._cells])
        self._read()
        for row in self._cells:
            for cell in row:
                cell.observe(self._read, names="value")

    def _read(self, _: object = None) -> None:
        self.value = tuple(tuple(cell.value for cell in row) for row in self._cells)
