"""A training run from the terminal: texts in, a checkpoint, a log and a curve out."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from minitransformer.course import leaderboard
from minitransformer.model.checkpoint import (
    CheckpointError,
    model_from,
    read_checkpoint,
    save_model,
)
from minitransformer.model.config import (
    PRESETS,
    ModelConfig,
    TrainingConfig,
    as_dict,
    preset,
)
from minitransformer.model.pair_training import (
    PairTask,
    pair_preset,
    save_pair_model,
    share_exact,
)
from minitransformer.model.seq2seq import (
    EncoderDecoder,
    PairVocabulary,
    write_targets,
)
from minitransformer.model.training import NextCharacterTask, Record, Trainer
from minitransformer.model.transformer import CharTransformer
from minitransformer.text import corpora, pairs
from minitransformer.text.vocabulary import distinct_characters, encode
from minitransformer.text.windows import split_text

SAVE_EVERY = 30.0  # seconds: what a crash can cost at most
DATE_PAIRS, HELD_OUT_PAIRS = 40_000, 1_000

Save = Callable[..., None]
Measured = list[tuple[float, float]]  # seconds of training, held-out loss


@dataclass(frozen=True, kw_only=True)
class Order:
    """What was asked for on the command line."""

    what: str  # "characters", "dates" or "pronunciation"
    preset: str
    steps: int | None
    seconds: float | None
    text: Path | None
    out: Path
    resume: bool
    curve: Path | None
    seed: int


@dataclass(frozen=True, kw_only=True)
class _Run:
    """A trainer, and how what it has learned is saved."""

    trainer: Trainer
    save: Save
    story: Callable[[], str]  # what the trained model can do, in a line or two
    note: Callable[[Measured], str] = lambda _: ""  # to the runs; says what was kept


def run(order: Order, console: Console) -> int:
    """Train as ordered, show how it goes, and keep the best.

    Returns
    -------
    int
        The exit status: 0, or 130 after Ctrl-C.

    Raises
    ------
    ValueError
        If something asked for does not fit together.
    OSError
        If a text cannot be read or a file not be written.
    """
    prepare = {"characters": _characters, "dates": _dates, "pronunciation": _words}
    prepared = prepare[order.what](order)
    trainer, log = prepared.trainer, order.out.with_suffix(".jsonl")
    measured: Measured = []
    parameters = sum(x.numel() for x in trainer.model.parameters())
    console.print(
        f"{parameters:,} parameters; {trainer.plan}", highlight=False, soft_wrap=True
    )
    try:
        _train(prepared, log, order, console, measured)
    except KeyboardInterrupt:  # between two steps
        trainer.interrupted = True
    prepared.save()
    if order.curve is not None:
        draw_curve(log, order.curve)
        console.print(
            f"The curve is in {order.curve}.", highlight=False, soft_wrap=True
        )
    how = "Stopped by you" if trainer.interrupted else "Done"
    best = f"{trainer.best_loss:.3f}" if trainer.best else "not measured"
    console.print(
        f"{how} after {trainer.step} steps and {trainer.seconds:.0f} s. Loss on what was "
        f"held out: {best} nats. Saved in {order.out}.",
        highlight=False,
        soft_wrap=True,
    )
    for told in (prepared.note(measured), prepared.story()):
        if told:
            console.print(told, highlight=False, markup=False, soft_wrap=True)
    return 130 if trainer.interrupted else 0


def _train(
    prepared: _Run, log: Path, order: Order, console: Console, measured: Measured
) -> None:
    """Take all steps: each goes into the log and the bar, and now and then to the disk.

    Every held-out loss is put into `measured`, which Ctrl-C leaves to the caller.
    """
    trainer, saved = prepared.trainer, time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("a" if order.resume else "w", encoding="utf-8") as lines,
        _bar(console) as bar,
        closing(trainer.run()) as records,
    ):
        task = bar.add_task("training", total=1.0, loss="", held_out="", speed="")
        for record in records:
            if record.validation_loss is not None:
                measured.append((trainer.training_seconds, record.validation_loss))
            lines.write(json.dumps(asdict(record)) + "\n")
            lines.flush()
            fields: dict[str, Any] = {"loss": f"loss {record.loss:.3f}"}
            fields["speed"] = f"{record.characters_per_second:,.0f} characters/s"
            if record.validation_loss is not None:
                fields["held_out"] = f"held out {record.validation_loss:.3f}"
            bar.update(task, completed=record.progress, **fields)
            if time.monotonic() - saved > SAVE_EVERY:
                prepared.save()
                saved = time.monotonic()


def _bar(console: Console) -> Progress:
    """Make the bar that shows how the run goes."""
    columns = ("{task.fields[loss]}", "{task.fields[held_out]}", "{task.fields[speed]}")
    return Progress(
        BarColumn(bar_width=28),
        TaskProgressColumn(),
        *(TextColumn(column) for column in columns),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )


# ------------------------------------------------------------------------- characters


def _characters(order: Order) -> _Run:
    """Prepare the character model."""
    text = corpora.text(order.text) if order.text else corpora.shakespeare()
    characters = distinct_characters(text)
    generator = torch.Generator().manual_seed(order.seed)
    config, training = preset(
        order.preset,
        vocab_size=len(characters),
        steps=order.steps,
        seconds=order.seconds,
    )
    checkpoint = read_checkpoint(order.out) if order.resume else None
    if checkpoint is None:
        model = CharTransformer.from_config(config, generator=generator)
    else:
        model = model_from(checkpoint, order.out)
        known = "".join(checkpoint.vocabularies["characters"])
        if known != characters:
            raise CheckpointError(
                f"{order.out} has a vocabulary of {len(known)} characters; the text has "
                f"another, of {len(characters)}"
            )
        training = _training_of(checkpoint.notes, training, order)
    learned = _learned(text, checkpoint.notes if checkpoint else None)
    train_text, held_out = split_text(text)
    task = NextCharacterTask.of(
        encode(train_text, characters),
        encode(held_out, characters),
        model.config,
        training,
    )
    trainer = Trainer(model, task, training, generator=generator)
    if checkpoint is not None:
        _restore(trainer, checkpoint.training, checkpoint.notes, order.out)

    def save() -> None:
        kept = _kept(trainer)
        kept["notes"]["text"] = learned
        save_model(order.out, model, characters, **kept)

    def story() -> str:
        return f"Now let it write: minitransformer generate --model {order.out}"

    def note(measured: Measured) -> str:
        if learned != corpora.NINE_SHA256:
            return (
                "Not kept among your runs: only losses of models that learned the nine "
                "plays, and nothing else, compare."
            )
        return _note(trainer, model.config, measured, order)

    return _Run(trainer=trainer, save=save, story=story, note=note)


def _learned(text: str, notes: Mapping[str, Any] | None) -> str:
    """Name what a model has learned from once it has learned this text too.

    The name of a text is its hash; a model of more than one is no longer comparable.
    """
    name = hashlib.sha256(text.encode()).hexdigest()
    return name if notes is None or notes.get("text") == name else "several texts"


def _note(
    trainer: Trainer, config: ModelConfig, measured: Measured, order: Order
) -> str:
    """Keep a run on the nine plays in the learner's folder, and say whether it is kept."""
    same = (
        name
        for name in PRESETS
        if preset(name, vocab_size=config.vocab_size)[0] == config
    )
    drawn = "resumed" if order.resume else f"seed {order.seed}"
    run = leaderboard.Run(
        when=date.today(),
        configuration=f"{next(same, 'own')}, {trainer.step} steps, {drawn}",
        settings={"model": as_dict(config), "training": as_dict(trainer.config)},
        measured=tuple(measured),
    )
    best, folder = run.best(), leaderboard.runs_folder(Path.cwd())
    if best is None:
        return "Not kept among your runs: it ended before a held-out loss was measured."
    if folder is None:
        return (
            "Not kept among your runs: there is no course folder here or above "
            "(`minitransformer lab` makes one)."
        )
    leaderboard.keep(folder, run)
    loss, seconds = best
    return (
        f"Kept among your runs: {loss:.3f} after {seconds:.0f} s of training. "
        "`minitransformer runs` shows them all."
    )


# ------------------------------------------------------------------------------ pairs


def _dates(order: Order) -> _Run:
    """Prepare the model that reads dates of 16 locales and writes them as ISO 8601."""
    rng = np.random.default_rng(order.seed)
    train = pairs.date_pairs(DATE_PAIRS, rng)
    validation = pairs.date_pairs(HELD_OUT_PAIRS, rng, "validation")
    test = pairs.date_pairs(HELD_OUT_PAIRS, rng, "test")

    def story(model: EncoderDecoder, vocabulary: PairVocabulary) -> str:
        exact = share_exact(model, vocabulary, test)
        written = "".join(write_targets(model, vocabulary, [test[0].written], 12)[0])
        return (
            f"Of {len(test):,} other dates {exact:.1%} are written without a mistake; "
            f"{test[0].written!r} became {written}."
        )

    return _pairs(order, train, validation, story)


def _words(order: Order) -> _Run:
    """Prepare the model that reads English words and writes their phones."""
    listed = pairs.pronunciations("train")
    train = [(word, phones) for word, several in listed.items() for phones in several]
    checked = pairs.pronunciations("validation")
    validation = [(word, several[0]) for word, several in checked.items()]
    tested = pairs.pronunciations("test")

    def story(model: EncoderDecoder, vocabulary: PairVocabulary) -> str:
        words = list(tested)
        guesses = dict(
            zip(words, write_targets(model, vocabulary, words, 20), strict=True)
        )
        phones, whole = pairs.error_rates(guesses, tested)
        return (
            f"Of {len(words):,} other words {whole:.1%} are wrong somewhere, and {phones:.1%} "
            f"of the phones. {words[0]!r} became {' '.join(guesses[words[0]])}."
        )

    return _pairs(order, train, validation, story)


def _pairs(
    order: Order,
    train: list[Any],
    validation: list[Any],
    story: Callable[[EncoderDecoder, PairVocabulary], str],
) -> _Run:
    """Prepare an encoder–decoder for these pairs."""
    vocabulary = PairVocabulary.of(train)
    generator = torch.Generator().manual_seed(order.seed)
    config, training = pair_preset(
        order.what, vocabulary, steps=order.steps, seconds=order.seconds
    )
    model = EncoderDecoder(config, generator=generator)
    checkpoint = read_checkpoint(order.out) if order.resume else None
    if checkpoint is not None:
        training = _training_of(checkpoint.notes, training, order)
    task = PairTask(train, validation, vocabulary, batch_size=training.batch_size)
    trainer = Trainer(model, task, training, generator=generator)
    if checkpoint is not None:
        _restore(trainer, checkpoint.training, checkpoint.notes, order.out)
    return _Run(
        trainer=trainer,
        save=lambda: save_pair_model(order.out, model, vocabulary, **_kept(trainer)),
        story=lambda: story(model, vocabulary),
    )


# ---------------------------------------------------------------- saved and taken up again


def _kept(trainer: Trainer) -> dict[str, Any]:
    """Give what is saved beside a model: its best parameters, and how to go on."""
    tensors, numbers = trainer.state()
    notes = {
        "training": as_dict(trainer.config),
        "state": numbers,
        "plan": str(trainer.plan),
    }
    return {
        "parameters": trainer.best or None,
        "training": tensors,
        "notes": notes,
    }


def _training_of(
    notes: Mapping[str, Any], now: TrainingConfig, order: Order
) -> TrainingConfig:
    """Go on with the settings of the run, for longer if a new length was asked for."""
    if "training" not in notes:
        raise CheckpointError(f"{order.out} holds no run that could be taken up again")
    if order.steps is None and order.seconds is None:
        return TrainingConfig(**notes["training"])
    length = {"steps": now.steps, "seconds": now.seconds}
    return TrainingConfig(**(notes["training"] | length))


def _restore(
    trainer: Trainer,
    training: Mapping[str, torch.Tensor],
    notes: Mapping[str, Any],
    path: Path,
) -> None:
    """Put a trainer back to where its run was saved."""
    try:
        trainer.restore(dict(training), dict(notes["state"]))
    except (KeyError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{path} holds another run: {error}") from error


# --------------------------------------------------------------------- log and curve


def read_log(path: Path) -> Iterator[Record]:
    """Read the records of a run from its log, one JSON object a line."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield Record(**json.loads(line))


def draw_curve(log: Path, picture: Path) -> None:
    """Draw the losses of a run, as PNG or SVG by the name of the picture."""
    from minitransformer.notebook.plots import curves

    records = list(read_log(log))
    steps = [record.step for record in records]
    series: dict[str, Any] = {"training": [record.loss for record in records]}
    measured = [
        (record.step, record.validation_loss)
        for record in records
        if record.validation_loss is not None
    ]
    if len(measured) > 1:
        series["held out"] = tuple(zip(*measured, strict=True))
    figure = curves(steps, series, x="step", y="loss, nats per character")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=150)
