"""winnow init: writes a recipe and an engines file for the user's own prompts, to be read and changed."""

import json
import keyword
from pathlib import Path

from rich.console import Console

from schemas.errors import ConfigError

FOLDER = Path(__file__).parent.parent
TEMPLATES = FOLDER / "templates"
ENGINES = Path("engines.toml")


def run(name: str, prompts: str | None, console: Console) -> None:
    """Write pipelines/NAME.py and engines.toml; what exists is never overwritten."""
    recipe = FOLDER / f"{name}.py"
    if not (name.isidentifier() and name.isascii() and name.islower()) or keyword.iskeyword(name):
        raise ConfigError(f"{name!r} cannot be a dataset's name: write lower-case letters, digits and underscores, "
                          "and no word of Python's own")
    if recipe.exists():
        raise ConfigError(f"{recipe} exists; choose another name, or edit it")
    if prompts is not None and not prompts.startswith("hf:") and not Path(prompts).exists():
        raise ConfigError(f"{prompts} does not exist; give the path of your prompts, or hf:org/name")
    text = (TEMPLATES / "recipe.py.txt").read_text(encoding="utf-8")
    quoted = json.dumps(prompts or "examples/prompts.jsonl", ensure_ascii=False)
    recipe.write_text(text.replace("NAME", name).replace("PROMPTS", quoted), encoding="utf-8")
    console.print(f"wrote pipelines/{recipe.name}: what is asked, who answers, who judges", highlight=False)
    if ENGINES.exists():
        console.print(f"{ENGINES} exists and is left as it is")
    else:
        ENGINES.write_text((TEMPLATES / "engines.toml.txt").read_text(encoding="utf-8"), encoding="utf-8")
        console.print(f"wrote {ENGINES}: fill in your servers' addresses and models")
    console.print("edit both, then:")
    for command in (f"validate {name} --ping", f"estimate {name}", f"preview {name}", f"build {name}"):
        console.print(f"  winnow {command}", highlight=False)
