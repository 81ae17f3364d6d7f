"""An exercise as data: its cases, its oracle made of parts, and the mistakes to expect."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from minitransformer.grader.drawing import Draw
    from minitransformer.grader.outcome import Outcome


# ---------------------------------------------------------------- what is asked for
@dataclass(frozen=True)
class Array:
    """An array (or nested lists of numbers), with its axes named from the end.

    Attributes
    ----------
    name : str
        What it is called in messages.
    axes : str
        Names of the axes, "... Tq Tk"; "" for a single number.
    kind : str
        "numbers" are compared within a tolerance, "mask" may be Boolean or 0 and 1,
        "ids" are compared exactly.
    """

    name: str
    axes: str = "..."
    kind: Literal["numbers", "mask", "ids"] = "numbers"


@dataclass(frozen=True)
class Truth:
    """True or False."""

    name: str = "the verdict"


@dataclass(frozen=True)
class Text:
    """A `str`."""

    name: str = "the text"


# one of the above, or a tuple of forms where a tuple or list of results is asked for
Form = Array | Truth | Text | tuple[Any, ...]


# ---------------------------------------------------------------- inputs
@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """One call: data by position, options by keyword.

    Data and options are arrays, numbers, strings, None, lists and tuples of them, and
    functions. A function gets plain data and gives plain data; where answers are locked
    away it stays outside, and the answer holds a stand-in that asks for each value.

    Attributes
    ----------
    group : str
        What the case is there for ("plain", "leading axes", "large scores"); points are
        given by groups.
    about : str
        What is special about this input, in words for the learner.
    must_say : str
        Where an error is asked for: what its message must hold.
    peak_limit : int or None
        The most bytes the call may hold at once; measured only where given.
    hidden : bool
        Drawn from the seed of a grading run, and never shown.
    """

    group: str
    data: tuple[Any, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""
    must_say: str = ""
    peak_limit: int | None = None
    hidden: bool = False


def case(
    group: str,
    *data: Any,
    about: str = "",
    must_say: str = "",
    peak_limit: int | None = None,
    **options: Any,
) -> Case:
    """Write a case as the call that it is."""
    return Case(
        group=group,
        data=data,
        options=options,
        about=about,
        must_say=must_say,
        peak_limit=peak_limit,
    )


# ---------------------------------------------------------------- mistakes, properties
@dataclass(frozen=True)
class Mistake:
    """A wrong answer that learners write: parts of the oracle, replaced.

    Attributes
    ----------
    name : str
        The second half of its id, `<exercise>.<name>`.
    parts : mapping
        The oracle's keyword arguments that differ. Two mistakes that replace different
        parts can be made at once; such pairs are generated.
    plain : str
        What was done, in one sentence.
    question : str
        What would lead the learner to see it.
    place : str
        The heading of the lesson to reread; "" for the exercise's own.
    also : tuple of mappings
        Other ways to make the same mistake, with other outputs (inf for NaN, say).
    """

    name: str
    parts: Mapping[str, Any]
    plain: str
    question: str
    place: str = ""
    also: tuple[Mapping[str, Any], ...] = ()

    @property
    def forms(self) -> tuple[Mapping[str, Any], ...]:
        """All ways to make it."""
        return (self.parts, *self.also)

    def at(self, place: str, **changes: Any) -> "Mistake":
        """Give the same mistake for another lesson."""
        return replace(self, place=place, **changes)


@dataclass(frozen=True)
class Property:
    """What must hold of every right result, in words, and how to look.

    `holds(case, *results)` gets the case and the arrays that were returned.
    """

    words: str
    holds: Callable[..., bool]


# ---------------------------------------------------------------- the exercise
@dataclass(frozen=True, kw_only=True, eq=False)
class Exercise:
    """Everything that is known about one exercise.

    Attributes
    ----------
    id : str
        The name of what is written.
    topic : str
        As in `TOPICS`, "03_self_attention".
    title : str
        A few words for people.
    points, minutes, difficulty : float, int, int
        What it is worth, how long it takes, and how hard it is, from 1 to 5.
    returns : form
        What is asked for.
    draw_cases : callable
        `draw_cases(draw)` gives the cases, from gentle to extreme.
    oracle : callable
        The right answer for `*data, **options`, its parts keyword arguments.
    mistakes : tuple of Mistake
        Executable wrong answers.
    one_of : tuple of tuples of str
        Names of mistakes that no output can tell apart.
    properties : tuple of Property
        Looked at where no mistake was recognised.
    built_on : tuple of str
        Ids of exercises whose answers this one may call.
    finished : tuple of str
        Library functions that are the whole exercise; handing one in is reported.
    drive : str
        How an answer is called, as `module.function` of this package's `drives` or
        `torch_drives`; `drive(answer, *data, **options)` gives what is compared.
    bank : bool or None
        For checks of checks: the verdict that means "found wrong". Points are then the
        share of wrong implementations found, none if a right one is accused.
    place : str
        The heading of the lesson that explains it.
    seconds : float
        Time for all cases together where answers are locked away.
    stock : callable or None
        What stands in for a wrong answer when later exercises built on it are looked
        at; None for the oracle.
    """

    id: str
    topic: str
    title: str
    points: float
    minutes: int
    difficulty: int
    returns: Form
    draw_cases: "Callable[[Draw], Iterable[Case]]"
    oracle: Callable[..., Any]
    mistakes: tuple[Mistake, ...]
    one_of: tuple[tuple[str, ...], ...] = ()
    properties: tuple[Property, ...] = ()
    built_on: tuple[str, ...] = ()
    finished: tuple[str, ...] = ()
    drive: str = "drives.call"
    bank: bool | None = None
    place: str = ""
    seconds: float = 10.0
    stock: Callable[..., Any] | None = None

    @property
    def needs_torch(self) -> bool:
        """Whether an answer is written on torch."""
        return self.drive.startswith("torch_drives.")

    def cases(self, seed: int | None = None) -> list[Case]:
        """Give the shown cases, or those drawn from a seed, which are hidden."""
        from minitransformer.grader.drawing import Draw

        drawn = list(self.draw_cases(Draw(seed)))
        if seed is None:
            return drawn
        return [replace(one, hidden=True) for one in drawn]

    def mistake_id(self, mistake: Mistake) -> str:
        """Give the id `<exercise>.<mistake>`."""
        return f"{self.id}.{mistake.name}"


@runtime_checkable
class Runner(Protocol):
    """Calls one learner's answer to an exercise, wherever that may be safe."""

    def __call__(
        self, exercise: Exercise, cases: Sequence[Case], stock: Sequence[Exercise] = ()
    ) -> "list[Outcome]":
        """Give one outcome for each case.

        Every call gets copies of its data. Answers named in `stock` are replaced by the
        stock version of their exercise while these cases run. An answer that is absent
        gives "not_written" for every case.
        """
        ...
