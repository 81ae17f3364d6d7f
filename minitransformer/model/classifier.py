"""A small encoder that says what kind of text it was given."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from minitransformer.model.config import need, need_heads_that_fit
from minitransformer.model.optimizer import OptimizerPair
from minitransformer.model.seq2seq import PAD, turning_attention
from minitransformer.model.transformer import Block, draw_parameters, drawing_from


class TextClassifier(nn.Module):
    """Read a whole text, every place seeing every other, and give scores of classes.

    Parameters
    ----------
    vocab_size, num_classes, width, num_heads, num_layers : int
        V (with padding as id 0), the classes, C, H and L.
    generator : torch.Generator, optional
        Where the first parameters are drawn from; the same ones each time when None.

    Raises
    ------
    ValueError
        If the width is not a multiple of the heads.

    Notes
    -----
    The mean of what the places have become is what the head reads.
    """

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        width: int,
        num_heads: int,
        num_layers: int,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        need_heads_that_fit(width, num_heads)
        with drawing_from(generator):
            self.embedding = nn.Embedding(vocab_size, width)
            self.blocks = nn.ModuleList(
                Block(width, num_heads, 4 * width, attention=turning_attention)
                for _ in range(num_layers)
            )
            self.norm = nn.LayerNorm(width)
            self.head = nn.Linear(width, num_classes, bias=False)
            draw_parameters(self)

    def forward(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B K"]:
        """Give the scores of the K classes for each text; padding is not read."""
        real = ids != PAD  # (B, T)
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x, real[:, None, :])
        return self.head(mean_over(self.norm(x), real))


def mean_over(
    x: Float[Tensor, "B T C"], real: Bool[Tensor, "B T"]
) -> Float[Tensor, "B C"]:
    """Take the mean over the places where something real stands."""
    share = real / real.sum(dim=-1, keepdim=True)  # (B, T)
    return (share[:, None, :].to(x.dtype) @ x).squeeze(-2)


class LabelTask:
    """Say the class of each text, measured on texts held out.

    Parameters
    ----------
    ids, labels : arrays of int, of shape (N, T) and (N,)
        Texts, padded with 0, and their classes.
    held_out_ids, held_out_labels : the same
        What is measured on.
    batch_size : int
        Texts in a batch.

    Raises
    ------
    ValueError
        If there is not one label for each text.
    """

    def __init__(
        self,
        ids: Int[np.ndarray, "N T"],
        labels: Int[np.ndarray, " N"],
        held_out_ids: Int[np.ndarray, "M T2"],
        held_out_labels: Int[np.ndarray, " M"],
        *,
        batch_size: int,
    ) -> None:
        for texts, classes in ((ids, labels), (held_out_ids, held_out_labels)):
            need(
                len(texts) == len(classes),
                f"each text needs 1 label; got {len(texts)} texts, {len(classes)} labels",
            )
        self.ids, self.labels = ids, labels
        self.held_out = (held_out_ids, held_out_labels)
        self.batch_size = batch_size
        self.window_length = ids.shape[-1]
        self.characters_per_step = batch_size * ids.shape[-1]
        self.held_out_characters = held_out_ids.size

    def step(
        self,
        model: nn.Module,
        optimizer: OptimizerPair,
        rng: np.random.Generator,
        progress: float = 0.0,
    ) -> float:
        """Draw texts and take one step on them."""
        del progress  # every step is alike
        chosen = rng.integers(len(self.ids), size=self.batch_size)
        model.train()
        optimizer.zero_grad()
        logits = model(torch.from_numpy(_trimmed(self.ids[chosen])))
        loss = functional.cross_entropy(logits, torch.from_numpy(self.labels[chosen]))
        loss.backward()
        optimizer.step()
        return loss.item()

    def measure(self, model: nn.Module) -> float:
        """Return the mean surprise over all texts held out, in nats per text."""
        ids, labels = self.held_out
        logits = torch.from_numpy(class_scores(model, ids))
        return functional.cross_entropy(logits, torch.from_numpy(labels)).item()


@torch.no_grad()
def class_scores(
    model: nn.Module, ids: Int[np.ndarray, "M T"]
) -> Float[np.ndarray, "M K"]:
    """Give the scores of the classes for many texts."""
    model.eval()
    parts: Sequence[Tensor] = [
        model(torch.from_numpy(_trimmed(ids[first : first + 256])))
        for first in range(0, len(ids), 256)
    ]
    return torch.cat(list(parts)).float().numpy()


def _trimmed(ids: Int[np.ndarray, "B T"]) -> Int[np.ndarray, "B T2"]:
    """Cut off the columns that hold nothing but padding."""
    return ids[:, : int((ids != PAD).sum(axis=-1).max())]
