"""Predictions: asked before a result, scored when the result appears."""

import html
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import ipywidgets as widgets

from minitransformer.notebook.display import Shown, put, widget_bundle
from minitransformer.notebook.numbers import number
from minitransformer.notebook.prediction_log import (
    Answer,
    Prediction,
    feedback,
    predictions_folder,
    read_prediction,
    save_prediction,
)

_asked: dict[str, Prediction] = {}  # of this kernel, also where there is no folder
_seen: set[str] = set()  # results shown before anything was predicted


def predict(
    question_id: str,
    question: str,
    *,
    low: int | float | None = None,
    high: int | float | None = None,
    choices: Sequence[str] | None = None,
) -> None:
    """Ask for a prediction; it is scored when `reveal` shows the result.

    Parameters
    ----------
    question_id : str
        Topic and name, as in ``"03.largest_weight"``.
    question : str
        What to predict, in a few words.
    low, high : float, optional
        The range of a number.
    choices : sequence of str, optional
        The answers to choose from, instead of a number.

    Raises
    ------
    ValueError
        If the id has another form, one of `low` and `high` is missing, or there are
        fewer than two choices.
    """
    asked = Prediction(
        id=question_id,
        question=question,
        low=low,
        high=high,
        choices=None if choices is None else tuple(choices),
    )
    folder = predictions_folder(Path.cwd())
    earlier = _recall(question_id, folder)
    _asked[question_id] = replace(asked, said=earlier.said if earlier else None)
    put(
        widget_bundle(
            _form(asked, earlier, folder),
            words=f"Predict: {question} ({asked.asks_for})",
            fallback=f"<p><strong>Predict</strong>: {html.escape(question)} "
            f"({html.escape(asked.asks_for)})</p>",
        )
    )


def reveal(question_id: str, answer: Answer, *, digits: int = 3) -> None:
    """Show a result beside what was predicted, and keep the score.

    Parameters
    ----------
    question_id : str
        The id given to `predict`.
    answer : float or str
        What came out: a number, or one of the choices.
    digits : int
        Places after the point.

    Raises
    ------
    ValueError
        If the question had choices and the answer is none of them.
    """
    folder = predictions_folder(Path.cwd())
    earlier = _recall(question_id, folder)
    outcome: Answer = answer if isinstance(answer, str) else float(answer)
    if earlier and earlier.choices is not None and outcome not in earlier.choices:
        raise ValueError(f"the answer must be one of {earlier.choices}; got {answer!r}")
    shown = answer if isinstance(answer, str) else number(answer, digits)
    question = f"{earlier.question}: " if earlier else ""
    if earlier is None or earlier.said is None:
        _seen.add(question_id)
        told = "not predicted"
    else:
        told = feedback(replace(earlier, answer=outcome), digits=digits)
        if earlier.answer is None:
            scored = replace(earlier, answer=outcome)
            _asked[question_id] = scored
            if folder:
                save_prediction(folder, scored)
    put(
        Shown(
            f"{question}{shown} · {told}",
            **{
                "text/html": f"<p>{html.escape(question)}<strong>{html.escape(shown)}"
                f"</strong> · {html.escape(told)}</p>"
            },
        )
    )


def _recall(question_id: str, folder: Path | None) -> Prediction | None:
    """Find what was said: in this kernel, else on disk."""
    here = _asked.get(question_id)
    if here is not None and here.said is not None:
        return here
    kept = read_prediction(folder / f"{question_id}.json") if folder else None
    return kept or here


def _form(
    asked: Prediction, earlier: Prediction | None, folder: Path | None
) -> widgets.VBox:
    """Build the form: the question, a way to answer, a way to skip, and what happened."""
    title = widgets.HTML(f"<strong>Predict</strong>: {html.escape(asked.question)}")
    status = widgets.HTML()

    def tell(text: str) -> None:
        status.value = f'<span role="status">{html.escape(text)}</span>'

    if earlier is not None and earlier.scored:
        tell(f"Earlier {feedback(earlier)}.")
        return widgets.VBox([title, status])
    if earlier is not None and earlier.said is not None:
        tell(f"You said {_plain(earlier.said)}. You may still change it.")

    def record(said: Answer | None) -> None:
        if asked.id in _seen:
            tell("The result has been shown already, so this one is not kept.")
            return
        kept = replace(asked, said=said)
        _asked[asked.id] = kept
        if folder is not None:
            save_prediction(folder, kept)
        where = (
            ""
            if folder
            else " (Kept until the kernel stops: this is no course folder.)"
        )
        spoken = "Skipped." if said is None else f"Recorded: {_plain(said)}."
        tell(f"{spoken} Now run the next cell.{where}")

    skip = widgets.Button(description="Skip", layout=widgets.Layout(width="auto"))
    skip.on_click(lambda _: record(None))
    if asked.choices is not None:
        buttons = [
            widgets.Button(description=choice, layout=widgets.Layout(width="auto"))
            for choice in asked.choices
        ]
        for button in buttons:
            button.on_click(lambda pressed: record(pressed.description))
        return widgets.VBox([title, widgets.HBox([*buttons, skip]), status])

    entry = widgets.Text(
        placeholder=asked.asks_for, description="Your guess", continuous_update=False
    )
    keep = widgets.Button(description="Record", layout=widgets.Layout(width="auto"))

    def answer(_: object) -> None:
        try:
            record(_as_number(entry.value, asked))
        except ValueError as error:
            tell(str(error))

    entry.observe(answer, names="value")
    keep.on_click(answer)
    return widgets.VBox([title, widgets.HBox([entry, keep, skip]), status])


def _as_number(text: str, asked: Prediction) -> float:
    """Read what was typed, with a point or a comma, or say what is needed."""
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        raise ValueError(f"Needed: {asked.asks_for}; got {text!r}.") from None
    low = -float("inf") if asked.low is None else asked.low
    high = float("inf") if asked.high is None else asked.high
    if not low <= value <= high:
        raise ValueError(f"Needed: {asked.asks_for}; got {text!r}.")
    return value


def _plain(said: Answer) -> str:
    return said if isinstance(said, str) else f"{said:g}"
