"""Text from the terminal: a trained model, a prompt, and one of two engines."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from minitransformer import reference
from minitransformer.model.checkpoint import load_model
from minitransformer.model.config import as_dict
from minitransformer.model.generation import check_sampling, stream_text
from minitransformer.model.shipped import SHAKESPEARE
from minitransformer.text.vocabulary import decode, encode


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked for on the command line."""

    model: Path | None  # the one that comes with the course when None
    prompt: str
    length: int
    temperature: float
    top_k: int | None
    top_p: float | None
    seed: int
    numpy: bool


def stream(request: Request) -> Iterator[str]:
    """Give the prompt, then each character as soon as it is drawn.

    Raises
    ------
    ValueError
        If the model cannot be read, an option is out of its range, or the prompt holds
        a character that the model does not know.
    """
    check_sampling(request.temperature, request.top_k, request.top_p)
    model, characters = load_model(request.model or SHAKESPEARE)
    options = {
        "temperature": request.temperature,
        "top_k": request.top_k,
        "top_p": request.top_p,
    }
    if request.numpy:
        start = encode(request.prompt, characters)[None, :]  # (1, T)
        drawn = reference.generate(
            model.reference_arrays(),
            as_dict(model.config),
            start,
            request.length,
            **options,
            rng=np.random.default_rng(request.seed),
        )
        written = (decode(ids.tolist(), characters) for ids in drawn)
    else:
        generator = torch.Generator().manual_seed(request.seed)
        written = stream_text(
            model,
            characters,
            request.prompt,
            request.length,
            **options,
            generator=generator,
        )
    yield request.prompt
    yield from written
