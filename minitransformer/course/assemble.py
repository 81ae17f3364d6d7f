"""A transformer made of a learner's own answers, with the reference where one is missing.

`assemble` reads the notebooks of a learner's folder, checks their answers where they can
do no harm, and loads those that are right. NumPy answers run the forward pass and the
writing, torch answers the training. An answer that calls an earlier one gets the
learner's own version of that, too.
"""

import linecache
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from minitransformer import model, reference
from minitransformer.course.progress import check_notebooks
from minitransformer.grader import answers
from minitransformer.grader.answers import Answer, UnreadableError
from minitransformer.grader.topics import TOPICS
from minitransformer.grader.torch_drives import model_parameters
from minitransformer.model.transformer import Block, CharTransformer
from minitransformer.reference.forward import PARTS as RUN_BY_FORWARD
from minitransformer.text.windows import random_starts

Function = Callable[..., Any]

STAGES: Mapping[str, Mapping[str, str]] = {  # part: the lesson that asks for it
    "text": {"encode": "09", "decode": "09", "next_character_windows": "09"},
    "attention": {
        "softmax": "02",
        "attention_scores": "03",
        "causal_mask": "04",
        "masked_softmax": "04",
        "masked_attention": "04",
        "rotary": "05",
        "split_heads": "06",
        "merge_heads": "06",
    },
    "block": {"layer_norm": "08", "feed_forward": "08", "pre_norm_block": "08"},
    "writing": {"sampling_probabilities": "09"},
    "training": {
        "MultiHeadAttention": "06",
        "Block": "08",
        "CharTransformer": "09",
        "training_step": "09",
        "next_character_loss": "09",
    },
}
LESSONS = {part: lesson for parts in STAGES.values() for part, lesson in parts.items()}
ON_TORCH = ("MultiHeadAttention", "Block", "CharTransformer", "training_step")
BECAME = {"passed": "right", "not_written": "not written yet"}
YOURS, REFERENCE, SWAPPED = "yours", "reference", "swapped in"


class PartError(Exception):
    """A part of the learner's that fails; the message names it and its line."""

    def _render_traceback_(self) -> list[str]:
        """Give what a notebook shows in place of a traceback."""
        return [str(self)]


class Part:
    """One part of the assembled model: it counts its calls, and answers for its errors.

    Attributes
    ----------
    name, lesson : str
        The exercise's id, and the number of its lesson.
    whose : str
        "yours", "reference" or "swapped in".
    answer : str
        What became of the learner's own: "right", "not written yet", "not right yet", …
    calls : int
        How often it ran; a class counts the modules that were made.
    """

    def __init__(self, name: str, function: Function, whose: str, answer: str) -> None:
        self.name, self.lesson = name, LESSONS[name]
        self.whose, self.answer = whose, answer
        self.function = function
        self.calls = 0

    def __call__(self, *data: Any, **options: Any) -> Any:
        """Call the function, or make a module whose errors are named as well."""
        self.calls += 1
        made = self._named(self.function, *data, **options)
        if isinstance(made, nn.Module):
            made.forward = partial(self._named, made.forward)
        return made

    def _named(self, function: Function, *data: Any, **options: Any) -> Any:
        try:
            return function(*data, **options)
        except PartError:
            raise
        except Exception as error:
            if self.whose == REFERENCE:
                raise
            told = f"{self.whose}: {self.name} (lesson {self.lesson}) failed with "
            told += f"{type(error).__name__}: {error}{_line_of(error)}"
            raise PartError(told) from None


@dataclass(frozen=True)
class Assembly:
    """A transformer, part by part.

    Attributes
    ----------
    parts : mapping of str to Part
        By the exercises' ids, in the order in which data passes through.
    """

    parts: Mapping[str, Part]
    _given: Mapping[str, Answer]
    _became: Mapping[str, str]

    @property
    def yours(self) -> int:
        """How many parts are the learner's own."""
        return sum(part.whose == YOURS for part in self.parts.values())

    @property
    def share(self) -> float:
        """The share of the parts that are the learner's own, from 0 to 1."""
        return self.yours / len(self.parts)

    def columns(self) -> dict[str, list[Any]]:
        """Give the table of parts as columns, for `notebook.table`."""
        parts = list(self.parts.values())
        return {
            "part": [part.name for part in parts],
            "lesson": [part.lesson for part in parts],
            "runs on": ["torch" if p.name in ON_TORCH else "NumPy" for p in parts],
            "whose": [part.whose for part in parts],
            "your answer": [part.answer for part in parts],
        }

    def stages(self) -> dict[str, dict[str, bool]]:
        """Give whose each part is, stage by stage, for `plots.built_from`."""
        return {
            stage: {name: self.parts[name].whose == YOURS for name in names}
            for stage, names in STAGES.items()
        }

    def calls(self) -> dict[str, int]:
        """Give how often each part has run so far."""
        return {name: part.calls for name, part in self.parts.items()}

    def with_parts(self, **swapped: Function) -> "Assembly":
        """Give another assembly with some parts exchanged, a wrong one for instance.

        Raises
        ------
        ValueError
            If there is no such part.
        """
        for name in swapped:
            if name not in LESSONS:
                raise ValueError(f"a part is one of {', '.join(LESSONS)}; got {name}")
        return _build(self._given, self._became, swapped)

    def forward(
        self,
        ids: np.ndarray,
        arrays: Mapping[str, np.ndarray],
        settings: Mapping[str, Any],
    ) -> np.ndarray:
        """Run the NumPy forward pass of these parameters; (B, T) to logits (B, T, V)."""
        parts = {name: self.parts[name] for name in RUN_BY_FORWARD if name in LESSONS}
        return reference.forward(ids, arrays, settings, parts=parts)

    def write(
        self,
        arrays: Mapping[str, np.ndarray],
        settings: Mapping[str, Any],
        characters: str,
        start: str,
        length: int,
        *,
        rng: np.random.Generator,
        **sampling: Any,
    ) -> Iterator[str]:
        """Write on from `start`, giving each character as soon as it is drawn.

        Parameters
        ----------
        arrays, settings : mappings
            A trained model, as `reference.forward` takes it; `context_length` bounds
            what is read.
        characters : str
            The vocabulary.
        start : str
            What the text begins with.
        length : int
            Characters to write.
        rng : Generator
            Where they are drawn from.
        **sampling
            `temperature`, `top_k`, `top_p`.
        """
        ids = [int(one) for one in self.parts["encode"](start, characters)]
        for _ in range(length):
            window = np.array([ids[-settings["context_length"] :]])  # (1, T)
            logits = self.forward(window, arrays, settings)[0, -1]  # (V,)
            chances = np.asarray(
                self.parts["sampling_probabilities"](logits, **sampling), np.float64
            )
            ids.append(int(rng.choice(len(chances), p=chances / chances.sum())))
            yield self.parts["decode"](ids[-1:], characters)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The sizes of a character model, as `CharTransformer` takes them."""

    vocab_size: int
    context_length: int
    width: int
    num_heads: int
    num_layers: int

    def __iter__(self) -> Iterator[int]:
        """Give them in the order of the arguments."""
        yield from vars(self).values()


class Race:
    """Train several assemblies side by side: from one start, on the same batches.

    Parameters
    ----------
    runners : mapping of str to Assembly
        Who takes part.
    sizes : Sizes
        What all their models are.
    seed : int
        Draws the first parameters and the places of the windows.
    rate : float
        The learning rate of every optimizer, AdamW.

    Attributes
    ----------
    models : mapping of str to nn.Module
        One for each runner.
    """

    def __init__(
        self,
        runners: Mapping[str, Assembly],
        sizes: Sizes,
        *,
        seed: int = 0,
        rate: float = 3e-3,
    ) -> None:
        self.runners, self.sizes, self.seed = runners, sizes, seed
        start = CharTransformer(*sizes, generator=torch.Generator().manual_seed(seed))
        self.models: dict[str, nn.Module] = {}
        for name, runner in runners.items():
            self.models[name] = runner.parts["CharTransformer"](*sizes)
            copy_parameters(start, self.models[name], sizes)
        self._optimizers = {
            name: torch.optim.AdamW(one.parameters(), lr=rate)
            for name, one in self.models.items()
        }

    def run(
        self, ids: np.ndarray, steps: int, batch_size: int = 32
    ) -> Iterator[dict[str, float]]:
        """Train on windows of a text, giving the losses of each step by runner."""
        T = self.sizes.context_length
        for step in range(1, steps + 1):
            rng = np.random.default_rng([self.seed, step])
            starts = random_starts(len(ids), T, batch_size, rng)
            yield {name: self._step(name, ids, starts) for name in self.runners}

    def _step(self, name: str, ids: np.ndarray, starts: np.ndarray) -> float:
        """Let one runner cut its batch and take its step."""
        parts, T = self.runners[name].parts, self.sizes.context_length
        inputs, targets = parts["next_character_windows"](ids, starts, T)
        loss = parts["training_step"](
            self.models[name],
            torch.from_numpy(np.asarray(inputs)),
            torch.from_numpy(np.asarray(targets)),
            self._optimizers[name],
        )
        return float(loss)

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Give the parameters of one runner's model for the NumPy forward pass."""
        twin = CharTransformer(*self.sizes)
        copy_parameters(self.models[name], twin, self.sizes)
        return twin.reference_arrays()


def copy_parameters(source: nn.Module, target: nn.Module, sizes: Sizes) -> None:
    """Give one character model the parameters of another, whatever either calls them."""
    found = [
        model_parameters(one, sizes.vocab_size, sizes.context_length, sizes.width)
        for one in (source, target)
    ]
    with torch.no_grad():
        for name, parameter in found[1].items():
            parameter.copy_(found[0][name])


def learner_folder(start: Path) -> Path | None:
    """Find the learner's folder that `start` lies in; None outside of any."""
    for folder in (start, *start.parents):
        if (folder / ".minitransformer").is_dir() and (folder / "exercises").is_dir():
            return folder
    return None


def assemble(folder: Path | None) -> Assembly:
    """Build the transformer from the answers of a learner's folder.

    Parameters
    ----------
    folder : Path or None
        Holds `exercises`, as `minitransformer lab` makes it; None for the reference alone.

    Returns
    -------
    Assembly
        Answers that are not right, not there or taken from a library are replaced by the
        reference.
    """
    if folder is None:
        return _build({}, {}, {})
    topics = [TOPICS[number] for number in sorted(set(LESSONS.values()))]
    paths = [folder / "exercises" / f"{topic}.ipynb" for topic in topics]
    given: dict[str, Answer] = {}
    became: dict[str, str] = {}
    for page in check_notebooks([path for path in paths if path.is_file()]):
        reports = [one for one in page.report.exercises if one.id in LESSONS]
        if page.report.error:
            lesson = page.path.name[:2]
            became |= {n: "cannot be read" for n, at in LESSONS.items() if at == lesson}
        for one in reports:
            became[one.id] = BECAME.get(one.status, "not right yet")
            if one.policy:
                became[one.id] = "taken from a library"
        right = [one.id for one in reports if became[one.id] == "right"]
        given |= _read(page.path, right)
    return _build(given, became, {})


# ---------------------------------------------------------------- loading answers
def _read(path: Path, names: Sequence[str]) -> dict[str, Answer]:
    """Find answers in a notebook; nothing is run."""
    try:
        document = answers.read_document(path)
    except UnreadableError:  # changed since it was checked
        return {}
    found = {name: answers.find_answer([document], name)[0] for name in names}
    return {name: answer for name, answer in found.items() if answer is not None}


def _build(
    given: Mapping[str, Answer], became: Mapping[str, str], swapped: Mapping[str, Any]
) -> Assembly:
    """Load the answers, make the parts, and let them call each other."""
    became = dict(became)
    loaded: dict[str, dict[str, Any]] = {}
    for name, answer in given.items():
        if name not in swapped:
            try:
                loaded[name] = _load(answer)
            except Exception as error:  # noqa: BLE001 - an answer may raise anything
                became[name] = f"cannot be loaded here: {type(error).__name__}"
    parts: dict[str, Part] = {}
    for name in LESSONS:
        told = became.get(name, "not written yet")
        if name in swapped:
            parts[name] = Part(name, swapped[name], SWAPPED, told)
        elif name in loaded:
            parts[name] = Part(name, loaded[name][name], YOURS, told)
        else:
            parts[name] = Part(name, _stand_in(name, parts), REFERENCE, told)
    for name, names in loaded.items():
        _connect(name, names, parts)
    return Assembly(parts, given, became)


def _load(answer: Answer) -> dict[str, Any]:
    """Execute the statements of an answer that has passed its check; give its names."""
    names: dict[str, Any] = {"__name__": f"your_{answer.name}"}
    for file, source in answer.files.items():
        lines = source.splitlines(keepends=True)
        linecache.cache[_filed(file)] = (len(source), None, lines, _filed(file))
    for piece in answer.pieces:
        source = "\n" * (piece.line - 1) + piece.source
        try:
            exec(compile(source, _filed(piece.file), "exec"), names)  # noqa: S102 - the learner's own, on their own machine
        except Exception:
            if not piece.is_call:  # a call may be there for something else
                raise
    if not callable(names.get(answer.name)):
        raise TypeError(f"{answer.name} needs to be something to call")
    return names


def _connect(name: str, names: dict[str, Any], parts: Mapping[str, Part]) -> None:
    """Let an answer call the assembled parts where it calls the package's, or its own."""
    for other, part in parts.items():
        value = names.get(other)
        home = getattr(value, "__module__", None)
        is_own = home == names["__name__"] and LESSONS[other] == LESSONS[name]
        if other != name and (is_own or (callable(value) and value is _package(other))):
            names[other] = part


def _package(name: str) -> Function:
    """Give the package's own version of a part."""
    return getattr(model if name in ON_TORCH else reference, name)


def _stand_in(name: str, parts: Mapping[str, Part]) -> Function:
    """Give the package's version, made of the assembled smaller parts where it has any."""
    if name == "masked_softmax":
        return partial(_masked_softmax, parts["softmax"])
    if name == "masked_attention":
        return partial(
            _masked_attention, parts["attention_scores"], parts["masked_softmax"]
        )
    if name == "Block":
        return partial(Block, attention=parts["MultiHeadAttention"])
    if name == "CharTransformer":
        return partial(CharTransformer, block=parts["Block"])
    return _package(name)


def _masked_softmax(
    softmax: Function, scores: np.ndarray, mask: np.ndarray, axis: int = -1
) -> np.ndarray:
    anything = np.broadcast_to(mask, scores.shape).any(axis=axis, keepdims=True)
    allowed = np.where(mask | ~anything, scores, -np.inf)
    return np.where(anything, softmax(allowed, axis=axis), 0.0)


def _masked_attention(
    attention_scores: Function,
    masked_softmax: Function,
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    mask: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    weights = masked_softmax(attention_scores(q, k), mask)  # (..., Tq, Tk)
    return weights @ v, weights


def _filed(file: str) -> str:
    """Name a cell so that its lines can be told from everybody else's."""
    return f"<your {file}>"


def _line_of(error: Exception) -> str:
    """Say in which of the learner's lines an error arose; "" in none of them."""
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        if frame.filename.startswith("<your "):
            return f", in line {frame.lineno} of its cell: {frame.line}"
    return ""
