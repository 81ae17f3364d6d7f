"""Several attentions side by side, each on its own share of the features."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int, Real

from minitransformer.reference.attention import attention, masked_attention
from minitransformer.reference.inputs import as_float, broadcast_mask, check_multiplies


def split_heads(
    x: Real[np.ndarray, "*batch T C"], num_heads: int
) -> Real[np.ndarray, "*batch H T D"]:
    """Cut the features into heads.

    Parameters
    ----------
    x : ndarray of shape (..., T, C)
        A sequence.
    num_heads : int
        Number of heads H; divides C.

    Returns
    -------
    ndarray of shape (..., H, T, D)
        Head h holds features h·D … (h+1)·D - 1 of every token, D = C / H.

    Raises
    ------
    ValueError
        If C is not a multiple of `num_heads`.

    Notes
    -----
    Reshaping straight to (..., H, T, D) has the right shape and mixes up the tokens: the
    feature axis is the one that is cut, so it must be cut where it stands.

    Examples
    --------
    >>> split_heads(np.array([[1, 2, 3, 4], [5, 6, 7, 8]]), num_heads=2)
    array([[[1, 2],
            [5, 6]],
    <BLANKLINE>
           [[3, 4],
            [7, 8]]])
    """
    *batch, T, C = x.shape
    if num_heads < 1 or C % num_heads:
        raise ValueError(
            f"the width must be a multiple of num_heads; got width={C}, num_heads={num_heads}"
        )
    cut = x.reshape(*batch, T, num_heads, C // num_heads)  # (..., T, H, D)
    return cut.swapaxes(-3, -2)  # (..., H, T, D)


def merge_heads(x: Real[np.ndarray, "*batch H T D"]) -> Real[np.ndarray, "*batch T C"]:
    """Put the heads' features back side by side: the inverse of `split_heads`.

    Parameters
    ----------
    x : ndarray of shape (..., H, T, D)
        What each head found.

    Returns
    -------
    ndarray of shape (..., T, C)
        C = H·D features for every token.

    Raises
    ------
    ValueError
        If there is no axis of heads.

    Examples
    --------
    >>> merge_heads(np.array([[[1, 2]], [[3, 4]]]))
    array([[1, 2, 3, 4]])
    """
    if x.ndim < 3:
        raise ValueError(f"x must have the axes (..., H, T, D); got shape {x.shape}")
    *batch, H, T, D = x.shape
    return x.swapaxes(-3, -2).reshape(*batch, T, H * D)  # (..., T, C)


def multi_head_attention(
    x: Real[np.ndarray, "*batch T C"],
    w_q: Real[np.ndarray, "C A"],
    w_k: Real[np.ndarray, "C A"],
    w_v: Real[np.ndarray, "C Av"],
    w_o: Real[np.ndarray, "Av Co"],
    num_heads: int,
    mask: Bool[np.ndarray, "..."] | None = None,
) -> tuple[Float[np.ndarray, "*batch T Co"], Float[np.ndarray, "*batch H T T"]]:
    """Let several heads look, each in its own way, and mix what they found.

    Parameters
    ----------
    x : ndarray of shape (..., T, C)
        The sequence.
    w_q, w_k, w_v : ndarray of shape (C, C)
        Parameters that make queries, keys and values of all heads at once.
    w_o : ndarray of shape (C, C)
        Parameters that mix the heads' findings.
    num_heads : int
        Number of heads H; divides C.
    mask : Boolean ndarray that broadcasts to (..., T, T), optional
        True where a place may look; the same for all heads.

    Returns
    -------
    output : ndarray of shape (..., T, C)
        For each place, what its heads found, mixed.
    weights : ndarray of shape (..., H, T, T)
        Where each head looks.

    Raises
    ------
    TypeError
        If `mask` is not Boolean.
    ValueError
        If the parameters do not fit, the width is not a multiple of `num_heads`, or the
        mask does not broadcast to (..., T, T).

    Notes
    -----
    Vaswani et al. 2017, section 3.2.2. The projections of all heads stand side by side in
    one matrix; cutting its result is the same as H small projections.

    Examples
    --------
    >>> x, one = np.array([[2.0, 4.0]]), np.eye(2)
    >>> output, weights = multi_head_attention(x, one, one, one, one, num_heads=2)
    >>> output, weights.shape  # a single place can only look at itself
    (array([[2., 4.]]), (2, 1, 1))
    """
    x = as_float(x)
    check_multiplies(x, w_q=w_q, w_k=w_k, w_v=w_v)
    q, k, v = (split_heads(x @ w, num_heads) for w in (w_q, w_k, w_v))  # (..., H, T, D)
    if mask is None:
        found, weights = attention(q, k, v)
    else:
        T = x.shape[-2]
        shared = broadcast_mask(mask, (*x.shape[:-1], T))[
            ..., None, :, :
        ]  # (..., 1, T, T)
        found, weights = masked_attention(q, k, v, shared)
    merged = merge_heads(found)  # (..., T, C)
    check_multiplies(merged, w_o=w_o)
    return merged @ w_o, weights  # (..., T, C)


def induction_score(
    weights: Real[np.ndarray, "T T"], ids: Int[np.ndarray, " T"]
) -> float:
    """Measure how much a head looks at what followed the same character earlier.

    Parameters
    ----------
    weights : ndarray of shape (T, T)
        Where one head looks, row by row.
    ids : ndarray of int, of shape (T,)
        The characters that it read.

    Returns
    -------
    float
        For each place t whose character came before, the weight on the places just after
        those earlier ones, added up; of these sums the mean. 1 for a perfect induction
        head, 0 if no character repeats.

    Raises
    ------
    ValueError
        If `weights` is not square with one row for each id.

    Notes
    -----
    The "prefix matching" of Olsson et al. 2022.

    Examples
    --------
    >>> weights = np.eye(3, k=-1)  # each place looks at the one before
    >>> induction_score(weights, np.array([7, 5, 7]))  # at the second 7: look at the 5
    1.0
    """
    ids = np.asarray(ids)
    if weights.shape != (len(ids), len(ids)):
        raise ValueError(
            f"weights must have one row and one column for each of the {len(ids)} ids; "
            f"got shape {weights.shape}"
        )
    sums = []
    for t in range(len(ids)):
        earlier = np.flatnonzero(
            ids[:t] == ids[t]
        )  # places s < t of the same character
        if len(earlier):
            sums.append(weights[t, earlier + 1].sum())
    return float(np.mean(sums)) if sums else 0.0


def head_importance(
    loss_without: Callable[[int | None], float], num_heads: int
) -> Float[np.ndarray, " H"]:
    """Measure how much the loss rises when each head is switched off.

    Parameters
    ----------
    loss_without : callable
        Gives the loss without head h, or the full loss for None.
    num_heads : int
        Number of heads H.

    Returns
    -------
    ndarray of shape (H,)
        Rise of the loss, in the loss's own unit; negative if the model does better
        without the head.

    Raises
    ------
    ValueError
        If there is not at least one head.

    Notes
    -----
    Michel et al. 2019, section 3.2.

    Examples
    --------
    >>> losses = {None: 2.0, 0: 2.5, 1: 2.0}
    >>> head_importance(losses.get, num_heads=2)
    array([0.5, 0. ])
    """
    if num_heads < 1:
        raise ValueError(f"num_heads must be at least 1; got {num_heads}")
    full = loss_without(None)
    return np.array(
        [loss_without(head) - full for head in range(num_heads)], dtype=float
    )
