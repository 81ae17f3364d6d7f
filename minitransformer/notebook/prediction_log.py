"""What a learner predicted: kept on disk, scored, summed up.

A prediction is one small JSON file in the learner's folder,
`.minitransformer/predictions/<id>.json`. A file of its own for each means that two open
notebooks never overwrite each other's, and that a damaged file costs one prediction.
"""

import json
import os
import re
import statistics
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from minitransformer.notebook.numbers import number

_ID = re.compile(r"\d\d\.[a-z0-9_]+")
_VERY_CLOSE, _CLOSE = 0.02, 0.1  # shares of the range

Answer = int | float | str


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What was asked, what the learner said, and what came out.

    `said` is None where the question was skipped; `answer` is None until the result
    has been seen.
    """

    id: str
    question: str
    low: int | float | None = None
    high: int | float | None = None
    choices: tuple[str, ...] | None = None
    said: Answer | None = None
    answer: Answer | None = None

    def __post_init__(self) -> None:
        """Refuse a question that cannot be asked."""
        if not _ID.fullmatch(self.id):
            raise ValueError(
                "a prediction's id is its topic and a name, as in '03.largest_weight'; "
                f"got {self.id!r}"
            )
        if self.choices is not None:
            if (
                len(set(self.choices)) < 2
                or self.low is not None
                or self.high is not None
            ):
                raise ValueError(
                    f"choices must be two or more different ones, without low and high; got {self.choices}"
                )
        elif (self.low is None) != (self.high is None):
            raise ValueError(
                f"low and high go together; got low={self.low}, high={self.high}"
            )
        elif (
            self.low is not None and self.high is not None and not self.low < self.high
        ):
            raise ValueError(
                f"low must be less than high; got low={self.low}, high={self.high}"
            )

    @property
    def scored(self) -> bool:
        """Whether the learner answered and the result has been seen."""
        return self.said is not None and self.answer is not None

    @property
    def right(self) -> bool:
        """Whether the choice made is the one that came out."""
        return self.scored and self.said == self.answer

    @property
    def distance(self) -> float:
        """How far a number was off, as a share of the range (of the answer, without one)."""
        said, answer = float(self.said or 0.0), float(self.answer or 0.0)
        if self.low is not None and self.high is not None:
            return abs(said - answer) / (self.high - self.low)
        if said == answer:
            return 0.0
        return abs(said - answer) / max(abs(answer), abs(said))

    @property
    def asks_for(self) -> str:
        """What kind of answer is wanted, in a few words."""
        if self.choices is not None:
            return " or ".join(self.choices)
        if self.low is not None and self.high is not None:
            return f"a number from {self.low:g} to {self.high:g}"
        return "a number"


def feedback(scored: Prediction, *, digits: int = 3) -> str:
    """Say how close a prediction came.

    Examples
    --------
    >>> feedback(Prediction(id="01.x", question="x", low=0, high=1, said=0.4, answer=0.9))
    'you said 0.400: off by 50 % of the range'
    """
    if isinstance(scored.said, str):
        told = "right" if scored.right else f"it is {scored.answer}"
        return f"you said {scored.said}: {told}"
    said = number(float(scored.said or 0.0), digits)
    if scored.distance <= _VERY_CLOSE:
        return f"you said {said}: very close"
    if scored.distance <= _CLOSE:
        return f"you said {said}: close"
    of = "the range" if scored.low is not None else "the larger of the two"
    return f"you said {said}: off by {100 * scored.distance:.0f} % of {of}"


def predictions_folder(start: Path) -> Path | None:
    """Return the nearest folder for predictions, from `start` upward, or None.

    Only `minitransformer lab` makes a course folder; without one nothing is written.
    """
    for place in (start, *start.parents):
        if (place / ".minitransformer").is_dir():
            return place / ".minitransformer" / "predictions"
    return None


def save_prediction(folder: Path, prediction: Prediction) -> None:
    """Write one prediction whole, or leave what was there before."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(prediction), ensure_ascii=False, indent=1) + "\n"
    handle, scratch = tempfile.mkstemp(dir=folder, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as page:
            page.write(text)
            page.flush()
            os.fsync(page.fileno())
        Path(scratch).replace(folder / f"{prediction.id}.json")
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def read_predictions(folder: Path) -> list[Prediction]:
    """Read every prediction of a learner, by id; damaged files are passed over."""
    found = (read_prediction(path) for path in sorted(folder.glob("*.json")))
    return [prediction for prediction in found if prediction is not None]


def read_prediction(path: Path) -> Prediction | None:
    """Read one prediction; None if the file is missing, damaged or something else."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if fields.get("choices") is not None:
            fields["choices"] = tuple(fields["choices"])
        kept = Prediction(**fields)
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    answer_type = str if kept.choices is not None else (int, float)
    whole = all(
        part is None or isinstance(part, answer_type)
        for part in (kept.said, kept.answer)
    )
    return kept if whole else None


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How good a learner's predictions have been."""

    asked: int
    skipped: int
    distances: tuple[float, ...]  # of numbers, as shares of their ranges
    right: int  # of choices
    choices: int
    by_guessing: float  # how many choices a guesser would have had right

    def __str__(self) -> str:
        """Say it in two or three lines."""
        lines = [
            f"{len(self.distances) + self.choices} predictions scored, {self.skipped} skipped."
        ]
        if self.distances:
            close = sum(distance <= _CLOSE for distance in self.distances)
            lines.append(
                f"Numbers: {close} of {len(self.distances)} within a tenth of the range; "
                f"half of them within {100 * statistics.median(self.distances):.0f} %."
            )
        if self.choices:
            lines.append(
                f"Choices: {self.right} of {self.choices} right; "
                f"guessing would have given {self.by_guessing:.1f}."
            )
        return "\n".join(lines)


def calibration(predictions: Iterable[Prediction]) -> Calibration:
    """Sum up a learner's predictions, for `minitransformer progress`."""
    kept = list(predictions)
    scored = [prediction for prediction in kept if prediction.scored]
    chosen = [prediction for prediction in scored if prediction.choices is not None]
    return Calibration(
        asked=len(kept),
        skipped=sum(prediction.said is None for prediction in kept),
        distances=tuple(p.distance for p in scored if p.choices is None),
        right=sum(prediction.right for prediction in chosen),
        choices=len(chosen),
        by_guessing=sum((1 / len(p.choices or "x") for p in chosen), start=0.0),
    )
