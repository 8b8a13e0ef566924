"""winnow prune: removes old builds of a dataset; the reply store keeps their replies."""

import shutil

from rich.console import Console

from assets.home import Home
from schemas.errors import ConfigError


def run(dataset: str, keep: int, yes: bool, console: Console) -> None:
    """Remove all but the newest `keep` builds, or say which would go."""
    builds = Home.find().builds(dataset)
    if not builds:
        raise ConfigError(f"no build of {dataset!r} in {Home.find().root}; `winnow show` lists the builds there are")
    old = builds[: max(0, len(builds) - keep)]
    for build in old:
        if yes:
            build.hold()
            shutil.rmtree(build.path)
            build.release()
        console.print(f"{'removed' if yes else 'would remove'} {build.dataset}/{build.name}")
    kept = len(builds) - len(old)
    console.print(f"{kept} build(s) of {dataset} kept" + ("" if yes or not old else "; add --yes to remove the others"))
