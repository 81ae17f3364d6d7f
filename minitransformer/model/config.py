"""Settings: what a model is made of, and how it is trained. They check themselves."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, get_args

Positions = Literal["learned", "sinusoidal", "rotary", "alibi", "none"]
Norm = Literal["layer", "rms"]
Activation = Literal["relu", "squared_relu", "gelu"]
Optimizer = Literal["muon", "adamw"]
Precision = Literal["auto", "float32", "bfloat16"]
AttentionForm = Literal["auto", "explicit", "fused"]


def need(condition: bool, message: str) -> None:  # noqa: FBT001 - reads like an assert
    """Refuse bad input with a `ValueError` that carries the message."""
    if not condition:
        raise ValueError(message)


def need_whole(settings: object, *names: str) -> None:
    """Refuse settings that are not whole numbers of at least one."""
    for name in names:
        value = getattr(settings, name)
        whole = isinstance(value, int) and not isinstance(value, bool)
        need(whole and value >= 1, f"{name} must be a whole number >= 1; got {value!r}")


def need_choice(settings: object, **choices: object) -> None:
    """Refuse settings that are not one of the words allowed."""
    for name, words in choices.items():
        value = getattr(settings, name)
        allowed = get_args(words)
        need(value in allowed, f"{name} must be one of {allowed}; got {value!r}")


def need_heads_that_fit(width: int, num_heads: int) -> None:
    """Refuse a width that cannot be shared out evenly among the heads."""
    need(
        width % num_heads == 0,
        f"width must be a multiple of num_heads; got width={width}, "
        f"num_heads={num_heads}",
    )


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """What a character model is made of. The defaults are the plain form.

    Parameters
    ----------
    vocab_size, context_length, width, num_heads, num_layers, hidden_width : int
        V, the longest T, C, H, L and F of the style guide.
    positions : {"learned", "sinusoidal", "rotary", "alibi", "none"}
        How the model knows where a character stands.
    norm : {"layer", "rms"}
        Layer norm, or its shorter form without mean.
    norm_gain : bool
        Whether norms learn a gain (and layer norm a bias) per feature.
    activation : {"relu", "squared_relu", "gelu"}
        The bend in the feed-forward.
    bias : bool
        Whether the feed-forward's linear maps add a bias.
    qk_norm : bool
        Whether queries and keys are brought to one length before they meet.
    token_shift : bool
        Whether each sublayer reads every place mixed with the one before it, in learned
        shares (see `TokenShift`). A short cut beside attention, and none itself.
    tied_head : bool
        Whether the head reads the embedding's parameters instead of its own.
    zero_init : bool
        Whether what writes into the residual stream, and the head, starts at zero.
    dropout : float
        The share of a sublayer's output dropped while training.

    Raises
    ------
    ValueError
        If a setting is out of its range, or two do not fit together.

    Examples
    --------
    >>> config = ModelConfig(
    ...     vocab_size=64, context_length=8, width=12, num_heads=3,
    ...     num_layers=1, hidden_width=48,
    ... )
    >>> config.head_width
    4
    """

    vocab_size: int
    context_length: int
    width: int
    num_heads: int
    num_layers: int
    hidden_width: int
    positions: Positions = "learned"
    norm: Norm = "layer"
    norm_gain: bool = True
    activation: Activation = "relu"
    bias: bool = True
    qk_norm: bool = False
    token_shift: bool = False
    tied_head: bool = False
    zero_init: bool = False
    dropout: float = 0.0

    def __post_init__(self) -> None:
        """Check every setting, then those that must fit together."""
        need_whole(self, "vocab_size", "context_length", "width", "num_heads")
        need_whole(self, "num_layers", "hidden_width")
        need_choice(self, positions=Positions, norm=Norm, activation=Activation)
        need_heads_that_fit(self.width, self.num_heads)
        need(
            0 <= self.dropout < 1,
            f"dropout must be at least 0 and below 1; got {self.dropout}",
        )
        if self.positions == "rotary":
            need(
                self.head_width % 2 == 0,
                "rotary positions need an even width of each head; got "
                f"width / num_heads = {self.head_width}",
            )
        if self.positions == "sinusoidal":
            need(
                self.width % 2 == 0,
                f"sinusoidal positions need an even width; got width={self.width}",
            )

    @property
    def head_width(self) -> int:
        """D, the width of one head."""
        return self.width // self.num_heads


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a model is trained: for how long, in which batches, with which steps.

    Parameters
    ----------
    steps : int, optional
        How many steps to take. Give this or `seconds`.
    seconds : float, optional
        How long to train on this machine, the validations included.
    batch_size : int
        Windows in a batch.
    window_length : int, optional
        Characters in a training window at first; the model's context length when None.
        Shorter windows are cheaper, and rotary positions carry over to longer ones.
    whole_windows : float
        The share of the run, its last, in which windows are as long as the context, and
        a batch holds as many fewer.
    optimizer : {"muon", "adamw"}
        Muon for the matrices of the blocks and AdamW for the rest, or AdamW for all.
    learning_rate : float, optional
        Of AdamW, at its highest. When None: 0.02 beside Muon, where embedding, head and
        gains alone are AdamW's, and 0.002 where everything is.
    muon_rate : float
        Of Muon, at its highest.
    weight_decay : float
        Pull of the matrices towards zero, per step and unit of learning rate.
    warmup : float
        The share of the run in which the rates rise from zero.
    decay : float
        The share of the run, its last, in which the rates fall to zero in a line.
    validations : int
        How often the whole held-out text is measured, evenly spread; the last time
        is at the end.
    precision : {"auto", "float32", "bfloat16"}
        Numbers of the forward pass; "auto" measures which is faster here.
    attention : {"auto", "explicit", "fused"}
        The course's own formula or torch's fused kernel; "auto" measures.
    threads : int, optional
        Threads for torch; None measures whether more than one helps.

    Raises
    ------
    ValueError
        If a setting is out of its range, or both or neither of steps and seconds
        are given.
    """

    steps: int | None = None
    seconds: float | None = None
    batch_size: int = 64
    window_length: int | None = None
    whole_windows: float = 0.0
    optimizer: Optimizer = "adamw"
    learning_rate: float | None = None
    muon_rate: float = 0.02
    weight_decay: float = 0.0
    warmup: float = 0.0
    decay: float = 0.5
    validations: int = 1
    precision: Precision = "float32"
    attention: AttentionForm = "explicit"
    threads: int | None = 1

    def __post_init__(self) -> None:
        """Check every setting, then those that must fit together."""
        need(
            (self.steps is None) != (self.seconds is None),
            "either steps or seconds must be given, and not both; got "
            f"steps={self.steps}, seconds={self.seconds}",
        )
        need_whole(self, "batch_size", "validations")
        for name in ("steps", "window_length", "threads"):
            if getattr(self, name) is not None:
                need_whole(self, name)
        need_choice(
            self, optimizer=Optimizer, precision=Precision, attention=AttentionForm
        )
        if self.seconds is not None:
            need(self.seconds > 0, f"seconds must be above 0; got {self.seconds}")
        need(self.muon_rate > 0, f"muon_rate must be above 0; got {self.muon_rate}")
        need(
            self.adamw_rate > 0,
            f"learning_rate must be above 0; got {self.learning_rate}",
        )
        need(
            self.weight_decay >= 0,
            f"weight_decay must be at least 0; got {self.weight_decay}",
        )
        for name in ("warmup", "decay", "whole_windows"):
            value = getattr(self, name)
            need(0 <= value <= 1, f"{name} must be a share, from 0 to 1; got {value}")

    @property
    def adamw_rate(self) -> float:
        """The learning rate of AdamW, at its highest."""
        if self.learning_rate is not None:
            return self.learning_rate
        return 2e-2 if self.optimizer == "muon" else 2e-3


def as_dict(config: object) -> dict[str, object]:
    """Give the settings as plain values, ready for JSON."""
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise TypeError(f"settings must be a dataclass; got {type(config).__name__}")
    return dataclasses.asdict(config)


_FAST_MODEL: dict[str, Any] = {
    "positions": "rotary",
    "norm_gain": False,
    "activation": "squared_relu",
    "bias": False,
    "qk_norm": True,
    "zero_init": True,
}
_FAST_TRAINING: dict[str, Any] = {
    "optimizer": "muon",
    "precision": "auto",
    "attention": "auto",
    "threads": None,
}

# Few and wide heads: query–key norm bounds the scores by the root of the head's width, and
# narrow heads cannot look sharply enough. Small models: in so little time the number of
# characters read counts for more than the number of parameters. Weight decay keeps the
# longer runs from learning nine plays by heart, and did so better than dropout.
PRESETS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "seconds": (
        {
            "context_length": 64,
            "width": 96,
            "num_heads": 2,
            "num_layers": 2,
            "hidden_width": 192,
        },
        {
            "steps": 280,
            "batch_size": 48,
            "window_length": 32,
            "whole_windows": 0.4,
            "decay": 0.4,
        },
    ),
    "minutes": (
        {
            "context_length": 256,
            "width": 144,
            "num_heads": 2,
            "num_layers": 4,
            "hidden_width": 432,
            "token_shift": True,
        },
        {
            "seconds": 180.0,
            "batch_size": 32,
            "window_length": 64,
            "whole_windows": 0.4,
            "decay": 0.6,
            "weight_decay": 0.1,
            "validations": 2,
        },
    ),
    "coffee": (
        {
            "context_length": 256,
            "width": 192,
            "num_heads": 3,
            "num_layers": 4,
            "hidden_width": 576,
            "token_shift": True,
        },
        {
            "seconds": 600.0,
            "batch_size": 32,
            "window_length": 64,
            "whole_windows": 0.5,
            "decay": 0.6,
            "weight_decay": 0.3,
            "validations": 4,
        },
    ),
}


def preset(
    name: str,
    *,
    vocab_size: int,
    steps: int | None = None,
    seconds: float | None = None,
) -> tuple[ModelConfig, TrainingConfig]:
    """Give the settings of a recipe that was searched for and measured.

    Parameters
    ----------
    name : {"seconds", "minutes", "coffee"}
        About how long it takes on two cores: some seconds, three minutes, ten.
    vocab_size : int
        V, of the text to be learned.
    steps, seconds : optional
        Another length of the run than the recipe's own.

    Raises
    ------
    ValueError
        If there is no recipe of that name.
    """
    need(name in PRESETS, f"preset must be one of {tuple(PRESETS)}; got {name!r}")
    model, training = PRESETS[name]
    length: dict[str, Any] = {"steps": steps, "seconds": seconds}
    if steps is None and seconds is None:
        length = {}
    return (
        ModelConfig(vocab_size=vocab_size, **(_FAST_MODEL | model)),
        TrainingConfig(**(_FAST_TRAINING | training | length)),
    )
