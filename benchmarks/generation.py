"""Writing: with and without a key–value cache, in torch and in NumPy."""

import importlib.util
from collections.abc import Callable, Iterator

import numpy as np
import torch

from benchmarks.measuring import Figure, race, speeds
from minitransformer.model import CharTransformer, ModelConfig, generate
from minitransformer.model.config import as_dict
from minitransformer.reference import generate as generate_in_numpy

SHAPES = {  # nanoGPT's two published shapes: its CPU recipe and its card recipe
    "4 layers, width 128, context 64": ModelConfig(
        vocab_size=65,
        context_length=64,
        width=128,
        num_heads=4,
        num_layers=4,
        hidden_width=512,
        positions="rotary",
    ),
    "6 layers, width 384, context 256": ModelConfig(
        vocab_size=65,
        context_length=256,
        width=384,
        num_heads=6,
        num_layers=6,
        hidden_width=1536,
        positions="rotary",
    ),
}
LENGTH = 256  # characters of each text: past the shorter context, the cache slides
PLAIN = "torch, every window computed again"


def measure(*, quick: bool) -> Iterator[Figure]:
    """Race the engines on one text and on sixteen."""
    for shape, config in SHAPES.items():
        if quick and config.context_length > 64:
            continue
        model = CharTransformer.from_config(config).eval()
        for texts in (1, 16):
            times = race(engines(model, texts), repeats=1 if quick else 3)
            group = f"writing, {shape}, {texts} text{'s' if texts > 1 else ''}"
            yield from speeds(
                group, times, PLAIN, amount=texts * LENGTH, unit="characters/s"
            )


def engines(model: CharTransformer, texts: int) -> dict[str, Callable[[], object]]:
    """Give the ways to write some characters for each text."""
    start = torch.zeros(texts, 1, dtype=torch.long)
    config = model.config
    arrays, settings = model.reference_arrays(), as_dict(config)

    def in_torch(*, use_cache: bool) -> list[torch.Tensor]:
        generator = torch.Generator().manual_seed(0)
        return list(
            generate(model, start, LENGTH, use_cache=use_cache, generator=generator)
        )

    def in_numpy() -> list[np.ndarray]:
        rng = np.random.default_rng(0)
        return list(generate_in_numpy(arrays, settings, start.numpy(), LENGTH, rng=rng))

    found: dict[str, Callable[[], object]] = {
        PLAIN: lambda: in_torch(use_cache=False),
        "torch, key–value cache": lambda: in_torch(use_cache=True),
        "NumPy, key–value cache": in_numpy,
    }
    if importlib.util.find_spec("transformers"):
        found["Hugging Face GPT-2, cached"] = _hugging_face(config, start)
    return found


def _hugging_face(config: ModelConfig, start: torch.Tensor) -> Callable[[], object]:
    """Give a GPT-2 of Hugging Face of the same shape, writing with its own cache."""
    from transformers import GPT2Config, GPT2LMHeadModel

    peer = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=config.vocab_size,
            n_positions=LENGTH + 1,
            n_embd=config.width,
            n_layer=config.num_layers,
            n_head=config.num_heads,
        )
    ).eval()
    options = {"max_new_tokens": LENGTH, "min_new_tokens": LENGTH, "do_sample": True}
    return lambda: peer.generate(start, **options, pad_token_id=0)
