"""Characters to ids and back, windows, and loaders of real texts by hash."""
