import pytest
import torch

from minitransformer.model.recurrent import (
    RecurrentModel,
    count_parameters,
    width_for_parameters,
)


def states_by_hand(cell, x):
    """h_t = tanh(x_t·w_x + h_{t-1}·w_h + b), from a zero state."""
    w_x, w_h = cell.weight_ih_l0.T, cell.weight_hh_l0.T
    b, h, states = cell.bias_ih_l0 + cell.bias_hh_l0, torch.zeros_like(x[..., 0, :]), []
    for t in range(x.shape[-2]):
        h = torch.tanh(x[..., t, :] @ w_x + h @ w_h + b)
        states.append(h)
    return torch.stack(states, dim=-2)


def test_the_plain_recurrence_is_the_formula():
    model = RecurrentModel(7, width=6, num_layers=1, cell="rnn").double()
    ids = torch.tensor([[0, 1, 2, 3, 2]])
    expected = model.head(states_by_hand(model.cells, model.embedding(ids)))
    assert torch.allclose(model(ids), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_later_characters_do_not_change_earlier_logits(cell):
    model = RecurrentModel(7, width=6, num_layers=2, cell=cell)
    ids = torch.tensor([[0, 1, 2, 3, 2]])
    changed = torch.tensor([[0, 1, 2, 4, 5]])
    assert torch.equal(model(ids)[:, :3], model(changed)[:, :3])
    assert not torch.equal(model(ids)[:, 3:], model(changed)[:, 3:])


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_width_found_is_the_largest_that_fits(cell):
    width = width_for_parameters(50_000, 64, num_layers=2, cell=cell)
    sizes = [
        count_parameters(RecurrentModel(64, width + more, 2, cell)) for more in (0, 1)
    ]
    assert sizes[0] <= 50_000 < sizes[1]


def test_building_a_model_leaves_the_callers_random_stream_alone():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        expected = torch.rand(3)
        torch.manual_seed(5)
        RecurrentModel(7, 6, 1)
        assert torch.equal(torch.rand(3), expected)


def test_an_unknown_cell_or_a_size_below_one_is_refused(shapes_unchecked):
    with pytest.raises(ValueError, match=r"cell must be one of .*; got 'tape'"):
        RecurrentModel(7, 6, 1, cell="tape")
    with pytest.raises(ValueError, match="width must be at least 1; got 0"):
        RecurrentModel(7, 0, 1)
