"""The machines as a table: one a line, with what came out of each job."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from parity.machines.run import DIED, GREEN, JOBS, RED, Outcome

COLOURS = {GREEN: "[green]", RED: "[red]", DIED: "[red]"}


def table(outcomes: Sequence[Outcome]) -> Table:
    made = Table("machine", "what it is", *JOBS, "baseline's\nfalse alarms", "minutes")
    machines: dict[str, dict[str, Outcome]] = {}
    for outcome in outcomes:
        machines.setdefault(outcome.machine, {})[outcome.job] = outcome
    for name, jobs in machines.items():
        about = next(iter(jobs.values())).describes
        if "probe" in jobs:
            probed = jobs["probe"]
            colour = COLOURS.get(probed.status, "[yellow]")
            made.add_row(name, about, f"{colour}{probed.status}: {probed.message}", *[""] * (len(JOBS) + 1))
            continue
        cells = [_cell(jobs[job]) for job in JOBS]
        alarms, seconds = (sum(values) for values in zip(*((o.alarms, o.seconds) for o in jobs.values()), strict=True))
        made.add_row(name, about, *cells, str(alarms), f"{seconds / 60:.1f}")
    return made


def remarks(outcomes: Sequence[Outcome]) -> list[str]:
    """Sentences on what is off, what died of what, and which switches a library did not take; each once."""
    said = {f"{outcome.key}: {off}": None for outcome in outcomes for off in outcome.off}
    for outcome in outcomes:
        if outcome.message and outcome.status in (GREEN, RED):
            said[f"{outcome.machine}: {outcome.message}"] = None
        elif outcome.message and outcome.status == DIED:
            said[f"{outcome.key}: {outcome.message}"] = None
    return list(said)


def _cell(outcome: Outcome) -> str:
    right, off, left = (sum(counts[i] for counts in outcome.counts.values() if counts) for i in range(3))
    figures = f"{right} of {right + off}" + f", {left} not compared" * bool(left)
    return f"{COLOURS[outcome.status]}{outcome.status}[/] {figures}"
