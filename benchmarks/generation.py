"""Writing: without and with a key–value cache, in torch, in NumPy, and by a peer."""

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch

from benchmarks.measuring import Figure, race, speeds
from benchmarks.training import PEER_MODEL
from minitransformer.model import CharTransformer, ModelConfig, generate, use_attention
from minitransformer.model.config import as_dict
from minitransformer.reference import generate as generate_in_numpy

SMALL = PEER_MODEL  # nanoGPT as its recipe for a CPU has it: its bends, its tied head
LARGE = replace(  # and its recipe for a graphics card
    SMALL, context_length=256, width=384, num_heads=6, num_layers=6, hidden_width=1536
)
LENGTH = 256  # characters of each text: past the shorter context, the cache slides
PIECE = 16  # of the large peer's text, its middle: whole it would take minutes
PLAIN = "torch, nanoGPT's shape, every window computed again"
CACHED, NUMPY = "torch, key–value cache", "NumPy, key–value cache"
HUGGING_FACE = "Hugging Face GPT-2, cached"
HOW_TO_INSTALL = (
    "Hugging Face's row is left out. To have it: "
    "python -m pip install --no-deps -r requirements-benchmarks.lock"
)
NOTES = {
    HUGGING_FACE: f"its table of positions has {LENGTH + 1} rows: it never slides",
}


def measure(*, quick: bool) -> Iterator[Figure]:
    """Race the engines on one text and on sixteen."""
    for peer in [SMALL] if quick else [SMALL, LARGE]:
        shape = f"{peer.num_layers} layers, width {peer.width}"
        shape += f", context {peer.context_length}"
        for texts in (1, 16):
            times = race(engines(peer, texts), repeats=1 if quick else 3)
            notes = dict(NOTES)
            if peer.context_length >= LENGTH:
                times[PLAIN] = [LENGTH / PIECE * seconds for seconds in times[PLAIN]]
                notes[PLAIN] = f"measured on {PIECE} characters in the text's middle"
            group = f"writing, {shape}, {texts} text{'s' if texts > 1 else ''}"
            amount = texts * LENGTH
            for figure in speeds(
                group, times, PLAIN, amount=amount, unit="characters/s"
            ):
                yield replace(figure, note=notes.get(figure.name, ""))


def engines(peer: ModelConfig, texts: int) -> dict[str, Callable[[], object]]:
    """Give the ways to write for each text: the peer's, then those with a cache."""
    plain = CharTransformer.from_config(peer).eval()
    use_attention(plain, "fused")
    config = replace(peer, positions="rotary", activation="relu", tied_head=False)
    model = CharTransformer.from_config(config).eval()
    arrays, settings = model.reference_arrays(), as_dict(config)
    start = torch.zeros(texts, 1, dtype=torch.long)

    def without_cache() -> list[torch.Tensor]:
        if peer.context_length < LENGTH:
            return write(plain, start, LENGTH, use_cache=False)
        middle = start.expand(texts, (LENGTH - PIECE) // 2)
        return write(plain, middle, PIECE, use_cache=False)

    def in_numpy() -> list[np.ndarray]:
        rng = np.random.default_rng(0)
        return list(generate_in_numpy(arrays, settings, start.numpy(), LENGTH, rng=rng))

    found: dict[str, Callable[[], object]] = {
        PLAIN: without_cache,
        CACHED: lambda: write(model, start, LENGTH, use_cache=True),
        NUMPY: in_numpy,
    }
    if has_peer():
        found[HUGGING_FACE] = hugging_face(peer, start)
    return found


def write(
    model: CharTransformer, start: torch.Tensor, length: int, *, use_cache: bool
) -> list[torch.Tensor]:
    """Write with our torch engine."""
    generator = torch.Generator().manual_seed(0)
    return list(
        generate(model, start, length, use_cache=use_cache, generator=generator)
    )


def has_peer() -> bool:
    """Tell whether Hugging Face's package is installed."""
    return importlib.util.find_spec("transformers") is not None


def hugging_face(
    config: ModelConfig, start: torch.Tensor
) -> Callable[[], torch.Tensor]:
    """Give a GPT-2 of Hugging Face of the same shape, writing with its own cache.

    Its parameters are random, nothing is downloaded. No character ends a text, and every
    one may be drawn, as with us.
    """
    from transformers import GPT2Config, GPT2LMHeadModel

    peer = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=config.vocab_size,
            n_positions=LENGTH + 1,
            n_embd=config.width,
            n_layer=config.num_layers,
            n_head=config.num_heads,
            bos_token_id=None,
            eos_token_id=None,
        )
    ).eval()
    everything = torch.ones_like(start)  # nothing is padding
    options = {"max_new_tokens": LENGTH, "do_sample": True, "top_k": 0}

    def written() -> torch.Tensor:
        return peer.generate(start, attention_mask=everything, **options)[:, 1:]

    return written
