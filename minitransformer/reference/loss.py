"""How surprised a model is by what really came."""

import numpy as np
from jaxtyping import Int, Real

from minitransformer.reference.inputs import as_float


def next_character_loss(
    logits: Real[np.ndarray, "*batch V"], targets: Int[np.ndarray, "*batch"]
) -> float:
    """Measure how surprised the model is by the characters that really came.

    Parameters
    ----------
    logits : ndarray of shape (B, T, V)
        Scores for each character of the vocabulary, before softmax.
    targets : ndarray of int, of shape (B, T)
        The character that came, as an id from 0 to V - 1.

    Returns
    -------
    float
        Mean surprise, in nats per character; ln V for a model that knows nothing.

    Raises
    ------
    ValueError
        If there is not one target for each row of logits, none at all, or one outside the
        vocabulary.

    Notes
    -----
    The cross-entropy -ln softmax(logits)[target] is the difference of two numbers,
    ln(sum of e^logit) - logit[target]: no softmax is needed, and nothing overflows.

    Examples
    --------
    >>> round(next_character_loss(np.zeros((1, 1, 4)), np.array([[2]])), 4)  # ln 4
    1.3863
    """
    logits, targets = as_float(logits), np.asarray(targets)
    V = logits.shape[-1]
    if targets.shape != logits.shape[:-1] or targets.size == 0:
        raise ValueError(
            "targets must hold one id, and at least one, for each row of logits; "
            f"got logits of shape {logits.shape}, targets of shape {targets.shape}"
        )
    if targets.min() < 0 or targets.max() >= V:
        raise ValueError(
            f"targets must lie between 0 and {V - 1}; "
            f"got {targets.min()} to {targets.max()}"
        )
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_total = np.log(np.exp(shifted).sum(axis=-1))  # (B, T)
    came = np.take_along_axis(shifted, targets[..., None], axis=-1)[..., 0]  # (B, T)
    return float((log_total - came).mean())
