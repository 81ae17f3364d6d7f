"""A grading run as plain data, and as the JSON object of `report.schema.json`."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

SCHEMA = "minitransformer/report/1"
LONGEST_MESSAGE = 2_000
_ESCAPES = re.compile(
    "\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|.?)"
)
_NOT_TEXT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    "\u202a-\u202e\u2066-\u2069]"
)


def clean(text: str, longest: int = LONGEST_MESSAGE) -> str:
    r"""Take out what no report may hold: escapes, control characters, lone surrogates.

    Examples
    --------
    >>> clean("\x1b[31mred\x1b[0m\x07 and\ttab")
    'red and tab'
    """
    words = _ESCAPES.sub("", text).replace("\t", " ")
    words = _NOT_TEXT.sub("\ufffd", words.replace("\x07", ""))
    return words if len(words) <= longest else words[: longest - 1] + "…"


@dataclass(frozen=True, kw_only=True)
class ExerciseReport:
    """What came of one exercise; `card` is its part of a feedback page."""

    id: str
    topic: str
    status: str
    points: float
    max_points: float
    mistakes: Sequence[str] = ()
    message: str = ""
    policy: Sequence[str] = ()
    card: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give the object of the report; topic and card stay out of it."""
        return {
            "id": self.id,
            "status": self.status,
            "points": self.points,
            "max_points": self.max_points,
            "mistakes": list(self.mistakes),
            "message": self.message,
            "policy": list(self.policy),
        }


@dataclass(frozen=True, kw_only=True)
class SubmissionReport:
    """What came of one submission.

    Attributes
    ----------
    error : str
        Why it could not be read; "" if it could.
    partly : bool
        Whether some of its files could not be read; `notes` say which.
    """

    name: str
    seconds: float = 0.0
    exercises: Sequence[ExerciseReport] = ()
    notes: Sequence[str] = ()
    error: str = ""
    partly: bool = False

    @property
    def points(self) -> float:
        """The points of all exercises, rounded to what people count in."""
        return round(sum(one.points for one in self.exercises), 2)

    @property
    def max_points(self) -> float:
        """What could be earned."""
        return round(sum(one.max_points for one in self.exercises), 2)

    def to_json(self) -> dict[str, Any]:
        """Give the object of the report."""
        told: dict[str, Any] = {
            "name": self.name,
            "points": self.points,
            "max_points": self.max_points,
            "seconds": round(self.seconds, 3),
            "exercises": [one.to_json() for one in self.exercises],
        }
        if self.notes:
            told["notes"] = list(self.notes)
        if self.error:
            told["error"] = self.error
        return told

    def to_memory(self) -> dict[str, Any]:
        """Give everything, to go on from after an interruption."""
        cards = [{"topic": one.topic, "card": one.card} for one in self.exercises]
        whole = {"seconds": self.seconds, "partly": self.partly, "cards": cards}
        return {**self.to_json(), **whole}

    @classmethod
    def from_memory(cls, told: Mapping[str, Any]) -> Self:
        """Read what `to_memory` gave."""
        exercises = [
            ExerciseReport(**one, **extra)
            for one, extra in zip(told["exercises"], told["cards"], strict=True)
        ]
        return cls(
            name=told["name"],
            seconds=told["seconds"],
            exercises=exercises,
            notes=told.get("notes", ()),
            error=told.get("error", ""),
            partly=told["partly"],
        )


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of a run, the submissions in the order of their names."""

    isolation: str
    seed: int | None
    submissions: Sequence[SubmissionReport] = field(default_factory=tuple)

    def to_json(self) -> dict[str, Any]:
        """Give the object that `report.schema.json` describes."""
        return {
            "schema": SCHEMA,
            "isolation": self.isolation,
            "seed": self.seed,
            "submissions": [one.to_json() for one in self.submissions],
        }

    def text(self) -> str:
        """Write the object as JSON."""
        told = self.to_json()
        return json.dumps(told, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
