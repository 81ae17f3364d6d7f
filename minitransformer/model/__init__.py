"""Everything on torch: settings, transformer, training, generation, checkpoints.

Names are handed out when they are first asked for, so that importing stays light.
"""

from importlib import import_module

_HOMES = {
    "config": ("ModelConfig", "TrainingConfig", "preset"),
    "attention": (
        "LayerCache",
        "MultiHeadAttention",
        "alibi_bias",
        "causal_mask",
        "masked_softmax",
        "merge_heads",
        "rotary",
        "sinusoidal_positions",
        "split_heads",
        "use_attention",
    ),
    "transformer": ("Block", "CharTransformer", "drawing_from", "make_feed_forward"),
    "optimizer": ("AdamW", "Muon", "make_optimizer"),
    "machine": ("MachinePlan", "plan_for_this_machine"),
    "training": (
        "NextCharacterTask",
        "Record",
        "Task",
        "Trainer",
        "next_character_loss",
        "train",
        "training_step",
        "validation_loss",
    ),
    "generation": ("generate", "sampling_probabilities", "stream_text", "write_text"),
    "seq2seq": ("EncoderDecoder", "PairConfig", "PairVocabulary", "write_targets"),
    "pair_training": (
        "PairTask",
        "load_pair_model",
        "pair_preset",
        "save_pair_model",
        "share_exact",
    ),
    "recurrent": ("RecurrentModel", "count_parameters", "width_for_parameters"),
    "classifier": ("LabelTask", "TextClassifier", "class_scores"),
    "checkpoint": ("Checkpoint", "CheckpointError", "load_model", "save_model"),
    "shipped": ("TrainedModel", "pronunciation_model", "shakespeare_model"),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = list(_MODULES)  # pyright: ignore[reportUnsupportedDunderAll] - made from the table


def __getattr__(name: str) -> object:
    """Import the module a name lives in when the name is first asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_MODULES[name]}")
    return getattr(module, name)
