"""Torch inside NumPy exercises."""

import torch


def sinusoidal_positions(length, width, base=10000.0):
    if width % 2 == 1:
        raise ValueError("even widths only")
    t = torch.arange(length, dtype=torch.float64).unsqueeze(1)
    i = torch.arange(0, width, 2, dtype=torch.float64)
    table = torch.empty(length, width, dtype=torch.float64)
    table[:, ::2] = torch.sin(t * base ** (-i / width))
    table[:, 1::2] = torch.cos(t * base ** (-i / width))
    return table


def rotary(x, positions, base=10000.0):
    x = torch.from_numpy(x.copy()).double()
    D = x.shape[-1]
    angles = torch.as_tensor(positions)[:, None] / base ** (
        torch.arange(0, D, 2).double() / D
    )
    cos, sin = (
        angles.cos().repeat_interleave(2, -1),
        angles.sin().repeat_interleave(2, -1),
    )
    turned = torch.stack([-x[..., 1::2], x[..., ::2]], -1).flatten(-2)
    return x * cos + turned * sin


def alibi_bias(num_heads, length):
    places = torch.arange(length)
    distance = (places[None, :] - places[:, None]).clamp(max=0)
    slopes = torch.pow(2.0, -8.0 * torch.arange(1, num_heads + 1).double() / num_heads)
    return slopes.view(-1, 1, 1) * distance


def is_permutation_equivariant(function, x, order):
    one = torch.as_tensor(function(torch.as_tensor(x)[order].numpy()))
    two = torch.as_tensor(function(x))[order]
    return torch.allclose(one, two)
