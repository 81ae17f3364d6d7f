"""Train the model that comes with the course: `python -m tools.shakespeare_model`.

It takes about ten minutes on one quiet core. Pages show this model where their text
must be the same on every machine; its parameters are kept in half precision, 1.2 MB.
The run's own story, losses and samples on the way, is kept in the notes of the file.
"""

import sys
import time

import numpy as np
import torch

from minitransformer.model.checkpoint import (
    Checkpoint,
    own_parameters,
    write_checkpoint,
)
from minitransformer.model.config import ModelConfig, TrainingConfig, as_dict
from minitransformer.model.generation import write_text
from minitransformer.model.shipped import SHAKESPEARE
from minitransformer.model.training import train, validation_loss
from minitransformer.model.transformer import CharTransformer
from minitransformer.text import (
    distinct_characters,
    encode,
    shakespeare,
    split_text,
)

STEPS = 1000
MEASURED_AT = (5, 10, 20, 40, 70, 120, 200, 350, 600, 800)
SAMPLED_AT = (20, 70, 200, STEPS)
PROMPT = "\n\n"  # what stands before every speech
LENGTH = 240


def main() -> int:
    """Train, tell how it goes, and save."""
    text = shakespeare()
    characters = distinct_characters(text)
    train_ids, held_out_ids = (encode(part, characters) for part in split_text(text))
    model = CharTransformer.from_config(
        ModelConfig(
            vocab_size=len(characters),
            context_length=64,
            width=128,
            num_heads=4,
            num_layers=3,
            hidden_width=512,
            positions="rotary",
            norm="rms",
            norm_gain=False,
            activation="squared_relu",
            bias=False,
            qk_norm=True,
            zero_init=True,
        ),
        generator=torch.Generator().manual_seed(0),
    )
    training = TrainingConfig(
        steps=STEPS,
        batch_size=64,
        window_length=64,
        optimizer="muon",
    )
    generator = torch.Generator().manual_seed(0)
    losses = [(0, measure(model, held_out_ids))]
    samples = [(0, sample(model, characters))]
    began = time.perf_counter()
    for record in train(model, train_ids, held_out_ids, training, generator=generator):
        if record.step in MEASURED_AT:
            losses.append((record.step, measure(model, held_out_ids)))
        if record.validation_loss is not None:
            losses.append((record.step, round(record.validation_loss, 3)))
        if record.step in SAMPLED_AT:
            samples.append((record.step, sample(model, characters)))
        if record.step in (*MEASURED_AT, STEPS):
            spent = time.perf_counter() - began
            print(f"step {record.step:>5}  {losses[-1][1]:.3f}  {spent:4.0f} s")
    halved = {name: p.half() for name, p in own_parameters(model).items()}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(halved[name])
    write_checkpoint(
        SHAKESPEARE,
        Checkpoint(
            kind="character model",
            config=as_dict(model.config),
            vocabularies={"characters": list(characters)},
            parameters=halved,
            notes={
                "losses": losses,
                "samples": samples,
                "training_loss": measure(model, train_ids[: len(held_out_ids)]),
                "validation_loss": measure(model, held_out_ids),
                "made_by": "python -m tools.shakespeare_model",
            },
        ),
    )
    print(f"{SHAKESPEARE.name}: {SHAKESPEARE.stat().st_size:,} bytes")
    return 0


def measure(model: CharTransformer, ids: np.ndarray) -> float:
    """Give the loss over a whole text, in nats per character."""
    return round(validation_loss(model, ids, model.config.context_length), 3)


def sample(model: CharTransformer, characters: str) -> str:
    """Write a little, always from the same random numbers."""
    generator = torch.Generator().manual_seed(1)
    return write_text(
        model, characters, PROMPT, LENGTH, temperature=0.8, generator=generator
    )[len(PROMPT) :]


if __name__ == "__main__":
    sys.exit(main())
