"""Colours that can be read, and told apart without seeing colour."""

from itertools import combinations

import numpy as np
import pytest

from minitransformer.notebook.plots import palette
from minitransformer.notebook.plots.sheet import cell_colour

# Machado, Oliveira and Fernandes 2009: how a colour looks with each kind of blindness
BLINDNESS = {
    "none": np.eye(3),
    "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "tritan": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}
TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)


def in_lab(colour: str, blindness: str) -> np.ndarray:
    """A colour's place in CIELAB, where distance is difference to the eye."""
    code = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.asarray(BLINDNESS[blindness]) @ linear, 0, 1)
    x, y, z = np.cbrt(TO_XYZ @ seen / np.array([0.9505, 1.0, 1.089]))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_contrast_of_black_on_white_is_twenty_one():
    assert palette.contrast("#000000", "#FFFFFF") == pytest.approx(21)


@pytest.mark.parametrize("role", palette.ROLES)
def test_words_may_be_set_in_the_colour_of_each_role(role):
    assert palette.contrast(palette.ROLES[role].colour, palette.CARD) >= 4.5


@pytest.mark.parametrize("ink", [palette.INK, palette.QUIET])
def test_ink_can_be_read_on_the_card(ink):
    assert palette.contrast(ink, palette.CARD) >= 4.5


@pytest.mark.parametrize("colour", palette.SERIES)
def test_curves_and_the_names_at_their_ends_can_be_read_on_the_card(colour):
    assert palette.contrast(colour, palette.CARD) >= 4.5


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_the_four_roles_stay_apart_under_every_colour_blindness(blindness):
    places = [in_lab(role.colour, blindness) for role in palette.ROLES.values()]
    nearest = min(float(np.linalg.norm(a - b)) for a, b in combinations(places, 2))
    assert nearest >= 20  # a difference of 2 is just noticed side by side


def test_each_role_has_a_letter_and_a_marker_of_its_own():
    roles = palette.ROLES.values()
    assert (
        len({role.letter for role in roles})
        == len({role.marker for role in roles})
        == 4
    )


@pytest.mark.parametrize("role", [None, *palette.ROLES])
@pytest.mark.parametrize("value", np.linspace(-1, 1, 21))
def test_a_number_can_be_read_on_every_cell(role, value):
    fill = cell_colour(float(value), 1.0, role)
    assert palette.contrast(palette.readable_on(fill), fill) >= 4.5


def test_the_scale_of_weights_gets_darker_all_the_way():
    scale = palette.rising(palette.ROLES["weight"].colour)
    lightness = scale(np.linspace(0, 1, 20))[:, :3] @ TO_XYZ[1]
    assert (np.diff(lightness) < 0).all()
