"""Progress on the terminal: a bar where there is one, a line every few seconds where there is none."""

from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from assets.watch import Watcher, line
from generators.progress import Progress as Asked
from generators.serve import Start


class TerminalWatcher(Watcher):
    """A watcher that draws each stage's requests."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=30),
                   TextColumn("{task.fields[told]}", markup=False))
        self._bars = Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal)
        self._task = self._bars.add_task("", visible=False, told="")

    def __enter__(self) -> Self:
        """Start drawing."""
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop drawing."""
        self._bars.stop()

    def begin(self, title: str, log: Callable[[str], None]) -> None:
        """A stage begins."""
        super().begin(title, self._print if not self._console.is_terminal else lambda _: None)
        if self._console.is_terminal:
            self._bars.update(self._task, visible=False)
            self._task = self._bars.add_task(title, total=None, told="")
        else:
            self._print(title)

    def update(self, progress: Asked) -> None:
        """Some requests were answered."""
        super().update(progress)
        self._bars.update(self._task, completed=progress.done, total=progress.planned, told=line(progress))

    def server(self, start: Start) -> None:
        """A server is being started, or is ready."""
        super().server(start)
        self._bars.update(self._task, told=str(start))

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)
