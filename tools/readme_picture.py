"""Draw the picture of the README from the shipped model: `python -m tools.readme_picture`."""

import numpy as np

from minitransformer.model import shakespeare_model
from minitransformer.notebook import plots
from minitransformer.text import shakespeare, split_text
from tools.source import ROOT

PICTURE = ROOT / "docs" / "learning.svg"


def main() -> None:
    """Draw the losses of the shipped model beside those of knowing nothing and counting."""
    trained = shakespeare_model()
    steps, losses = (np.array(column) for column in zip(*trained.losses, strict=True))
    _, held_out = split_text(shakespeare())
    shares = np.unique(list(held_out), return_counts=True)[1] / len(held_out)
    figure = plots.curves(
        steps,
        {"held-out tenth of the plays": losses},
        x="training step",
        y="nats per character",
        lines={
            "knowing nothing: ln 64": float(np.log(64)),
            "knowing how often each character comes": float(-(shares @ np.log(shares))),
        },
        title="A small transformer learns Shakespeare",
    )
    figure.savefig(PICTURE, metadata={"Date": None})
    step, text = trained.samples[-1]
    print(f"drawn: {PICTURE.name}; after step {step} it writes:\n{text[:300]}")


if __name__ == "__main__":
    main()
