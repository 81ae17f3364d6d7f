"""The small trained models that come with the package."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from minitransformer.model.checkpoint import model_from, read_checkpoint
from minitransformer.model.pair_training import load_pair_model
from minitransformer.model.seq2seq import EncoderDecoder, PairVocabulary
from minitransformer.model.transformer import CharTransformer

SHAKESPEARE = Path(__file__).with_name("shakespeare.safetensors")
PRONUNCIATION = Path(__file__).with_name("pronunciation.safetensors")


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A trained model, and the story of its training."""

    model: CharTransformer
    characters: str  # the vocabulary; an id is a place
    losses: Sequence[
        tuple[int, float]
    ]  # step, nats per character on the held-out tenth
    samples: Sequence[tuple[int, str]]  # step, and what it wrote then
    training_loss: float  # at the end, on as much of the text it was trained on
    validation_loss: float  # at the end, on the held-out tenth


def shakespeare_model() -> TrainedModel:
    """Give the model that `python -m tools.shakespeare_model` has trained.

    Returns
    -------
    TrainedModel
        0.6 million parameters, trained on nine tenths of the nine plays.
    """
    checkpoint = read_checkpoint(SHAKESPEARE)
    notes = checkpoint.notes
    return TrainedModel(
        model=model_from(checkpoint, SHAKESPEARE),
        characters="".join(checkpoint.vocabularies["characters"]),
        losses=[(step, loss) for step, loss in notes["losses"]],
        samples=[(step, text) for step, text in notes["samples"]],
        training_loss=notes["training_loss"],
        validation_loss=notes["validation_loss"],
    )


def pronunciation_model() -> tuple[EncoderDecoder, PairVocabulary]:
    """Give the model of pronunciations, and the letters and phones it knows.

    Returns
    -------
    EncoderDecoder, PairVocabulary
        457,344 parameters, trained by `minitransformer train pronunciation`.
    """
    return load_pair_model(PRONUNCIATION)
