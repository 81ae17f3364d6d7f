"""Maintainers' tools: the notebook builder and what checks its pages."""
