"""The progress of a sweep, on the terminal."""

import numpy as np

from jaxdl.train.progress import Reporter
from jaxdl.train.sweeps.population import Population


class SweepReporter(Reporter):
    """The bar of `Reporter`, with the members that train, have stopped and have diverged beside it."""

    def say(self, line: str) -> None:
        """Print a line above the bar, unless progress is off."""
        if self.style != "off":
            self.bar.console.print(f"sweep: {line}", highlight=False)

    def chunk(self, done: int, population: Population, diverged: int, examples_per_second: float) -> None:
        """Show that `done` epochs are over; the speed is that of all members together."""
        training = int(population.active.sum())
        ended = population.members - training - diverged
        counts = f"{training} training" + (f", {ended} stopped" if ended else "")
        cells = [counts + (f", {diverged} diverged" if diverged else "")]
        name = "valid_loss" if "valid_loss" in population.carry.history else "loss"
        values = np.asarray(population.carry.history[name][:, done - 1])[population.real]
        if np.isfinite(values).any():
            cells.append(f"least {name} {np.nanmin(values):.4f}")
        cells.append(f"{examples_per_second:,.0f} examples/s")
        if self.style == "lines":
            self.bar.console.print(f"epoch {done:>3}  {'  '.join(cells)}", highlight=False)
        self.shown = done
        self.status(cells, done)
