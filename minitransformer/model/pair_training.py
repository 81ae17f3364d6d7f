"""Training an encoder–decoder on pairs of sequences, and keeping it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from minitransformer.model.checkpoint import (
    Checkpoint,
    CheckpointError,
    fill,
    own_parameters,
    read_checkpoint,
    settings_of,
    write_checkpoint,
)
from minitransformer.model.config import TrainingConfig, as_dict, need
from minitransformer.model.optimizer import OptimizerPair
from minitransformer.model.seq2seq import (
    PAD,
    EncoderDecoder,
    Pair,
    PairConfig,
    PairVocabulary,
    write_targets,
)

KIND = "sequence pair model"

PAIR_PRESETS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "dates": (
        {
            "width": 64,
            "num_heads": 4,
            "encoder_layers": 2,
            "decoder_layers": 1,
            "hidden_width": 128,
        },
        {"steps": 500, "batch_size": 64},
    ),
    "pronunciation": (
        {
            "width": 96,
            "num_heads": 2,
            "encoder_layers": 3,
            "decoder_layers": 2,
            "hidden_width": 192,
            "activation": "squared_relu",
            "qk_norm": True,
            "zero_init": True,
        },
        {"seconds": 300.0, "batch_size": 128},
    ),
}


def pair_preset(
    name: str,
    vocabulary: PairVocabulary,
    *,
    steps: int | None = None,
    seconds: float | None = None,
) -> tuple[PairConfig, TrainingConfig]:
    """Give the settings of a recipe that was measured.

    Parameters
    ----------
    name : {"dates", "pronunciation"}
        Dates of 16 locales to ISO 8601, or English spelling to phones.
    vocabulary : PairVocabulary
        The symbols of both sides.
    steps, seconds : optional
        Another length of the run than the recipe's own.

    Raises
    ------
    ValueError
        If there is no recipe of that name.
    """
    need(
        name in PAIR_PRESETS,
        f"preset must be one of {tuple(PAIR_PRESETS)}; got {name!r}",
    )
    model, training = PAIR_PRESETS[name]
    length = {"steps": steps, "seconds": seconds}
    own = {key: training[key] for key in length if key in training}
    if steps is not None or seconds is not None:
        own = {key: value for key, value in length.items() if value is not None}
    return (
        PairConfig(
            source_size=len(vocabulary.sources),
            target_size=len(vocabulary.targets),
            **model,
        ),
        TrainingConfig(
            optimizer="muon",
            muon_rate=0.02,
            learning_rate=2e-2,
            batch_size=training["batch_size"],
            precision="auto",
            attention="auto",
            threads=None,
            **own,
        ),
    )


def next_symbol_loss(
    logits: Float[Tensor, "B Tq V"], targets: Int[Tensor, "B Tq"]
) -> Float[Tensor, ""]:
    """Measure the mean surprise, in nats per symbol; padding does not count."""
    return functional.cross_entropy(
        logits.flatten(0, -2), targets.flatten(), ignore_index=PAD
    )


class PairTask:
    """Write the target of each source, measured on pairs held out.

    Parameters
    ----------
    pairs, held_out : sequences of pairs
        What is trained on, and what is measured on.
    vocabulary : PairVocabulary
        The symbols of both.
    batch_size : int
        Pairs in a batch.

    Raises
    ------
    ValueError
        If a symbol is not in the vocabulary or one of the two has no pairs.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        held_out: Sequence[Pair],
        vocabulary: PairVocabulary,
        *,
        batch_size: int,
    ) -> None:
        need(
            bool(pairs) and bool(held_out), "both parts need at least 1 pair; got none"
        )
        self.sources, self.targets = encode_pairs(pairs, vocabulary)
        self.held_out = encode_pairs(held_out, vocabulary)
        self.batch_size = batch_size
        self.window_length = self.sources.shape[-1]
        lengths = [len(source) + len(target) for source, target in pairs]
        self.characters_per_step = round(batch_size * float(np.mean(lengths)))
        self.held_out_characters = round(len(held_out) * float(np.mean(lengths)))

    def step(
        self,
        model: nn.Module,
        optimizer: OptimizerPair,
        rng: np.random.Generator,
        progress: float = 0.0,
    ) -> float:
        """Draw pairs and take one step on them."""
        del progress  # every step is alike
        chosen = rng.integers(len(self.sources), size=self.batch_size)
        model.train()
        optimizer.zero_grad()
        loss = _loss(model, self.sources[chosen], self.targets[chosen])
        loss.backward()
        optimizer.step()
        return loss.item()

    @torch.inference_mode()
    def measure(self, model: nn.Module) -> float:
        """Return the loss over all pairs held out, in nats per symbol."""
        model.eval()
        total, count = 0.0, 0
        for first in range(0, len(self.held_out[0]), 256):
            sources, targets = (side[first : first + 256] for side in self.held_out)
            symbols = int((targets[:, 1:] != PAD).sum())
            total += _loss(model, sources, targets).item() * symbols
            count += symbols
        return total / count


def encode_pairs(
    pairs: Sequence[Pair], vocabulary: PairVocabulary
) -> tuple[Int[np.ndarray, "N Tk"], Int[np.ndarray, "N Tq"]]:
    """Turn pairs into two padded tables of ids."""
    return (
        vocabulary.encode_sources([source for source, _ in pairs]),
        vocabulary.encode_targets([target for _, target in pairs]),
    )


def _loss(
    model: nn.Module, sources: Int[np.ndarray, "B Tk"], targets: Int[np.ndarray, "B Tq"]
) -> Tensor:
    """Measure a batch, its columns of nothing but padding cut off."""
    read = torch.from_numpy(sources[:, (sources != PAD).any(axis=0)])
    written = torch.from_numpy(targets[:, (targets != PAD).any(axis=0)])
    return next_symbol_loss(model(read, written[:, :-1]).float(), written[:, 1:])


def share_exact(
    model: EncoderDecoder, vocabulary: PairVocabulary, pairs: Sequence[Pair]
) -> float:
    """Measure the share of pairs whose target is written without a mistake."""
    longest = max(len(target) for _, target in pairs)
    written = write_targets(
        model, vocabulary, [source for source, _ in pairs], longest + 1
    )
    right = [
        tuple(target) == guess
        for (_, target), guess in zip(pairs, written, strict=True)
    ]
    return sum(right) / len(right)


# ------------------------------------------------------------------------- on the disk


def save_pair_model(
    path: Path | str,
    model: EncoderDecoder,
    vocabulary: PairVocabulary,
    *,
    parameters: Mapping[str, Tensor] | None = None,
    training: Mapping[str, Tensor] | None = None,
    notes: Mapping[str, Any] | None = None,
) -> None:
    """Save an encoder–decoder with its settings and both vocabularies."""
    write_checkpoint(
        path,
        Checkpoint(
            kind=KIND,
            config=as_dict(model.config),
            vocabularies={
                "sources": vocabulary.sources,
                "targets": vocabulary.targets,
            },
            parameters=parameters or own_parameters(model),
            training=training or {},
            notes=notes or {},
        ),
    )


def load_pair_model(path: Path | str) -> tuple[EncoderDecoder, PairVocabulary]:
    """Load an encoder–decoder and its vocabularies.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged or of another kind.
    """
    checkpoint = read_checkpoint(path)
    if checkpoint.kind != KIND:
        raise CheckpointError(f"{path} must hold a {KIND}; got a {checkpoint.kind}")
    model = EncoderDecoder(settings_of(checkpoint, PairConfig, path))
    fill(model, checkpoint, path)
    vocabularies = {
        side: tuple(symbols) for side, symbols in checkpoint.vocabularies.items()
    }
    return model, PairVocabulary(**vocabularies)
