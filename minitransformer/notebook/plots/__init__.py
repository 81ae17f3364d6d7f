"""Pictures: arrays in, a Figure out."""
