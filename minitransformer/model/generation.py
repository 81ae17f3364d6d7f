"""Writing with a trained model, one character at a time."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from minitransformer.model.attention import LayerCache
from minitransformer.model.config import need
from minitransformer.model.transformer import CharTransformer
from minitransformer.text.vocabulary import decode, encode


def sampling_probabilities(
    logits: Float[Tensor, "*batch V"],
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Float[Tensor, "*batch V"]:
    """Turn scores into the probabilities that are drawn from.

    Parameters
    ----------
    logits : tensor of shape (..., V)
        Scores of the next character.
    temperature : float
        Divides the scores; 0 takes the best alone, 1 changes nothing.
    top_k : int, optional
        Keep this many of the likeliest.
    top_p : float, optional
        Then keep the likeliest until their sum, before renormalising, reaches this; the
        one that crosses it stays (Holtzman et al. 2020, "nucleus sampling").

    Raises
    ------
    ValueError
        If an option is out of its range.
    """
    check_sampling(temperature, top_k, top_p)
    if temperature == 0:
        best = logits.argmax(dim=-1, keepdim=True)
        return torch.zeros_like(logits).scatter_(-1, best, 1.0)
    probabilities = (logits / temperature).softmax(dim=-1)
    if top_k is not None and top_k < logits.shape[-1]:
        kept, places = probabilities.topk(top_k, dim=-1)
        probabilities = torch.zeros_like(probabilities).scatter_(-1, places, kept)
        probabilities = probabilities / probabilities.sum(dim=-1, keepdim=True)
    if top_p is not None:
        falling, places = probabilities.sort(dim=-1, descending=True, stable=True)
        before = falling.cumsum(dim=-1) - falling
        falling = falling.masked_fill(before >= top_p, 0.0)
        probabilities = torch.zeros_like(probabilities).scatter_(-1, places, falling)
        probabilities = probabilities / probabilities.sum(dim=-1, keepdim=True)
    return probabilities


def check_sampling(temperature: float, top_k: int | None, top_p: float | None) -> None:
    """Refuse options of sampling that are out of their range."""
    need(temperature >= 0, f"temperature must be at least 0; got {temperature}")
    need(top_k is None or top_k >= 1, f"top_k must be at least 1; got {top_k}")
    need(
        top_p is None or 0 < top_p <= 1,
        f"top_p must be above 0 and at most 1; got {top_p}",
    )


def generate(
    model: CharTransformer,
    start: Int[Tensor, "B T"],
    length: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    use_cache: bool = True,
    generator: torch.Generator,
) -> Iterator[Int[Tensor, " B"]]:
    """Write `length` more characters for each row, giving each as soon as it is drawn.

    Parameters
    ----------
    model : CharTransformer
        What gives the scores.
    start : tensor of int, of shape (B, T)
        What each text begins with, at least one character; of more than the context
        holds, the last are read.
    length : int
        Characters to write.
    temperature, top_k, top_p
        See `sampling_probabilities`.
    use_cache : bool
        Whether keys and values are kept, instead of computed again for each character.
    generator : torch.Generator
        Where the characters are drawn from.

    Yields
    ------
    tensor of int, of shape (B,)
        The next character of each text.

    Raises
    ------
    ValueError
        If there is nothing to begin with, or an option is out of its range.

    Notes
    -----
    Past the context a model with a table of positions computes its last window again
    for each character. One with rotary, ALiBi or no positions goes on with its cache,
    whose oldest keys and values fall out: each layer looks back `context_length` places.
    That equals computing the whole text with `sliding_window_mask`; it is *not* the last
    window computed alone, because a deeper layer's values have looked further back.
    """
    check_sampling(temperature, top_k, top_p)
    need(length >= 0, f"length must be at least 0; got {length}")
    need(
        start.ndim == 2 and start.shape[-1] >= 1,
        f"start must have the shape (B, T) with T >= 1; got {tuple(start.shape)}",
    )
    reader = _Reader(model, use_cache=use_cache)

    def characters() -> Iterator[Tensor]:
        new = start
        for _ in range(length):
            probabilities = sampling_probabilities(
                reader.read(new), temperature, top_k, top_p
            )
            new = torch.multinomial(probabilities, 1, generator=generator)  # (B, 1)
            yield new[:, 0]

    return characters()


class _Reader:
    """Reads characters as they come and gives the scores of the next one."""

    def __init__(self, model: CharTransformer, *, use_cache: bool) -> None:
        self.model = model
        self.window = model.config.context_length
        self.caches: list[LayerCache] | None = None
        if use_cache and model.can_cache:
            self.caches = [LayerCache(self.window) for _ in model.blocks]
        self.text: Tensor | None = None

    @torch.no_grad()
    def read(self, new: Tensor) -> Tensor:
        """Give the scores (B, V) after these further characters (B, t)."""
        text = new if self.text is None else torch.cat((self.text, new), dim=-1)
        self.text = text[:, -self.window :]
        was_training = self.model.training
        if was_training:
            self.model.eval()
        scores = self._scores(self.text, new[:, -self.window :])
        if was_training:
            self.model.train()
        return scores[:, -1].float()

    def _scores(self, text: Tensor, new: Tensor) -> Tensor:
        """Read the new characters alone where the cache still holds the others."""
        if self.caches is None:
            return self.model(text)
        full = self.caches[0].length >= self.window
        if full and self.model.positions is not None:
            return self.model(text)  # every place has moved: nothing can be kept
        return self.model(new, caches=self.caches)


def stream_text(
    model: CharTransformer,
    characters: str,
    prompt: str,
    length: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator,
) -> Iterator[str]:
    """Write after a prompt, giving each character as soon as it is drawn.

    Raises
    ------
    ValueError
        If the prompt is empty or holds a character outside the vocabulary, or an option
        is out of its range.
    """
    need(bool(prompt), "prompt needs at least 1 character; got none")
    start = torch.from_numpy(encode(prompt, characters))[None, :]  # (1, T)
    drawn = generate(
        model,
        start,
        length,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        generator=generator,
    )
    return (decode(ids.tolist(), characters) for ids in drawn)


def write_text(
    model: CharTransformer,
    characters: str,
    prompt: str,
    length: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator,
) -> str:
    """Write after a prompt and return both together; see `stream_text`."""
    return prompt + "".join(
        stream_text(
            model,
            characters,
            prompt,
            length,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            generator=generator,
        )
    )
