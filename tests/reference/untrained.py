"""A small model in NumPy, with parameters drawn at random."""

import numpy as np

V, C, F, CONTEXT = 11, 12, 20, 9


def settings(**choices):
    plain = {"num_heads": 3, "num_layers": 2, "context_length": CONTEXT}
    return {**plain, "positions": "learned", **choices}


def arrays(seed=0, **choices):
    """Draw what `settings(**choices)` asks for, gains and biases included."""
    rng = np.random.default_rng(seed)
    shapes = {"embedding": (V, C), "head": (C, V), "norm.gain": (C,), "norm.bias": (C,)}
    if settings(**choices)["positions"] in ("learned", "sinusoidal"):
        shapes["positions"] = (CONTEXT, C)
    for layer in range(2):
        block = {
            **{f"attention.w_{letter}": (C, C) for letter in "qkvo"},
            "feed_forward.w_1": (C, F),
            "feed_forward.b_1": (F,),
            "feed_forward.w_2": (F, C),
            "feed_forward.b_2": (C,),
            **{f"norm_{n}.{part}": (C,) for n in (1, 2) for part in ("gain", "bias")},
        }
        shapes |= {f"blocks.{layer}.{name}": shape for name, shape in block.items()}
    return {name: 0.4 * rng.normal(size=shape) for name, shape in shapes.items()}
