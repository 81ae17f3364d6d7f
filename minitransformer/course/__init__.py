"""A learner's folder, progress, and the final model from a learner's own parts."""
