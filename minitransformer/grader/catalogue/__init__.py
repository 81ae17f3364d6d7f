"""The exercises as data, one file a topic.

This table names them; a page loads when one of its exercises is asked for, so that a
process that must not know the answers can import the rest of the grader.
"""

import difflib
import importlib

from minitransformer.grader.exercise import Exercise

PAGES: dict[str, tuple[str, ...]] = {
    "t01_similarity": ("dot_products", "cosine_similarity", "most_similar"),
    "t02_soft_lookup": ("softmax", "soft_lookup", "entropy"),
    "t03_self_attention": (
        "attention_scores",
        "attention",
        "self_attention",
        "softmax_backward",
        "attention_backward",
    ),
    "t04_masks": (
        "causal_mask",
        "padding_mask",
        "masked_softmax",
        "masked_attention",
        "detects_future_leak",
    ),
    "t05_positions": (
        "sinusoidal_positions",
        "rotary",
        "alibi_bias",
        "is_permutation_equivariant",
    ),
    "t06_multi_head": (
        "split_heads",
        "merge_heads",
        "multi_head_attention",
        "MultiHeadAttention",
        "detects_scrambled_heads",
    ),
    "t07_cross_attention": ("cross_attention", "greedy_decode"),
    "t08_transformer_block": (
        "layer_norm",
        "feed_forward",
        "pre_norm_block",
        "Block",
    ),
    "t09_character_model": (
        "encode",
        "decode",
        "next_character_windows",
        "next_character_loss",
        "sampling_probabilities",
        "training_step",
        "CharTransformer",
    ),
    "t10_recurrence": ("recurrent_states", "path_length"),
    "t11_long_sequences": (
        "attention_bytes",
        "sliding_window_mask",
        "online_softmax_attention",
        "linear_attention",
        "grouped_query_attention",
        "cached_attention",
        "detects_stale_cache",
    ),
    "t12_inside_the_model": ("induction_score", "head_importance"),
}


def ids() -> tuple[str, ...]:
    """Name every exercise, in the order of the course."""
    return tuple(one for page in PAGES.values() for one in page)


def exercise(exercise_id: str) -> Exercise:
    """Look an exercise up by its id.

    Raises
    ------
    ValueError
        If there is no such exercise; names the nearest ids.
    """
    for page, names in PAGES.items():
        if exercise_id in names:
            return _on_page(page)[exercise_id]
    near = difflib.get_close_matches(exercise_id, ids(), n=3)
    hint = (
        f"did you mean {' or '.join(near)}?" if near else "see the exercise notebooks"
    )
    raise ValueError(f"no exercise is called {exercise_id!r}; {hint}")


def exercises(topic: str = "") -> tuple[Exercise, ...]:
    """Give the exercises of a topic ("03", "03_self_attention"), or all of them."""
    return tuple(
        one
        for page in PAGES
        if page.removeprefix("t").startswith(topic)
        for one in _on_page(page).values()
    )


def _on_page(page: str) -> dict[str, Exercise]:
    module = importlib.import_module(f"minitransformer.grader.catalogue.{page}")
    return {one.id: one for one in module.EXERCISES}
