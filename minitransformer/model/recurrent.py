"""What came before attention: models that read one character after the other."""

from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from minitransformer.model.config import need
from minitransformer.model.transformer import draw_parameters, drawing_from

Cell = Literal["rnn", "lstm", "gru"]
CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class RecurrentModel(nn.Module):
    """Guess the next character from a state that each character changes.

    Parameters
    ----------
    vocab_size, width, num_layers : int
        V, the width of embedding and state, and layers of cells.
    cell : {"rnn", "lstm", "gru"}
        The plain recurrence, hₜ = tanh(xₜ·w_x + hₜ₋₁·w_h + b), or one with gates
        (Hochreiter and Schmidhuber 1997; Cho et al. 2014).
    generator : torch.Generator, optional
        Where the first parameters are drawn from; the same ones each time when None.

    Raises
    ------
    ValueError
        If there is no such cell or a size is below 1.

    Examples
    --------
    >>> model = RecurrentModel(64, width=16, num_layers=1, cell="lstm")
    >>> model(torch.zeros(2, 5, dtype=torch.long)).shape
    torch.Size([2, 5, 64])
    """

    def __init__(
        self,
        vocab_size: int,
        width: int,
        num_layers: int,
        cell: Cell = "lstm",
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        need(cell in CELLS, f"cell must be one of {get_args(Cell)}; got {cell!r}")
        sizes = {"vocab_size": vocab_size, "width": width, "num_layers": num_layers}
        for name, size in sizes.items():
            need(size >= 1, f"{name} must be at least 1; got {size}")
        with drawing_from(generator):
            self.embedding = nn.Embedding(vocab_size, width)
            self.cells = CELLS[cell](width, width, num_layers, batch_first=True)
            self.head = nn.Linear(width, vocab_size, bias=False)
            draw_parameters(self)

    def forward(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """Give the scores of each character of the vocabulary as the next one."""
        states, _ = self.cells(self.embedding(ids))  # (B, T, C)
        return self.head(states)


def count_parameters(model: nn.Module) -> int:
    """Count the numbers that a model learns."""
    return sum(parameter.numel() for parameter in model.parameters())


def width_for_parameters(
    wanted: int, vocab_size: int, num_layers: int, cell: Cell = "lstm"
) -> int:
    """Find the width at which a recurrent model has about so many parameters.

    Parameters
    ----------
    wanted : int
        How many parameters, such as those of a transformer beside it.
    vocab_size, num_layers, cell
        As of `RecurrentModel`.

    Returns
    -------
    int
        The largest width that needs no more; at least 1.

    Notes
    -----
    A layer of g gates has g·(2·C² + 2·C) parameters, g being 1, 4 or 3; embedding and
    head have V·C each.
    """
    gates = {"rnn": 1, "lstm": 4, "gru": 3}[cell]

    def needed(width: int) -> int:
        layer = gates * (2 * width**2 + 2 * width)
        return num_layers * layer + 2 * vocab_size * width

    width = 1
    while needed(width + 1) <= wanted:
        width += 1
    return width
