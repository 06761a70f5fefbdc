"""Which requests a user asks for: a trace, or a workload with changes."""

from collections.abc import Sequence
from typing import Any

from topo_sim.base import UsageError
from topo_sim.inference.serving import find_workload, read_trace

__all__ = ["requests_of"]


def requests_of(
    rate: float | None = None,
    *,
    workload: str = "coding",
    prompt: int | None = None,
    answer: int | None = None,
    spread: float | None = None,
    workloads: Sequence[str] = (),
    trace: str | None = None,
) -> dict[str, Any]:
    """Say what `studies.serving.Question` is to be asked about.

    Parameters
    ----------
    rate : float, optional, 1/s
    workload : str
    prompt, answer : int, optional
        Median tokens in the place of the workload's.
    spread : float, optional
        Deviation of the logarithm of both lengths.
    workloads : sequence of str
        Files over those that ship.
    trace : str, optional
        CSV file; nothing else goes with it.

    Returns
    -------
    dict
        Arguments of `Question`.

    Raises
    ------
    UsageError
        If a number is out of range, or options do not go together.

    Examples
    --------
    >>> found = requests_of(5.0, workload="paper", answer=10)
    >>> found["rate"], found["workload"].prompt, found["workload"].output
    (5.0, 1500, 10)
    """
    if trace is not None:
        if not (rate is None and prompt is None and answer is None and spread is None):
            raise UsageError("--trace: found with a rate or lengths, expected it alone: they are in the file")
        return {"trace": read_trace(trace)}
    found = find_workload(workload, workloads)
    changes: dict[str, Any] = {}
    for name, value in (("prompt", prompt), ("output", answer)):
        if value is not None:
            if value < 1:
                option = "--prompt" if name == "prompt" else "--answer"
                raise UsageError(f"{option}: found {value} tokens, expected at least 1")
            changes[name] = value
    if spread is not None:
        if not 0 <= spread <= 4:
            raise UsageError(f"--spread: found {spread}, expected a number from 0 to 4")
        changes |= {"prompt_spread": spread, "output_spread": spread}
    if changes:
        given = {"prompt": prompt, "answer": answer, "spread": spread}
        about = ", ".join(f"{name} {value}" for name, value in given.items() if value is not None)
        found = found.model_copy(update={**changes, "name": f"{found.name} with {about}"})
    return {"workload": found, "rate": rate}
