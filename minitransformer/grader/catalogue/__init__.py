"""The exercises as data, one file a topic."""
