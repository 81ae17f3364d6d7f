"""Everything on torch: settings, transformer, training, generation, checkpoints."""
