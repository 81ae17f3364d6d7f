"""Every code cell of every lesson and solution is a test; `conftest.py` collects them.

One topic alone: `pytest tests/notebooks/test_every_cell.py -k 03_self_attention`.
"""
