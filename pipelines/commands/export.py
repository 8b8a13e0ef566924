"""winnow export: copies a build's dataset folder and verifies the copy."""

from pathlib import Path

from rich.console import Console

from exports import copy_dataset
from exports.check import verify
from exports.leaving import leaving_folder, refuse
from exports.manifest import MANIFEST
from pipelines.commands.places import newest
from privacy.scan import in_words
from schemas.errors import ConfigError, ExportError


def run(dataset: str, to: Path, name: str | None, console: Console) -> None:
    """Copy the folder of a complete build to `to`, scanned once more, and check every file against the manifest.

    Of a build from chat logs nothing is copied where the scan finds anything; of others it is told.
    """
    build = newest(dataset, name)
    if not (build.folder / MANIFEST).exists():
        raise ConfigError(f"{build.dataset}/{build.name} is not finished; `winnow build {dataset}` finishes it")
    found = leaving_folder(build.folder)
    if build.file("messages").exists():
        refuse(found)
    copy_dataset(build.folder, to)
    if problems := verify(to):
        raise ExportError(f"{to} does not match its manifest: {'; '.join(problems)}")
    if found:
        console.print(f"the second scan found what looks like personal data or secrets: {in_words(found)}",
                      highlight=False, soft_wrap=True, markup=False)
    console.print(f'{build.dataset}/{build.name} is in {to}; load it with datasets.load_dataset("{to}")',
                  highlight=False, soft_wrap=True, markup=False)
