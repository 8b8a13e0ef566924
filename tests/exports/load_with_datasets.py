"""Load every config of a dataset folder with `datasets`, as a stranger would, and print what came back as JSON."""

import json
import sys
from typing import Any

from datasets import get_dataset_config_names, load_dataset  # noqa: TID253

told: dict[str, Any] = {"default": sorted(load_dataset(sys.argv[1])["train"].column_names), "configs": {}}
for config in get_dataset_config_names(sys.argv[1]):
    loaded = load_dataset(sys.argv[1], config)
    told["configs"][config] = {
        "features": repr(next(iter(loaded.values())).features),
        "rows": {split: part.to_list() for split, part in loaded.items()},
    }
sys.stdout.write(json.dumps(told))
