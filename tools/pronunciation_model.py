"""Keep a trained pronunciation model with the package, in half precision.

`minitransformer train pronunciation --out run.safetensors` has trained it;
`python -m tools.pronunciation_model run.safetensors` puts it where lesson 07 finds it.
"""

import argparse
import sys
from pathlib import Path

from minitransformer.model.checkpoint import CheckpointError, own_parameters
from minitransformer.model.pair_training import load_pair_model, save_pair_model
from minitransformer.model.shipped import PRONUNCIATION


def main() -> int:
    """Halve a run's parameters and keep them, without what training needs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="what `train pronunciation` has kept")
    try:
        model, vocabulary = load_pair_model(parser.parse_args().run)
    except CheckpointError as error:
        print(error, file=sys.stderr)
        return 2
    halved = {name: p.half() for name, p in own_parameters(model).items()}
    save_pair_model(PRONUNCIATION, model, vocabulary, parameters=halved)
    print(f"kept {PRONUNCIATION.name}, {PRONUNCIATION.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
