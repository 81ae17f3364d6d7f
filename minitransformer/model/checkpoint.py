"""Trained parameters on disk: safetensors, no pickle, written whole or not at all."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from minitransformer.model.config import ModelConfig, as_dict
from minitransformer.model.transformer import CharTransformer

C = TypeVar("C")
FORMAT = "minitransformer/checkpoint/1"


class CheckpointError(ValueError):
    """A checkpoint that cannot be read or written; the message says why, in one line."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a file holds: parameters, and what is needed to use them."""

    kind: str  # "character model", "date reader" …
    config: Mapping[str, Any]  # the settings the parameters belong to
    vocabularies: Mapping[str, Sequence[str]]  # by name; an id is a place
    parameters: Mapping[str, Tensor]
    training: Mapping[str, Tensor] = field(default_factory=dict)  # to resume; or empty
    notes: Mapping[str, Any] = field(default_factory=dict)  # losses, steps, dates


def write_checkpoint(path: Path | str, checkpoint: Checkpoint) -> None:
    """Save a checkpoint: first beside its place, then moved there in one instant.

    Raises
    ------
    CheckpointError
        If the file cannot be written whole; an older file of that name then stays.
    """
    path = Path(path)
    tensors = {
        f"{part}/{name}": tensor.detach().contiguous().clone()
        for part in ("parameters", "training")
        for name, tensor in getattr(checkpoint, part).items()
    }
    header = {
        "kind": checkpoint.kind,
        "config": checkpoint.config,
        "vocabularies": checkpoint.vocabularies,
        "notes": checkpoint.notes,
    }
    metadata = {
        "format": FORMAT,
        "header": json.dumps(header, ensure_ascii=True),
        "sha256": _fingerprint(header, tensors),
    }
    content = save(tensors, metadata)
    try:
        write_atomically(path, content)
    except OSError as error:
        raise CheckpointError(
            f"{path} needs {len(content):,} bytes written; got: {error.strerror}"
        ) from error


def read_checkpoint(path: Path | str) -> Checkpoint:
    """Read a checkpoint and make sure that it is whole.

    Raises
    ------
    CheckpointError
        If there is no such file, or it is damaged, or of another kind.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"a checkpoint is needed; there is no file {path}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} must be a whole checkpoint; it is damaged: {error}"
        ) from error
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} must have the format {FORMAT}; got {metadata.get('format')}"
        )
    header = json.loads(metadata["header"])
    if metadata["sha256"] != _fingerprint(header, tensors):
        raise CheckpointError(
            f"{path} must be a whole checkpoint; it is damaged: its hash is another"
        )
    parts: dict[str, dict[str, Tensor]] = {"parameters": {}, "training": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition("/")
        parts[part][rest] = tensor
    return Checkpoint(
        kind=header["kind"],
        config=header["config"],
        vocabularies=header["vocabularies"],
        notes=header["notes"],
        **parts,
    )


def save_model(
    path: Path | str,
    model: CharTransformer,
    characters: str,
    *,
    parameters: Mapping[str, Tensor] | None = None,
    training: Mapping[str, Tensor] | None = None,
    notes: Mapping[str, Any] | None = None,
) -> None:
    """Save a character model with its settings and its vocabulary.

    Parameters
    ----------
    path : path
        Where to; an older file of that name is replaced in one instant.
    model, characters
        What was trained, and the vocabulary: an id is a place in it.
    parameters : mapping of str to tensor, optional
        Other parameters than those in the model now, such as the best so far.
    training : mapping of str to tensor, optional
        What going on with the training needs, from `Trainer.state`.
    notes : mapping, optional
        Anything else worth keeping that JSON can hold.

    Raises
    ------
    CheckpointError
        If the file cannot be written whole; an older file of that name then stays.
    """
    write_checkpoint(
        path,
        Checkpoint(
            kind="character model",
            config=as_dict(model.config),
            vocabularies={"characters": list(characters)},
            parameters=parameters or own_parameters(model),
            training=training or {},
            notes=notes or {},
        ),
    )


def load_model(
    path: Path | str, *, config: ModelConfig | None = None
) -> tuple[CharTransformer, str]:
    """Load a character model and its vocabulary.

    Parameters
    ----------
    path : path
        A file of `save_model`.
    config : ModelConfig, optional
        What the model must be made of; anything goes when None.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, of another kind or of another configuration.
    """
    checkpoint = read_checkpoint(path)
    return model_from(checkpoint, path, config=config), "".join(
        checkpoint.vocabularies["characters"]
    )


def model_from(
    checkpoint: Checkpoint, path: Path | str, *, config: ModelConfig | None = None
) -> CharTransformer:
    """Make the character model of a checkpoint that was read from `path`."""
    if checkpoint.kind != "character model":
        raise CheckpointError(
            f"{path} must hold a character model; got a {checkpoint.kind}"
        )
    found = settings_of(checkpoint, ModelConfig, path)
    if config is not None and found != config:
        raise CheckpointError(
            f"{path} has another configuration: {_difference(config, found)}"
        )
    model = CharTransformer.from_config(found)
    fill(model, checkpoint, path)
    return model


def settings_of(checkpoint: Checkpoint, kind: type[C], path: Path | str) -> C:
    """Make the settings a checkpoint carries."""
    try:
        return kind(**checkpoint.config)
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path} must carry the settings of {kind.__name__}; got: {error}"
        ) from error


def fill(model: nn.Module, checkpoint: Checkpoint, path: Path | str) -> None:
    """Put a checkpoint's parameters into a model, every one into its place."""
    wanted = own_parameters(model)
    needed = {name: tuple(x.shape) for name, x in wanted.items()}
    came = {name: tuple(x.shape) for name, x in checkpoint.parameters.items()}
    if needed != came:
        name = min(name for name, _ in needed.items() ^ came.items())
        raise CheckpointError(
            f"{path} does not fit the model: {name} needs the shape "
            f"{needed.get(name)}; got {came.get(name)}"
        )
    with torch.no_grad():
        for name, parameter in wanted.items():
            parameter.copy_(checkpoint.parameters[name])


def own_parameters(model: nn.Module) -> dict[str, Tensor]:
    """Name each parameter once, shared ones under their first name."""
    return dict(model.named_parameters())


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: beside its place, flushed, then moved."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _difference(wanted: ModelConfig, found: ModelConfig) -> str:
    """Name the first setting in which two configurations differ."""
    for part in dataclasses.fields(wanted):
        needed, came = getattr(wanted, part.name), getattr(found, part.name)
        if needed != came:
            return f"{part.name}={needed} is needed; got {came}"
    return "none"


def _fingerprint(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """Hash everything that a checkpoint holds."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(
            f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}".encode()
        )
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()
