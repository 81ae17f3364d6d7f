"""The formulas in NumPy: pure functions, no torch, no classes."""
