import errno
import os

import pytest
import torch
from safetensors.torch import save_file

from minitransformer.model.checkpoint import (
    Checkpoint,
    CheckpointError,
    load_model,
    read_checkpoint,
    save_model,
    write_checkpoint,
)
from minitransformer.model.config import ModelConfig
from minitransformer.model.transformer import CharTransformer

CHARACTERS = "\n abcé…"


def config(**changes):
    sizes = {"vocab_size": 7, "context_length": 6, "width": 16, "num_heads": 2}
    return ModelConfig(**(sizes | {"num_layers": 2, "hidden_width": 32} | changes))


def make(**changes):
    return CharTransformer.from_config(config(**changes))


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, make(), CHARACTERS, notes={"validation_loss": 1.9})
    return path


@pytest.mark.parametrize("tied", [False, True])
def test_a_saved_model_comes_back_the_same(tmp_path, tied):
    path, model = tmp_path / "model.safetensors", make(tied_head=tied)
    save_model(path, model, CHARACTERS)
    loaded, characters = load_model(path)
    ids = torch.tensor([[0, 1, 2, 3]])
    assert torch.equal(loaded(ids), model(ids))
    assert characters == CHARACTERS
    assert loaded.config == model.config


def test_notes_and_training_state_are_kept(tmp_path):
    path = tmp_path / "model.safetensors"
    state = {"generator": torch.Generator().get_state()}
    save_model(path, make(), CHARACTERS, training=state, notes={"step": 3})
    checkpoint = read_checkpoint(path)
    assert checkpoint.notes == {"step": 3}
    assert torch.equal(checkpoint.training["generator"], state["generator"])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"there is no file .*none\.safetensors"):
        load_model(tmp_path / "none.safetensors")


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_a_file_cut_short_is_refused(saved, keep):
    saved.write_bytes(saved.read_bytes()[:keep])
    with pytest.raises(
        CheckpointError, match="must be a whole checkpoint; it is damaged"
    ):
        load_model(saved)


def test_a_single_changed_bit_is_noticed(saved):
    content = bytearray(saved.read_bytes())
    content[-10] ^= 1
    saved.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged: its hash is another"):
        load_model(saved)


def test_a_file_of_another_program_is_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match=r"format minitransformer/.*; got None"):
        load_model(path)


def test_another_configuration_is_refused_with_the_first_difference(saved):
    load_model(saved, config=config())
    with pytest.raises(CheckpointError, match="width=32 is needed; got 16"):
        load_model(saved, config=config(width=32))


def test_another_kind_of_checkpoint_is_refused(tmp_path):
    path = tmp_path / "dates.safetensors"
    write_checkpoint(
        path,
        Checkpoint(kind="sequence pair", config={}, vocabularies={}, parameters={}),
    )
    with pytest.raises(CheckpointError, match="character model; got a sequence pair"):
        load_model(path)


def test_settings_from_another_version_are_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    write_checkpoint(
        path,
        Checkpoint(
            kind="character model",
            config={"window": 3},
            vocabularies={},
            parameters={},
        ),
    )
    with pytest.raises(CheckpointError, match="must carry the settings of ModelConfig"):
        load_model(path)


def test_parameters_that_do_not_fit_are_named(tmp_path):
    path, model = tmp_path / "model.safetensors", make()
    model.config = config(hidden_width=48)
    save_model(path, model, CHARACTERS)
    with pytest.raises(CheckpointError, match=r"feed_forward.* needs the shape .*48"):
        load_model(path)


def test_a_full_disk_leaves_the_old_file_and_nothing_half_written(saved, monkeypatch):
    before = saved.read_bytes()

    def full(number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="bytes written; got: No space left"):
        save_model(saved, make(), CHARACTERS)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_being_stopped_while_saving_leaves_the_old_file(saved, monkeypatch):
    before = saved.read_bytes()

    def stop(number):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        save_model(saved, make(), CHARACTERS)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]
