import nbformat
import pytest

from tools import grading


@pytest.mark.parametrize(
    ("grade", "solution", "locked", "checksum"),
    [  # worked out with nbgrader 0.9.5 for the source "x", id "a", one point
        (True, False, True, "37e79b6c0568c4a2a547beece73dd5fe"),
        (False, True, False, "6b700100c71a2d246b59ab13854cae0d"),
        (True, True, False, "cb2b771dad5d317e26d1a44cbe136f86"),
        (False, False, True, "49da294ca3a93ffa93d3589d09ed398f"),
    ],
)
def test_the_checksum_is_nbgraders(grade, solution, locked, checksum):
    roles = {"grade": grade, "solution": solution, "locked": locked}
    about = {"grade_id": "a", "points": 1, **roles}
    cell = nbformat.v4.new_code_cell("x", metadata={"nbgrader": about})
    grading.seal(cell)
    assert cell.metadata.nbgrader.checksum == checksum
    assert cell.metadata.nbgrader.cell_type == "code"
