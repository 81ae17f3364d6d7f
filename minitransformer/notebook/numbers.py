"""Numbers as a page writes them."""

import math

import numpy as np


def number(value: int | float, digits: int = 3) -> str:
    """Write one number for a reader: thousands set apart, no negative zero.

    Examples
    --------
    >>> number(0.97449), number(-0.0), number(12000), number(0.00001234)
    ('0.974', '0.000', '12,000', '1.23e-05')
    """
    if isinstance(value, (int, np.integer)):
        return f"{value:,}"
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, "nan")
    if value != 0 and not 10.0**-digits <= abs(value) < 1e7:
        return f"{value:.{max(digits - 1, 0)}e}"
    rounded = round(float(value), digits) + 0.0
    return f"{rounded:,.{digits}f}"
