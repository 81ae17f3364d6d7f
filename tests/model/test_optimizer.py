import pytest
import torch

from minitransformer.model.config import TrainingConfig
from minitransformer.model.optimizer import AdamW, Muon, make_optimizer, orthogonalised
from minitransformer.model.transformer import CharTransformer


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(8, 8), (8, 20), (20, 8)])
def test_all_singular_values_are_brought_near_one(shape):
    singular = torch.linalg.svdvals(orthogonalised(draw(3, *shape)))
    assert singular.min() > 0.5
    assert singular.max() < 1.3


def test_the_directions_of_a_matrix_stay():
    u, _, v = torch.linalg.svd(draw(6, 6))
    matrix = u @ torch.diag(torch.tensor([1.0, 0.5, 0.3, 0.2, 0.1, 0.05])) @ v
    turned = u.T @ orthogonalised(matrix[None])[0] @ v.T
    off_diagonal = turned - torch.diag(turned.diagonal())
    assert off_diagonal.abs().max() < 1e-5


def test_the_size_of_the_gradient_does_not_matter():
    small, large = orthogonalised(draw(1, 4, 6)), orthogonalised(9 * draw(1, 4, 6))
    assert torch.allclose(small, large, rtol=0, atol=1e-5)


def test_stacking_changes_nothing():
    stack = draw(3, 4, 6)
    alone = torch.stack([orthogonalised(matrix[None])[0] for matrix in stack])
    assert torch.allclose(orthogonalised(stack), alone, atol=1e-5)


def test_muon_steps_against_the_gradient_by_about_its_rate():
    matrix = torch.nn.Parameter(torch.zeros(4, 4))
    optimizer = Muon([matrix], rate=0.1)
    matrix.grad = torch.eye(4)
    optimizer.step()
    assert torch.linalg.svdvals(matrix.detach()).max() == pytest.approx(0.1, rel=0.3)
    assert (matrix.diagonal() < 0).all()


def test_matrices_of_the_blocks_go_to_muon_and_the_rest_to_adamw():
    model = CharTransformer(11, 8, 12, 3, 2)
    pair = make_optimizer(model, TrainingConfig(steps=1, optimizer="muon"))
    assert len(pair.muon.parameters) == 2 * 6  # q, k, v, output, two maps; two blocks
    both = pair.muon.parameters + pair.adamw.parameters
    assert {id(x) for x in both} == {id(x) for x in model.parameters()}


def test_adamw_steps_as_that_of_torch():
    ours, theirs = (torch.nn.Parameter(draw(3, 4)) for _ in range(2))
    mine = AdamW([ours], rate=0.01, weight_decay=0.1)
    its = torch.optim.AdamW([theirs], lr=0.01, betas=(0.9, 0.99), weight_decay=0.1)
    for seed in range(5):
        ours.grad = theirs.grad = draw(3, 4, seed=seed)
        mine.step()
        its.step()
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-6)


def test_only_matrices_are_pulled_towards_zero():
    matrix, gain = (
        torch.nn.Parameter(torch.ones(2, 2)),
        torch.nn.Parameter(torch.ones(2)),
    )
    matrix.grad, gain.grad = torch.zeros(2, 2), torch.zeros(2)
    AdamW([matrix, gain], rate=0.1, weight_decay=0.5).step()
    assert torch.allclose(matrix, torch.tensor(0.95))
    assert torch.equal(gain, torch.ones(2))


def test_rates_are_set_as_a_share_of_the_highest():
    pair = make_optimizer(
        CharTransformer(11, 8, 12, 3, 1),
        TrainingConfig(steps=1, optimizer="muon", learning_rate=0.01, muon_rate=0.02),
    )
    pair.scale_rates(0.5)
    pair.scale_rates(0.25)
    assert (pair.muon.rate, pair.adamw.rate) == (0.005, 0.0025)
