import pytest
import torch

from minitransformer.model.config import TrainingConfig
from minitransformer.model.optimizer import Muon, make_optimizer, orthogonalised
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
    optimizer = Muon([matrix], lr=0.1)
    matrix.grad = torch.eye(4)
    optimizer.step()
    assert torch.linalg.svdvals(matrix.detach()).max() == pytest.approx(0.1, rel=0.3)
    assert (matrix.diagonal() < 0).all()


def test_matrices_of_the_blocks_go_to_muon_and_the_rest_to_adamw():
    model = CharTransformer(11, 8, 12, 3, 2)
    muon, adamw = make_optimizer(
        model, TrainingConfig(steps=1, optimizer="muon")
    ).optimizers
    sizes = [sum(len(g["params"]) for g in x.param_groups) for x in (muon, adamw)]
    assert sizes[0] == 2 * 6  # q, k, v, output and two maps, in two blocks
    assert sum(sizes) == len(list(model.parameters()))


def test_rates_are_set_as_a_share_of_the_highest():
    pair = make_optimizer(
        CharTransformer(11, 8, 12, 3, 1),
        TrainingConfig(steps=1, optimizer="muon", learning_rate=0.01, muon_rate=0.02),
    )
    pair.scale_rates(0.5)
    pair.scale_rates(0.25)
    assert {group["lr"] for group in pair.param_groups} == {0.005, 0.0025}
