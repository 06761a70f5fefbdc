"""Logs sorted into series: which fabric each row ran on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from topo_sim.base import UnknownNameError, UsageError, format_quantity, nearest
from topo_sim.collectives.collective import COLLECTIVES as ALL
from topo_sim.collectives.measured import SYSTEMS, Measurement, read_log, shipped_log
from topo_sim.collectives.measured.fitting import LARGE, Series
from topo_sim.collectives.models.calibrated import COLLECTIVES
from topo_sim.collectives.models.constants import network_of
from topo_sim.collectives.models.layout import layout_of
from topo_sim.topo import Fabric
from topo_sim.topo.files import load_fabric

__all__ = ["LogSorter"]

_FAR = 2.0  # factor between a measured bandwidth and that of a fabric from which they do not match


@dataclass
class LogSorter:
    """Puts the rows of logs on the fabrics that they ran on.

    Parameters
    ----------
    home : Fabric
        For rows whose system is not a shipped one.
    network, generation : str, optional
        Of `home`, as the user says.
    notes : list of str
        Signs that a log was not measured on the fabric that it is compared with.
    faults : list of str
        Rows left out, one line each.
    uncovered : dict from str to int
        Rows of collectives that the model does not cover.
    """

    home: Fabric
    network: str | None
    generation: str | None
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    uncovered: dict[str, int] = field(default_factory=dict)

    def series(self, reference: str) -> list[Series]:
        """Read a log.

        Parameters
        ----------
        reference : str
            ``FILE``, ``FABRIC=FILE``, the name of a shipped system, or ``all``.

        Returns
        -------
        list of Series

        Raises
        ------
        UsageError, FaultsError
            If there is no such log, or no sound row in it.
        """
        place, mark, rest = reference.partition("=")
        if mark and not Path(reference).exists():
            return self._file(rest, load_fabric(place))
        if not Path(reference).is_file():
            names = list(SYSTEMS) if reference == "all" else [reference]
            try:
                logs = {name: shipped_log(name).rows for name in names}
            except UnknownNameError:
                hint = nearest(reference, [*SYSTEMS, "all"])
                raise UsageError(
                    f'log: found "{reference}", expected a file, FABRIC=FILE, or a shipped log: {hint}'
                ) from None
            return [s for name, rows in logs.items() for s in self._split(name, load_fabric(name), rows)]
        return self._file(reference, None)

    def _file(self, path: str, fabric: Fabric | None) -> list[Series]:
        """Rows of a shipped system go to its fabric, all others to the one named or the study's."""
        log = read_log(path)
        self.faults += [f for f in log.faults if f not in self.faults]
        known = {s.hardware: s.name for s in SYSTEMS.values()}
        groups: dict[tuple[str, int], list[Measurement]] = {}
        for row in log.rows:
            groups.setdefault((row.system, row.ranks), []).append(row)
        found: list[Series] = []
        for (hardware, ranks), rows in groups.items():
            name = known.get(hardware) if fabric is None else None
            if name is not None and SYSTEMS[name].ranks == ranks:
                found += self._split(name, load_fabric(name), rows)
                continue
            where = self.home if fabric is None else fabric
            if ranks > where.ranks:
                first = rows[0]
                self.faults.append(
                    f"{path}: line {first.line}: found {ranks} ranks ({len(rows)} rows), {where.name} has "
                    f"{where.ranks} endpoints, expected no more; name another as FABRIC={Path(path).name}"
                )
                continue
            parts = self._split(hardware or Path(path).stem, where, rows)
            self.notes += [note for note in _doubts(path, where, parts) if note not in self.notes]
            found += parts
        return found

    def _split(self, system: str, fabric: Fabric, rows: Sequence[Measurement]) -> list[Series]:
        found = []
        own = fabric.name == self.home.name
        for collective in dict.fromkeys(row.collective for row in rows):
            mine = sorted((r for r in rows if r.collective == collective), key=lambda r: (r.size, r.line))
            if collective not in COLLECTIVES or mine[0].ranks < 2:
                self.uncovered[collective] = self.uncovered.get(collective, 0) + len(mine)
                continue
            sizes = np.array([r.size for r in mine])
            wild = SYSTEMS[system].outliers.get(collective, []) if system in SYSTEMS else []
            found.append(
                Series(
                    system,
                    fabric.name,
                    network_of(fabric.name, self.network if own else None),
                    layout_of(fabric, mine[0].ranks),
                    collective,
                    sizes,
                    np.array([r.time for r in mine]),
                    np.isin(sizes, wild),
                    self.generation if own else None,
                )
            )
        return found


def _doubts(path: str, fabric: Fabric, series: Sequence[Series]) -> list[str]:
    """Say what speaks against a log being one of the fabric."""
    found = [
        f"{path}: has {ranks} ranks, {fabric.name} {fabric.ranks} endpoints: taken as its first {ranks}"
        for ranks in sorted({s.layout.ranks for s in series if s.layout.ranks < fabric.ranks})
    ]
    for s in series:
        layout, factor = s.layout, ALL[s.collective].busbw_factor(s.layout.ranks)
        rates = [rate for rate in (layout.local_rate, layout.node_rate) if rate > 0]
        large = s.sizes >= LARGE
        if not (large.any() and rates):
            continue
        peak, rate = float((s.sizes[large] / s.times[large]).max()) * factor, min(rates)
        if not rate / _FAR <= peak <= rate * _FAR:
            what = "its machines send" if layout.nodes > 1 else "an endpoint sends"
            found.append(
                f"{path}: {s.collective} reaches a bus bandwidth of {format_quantity(peak, 'rate')}, on "
                f"{fabric.name} {what} {format_quantity(rate, 'rate')}: was it measured on another "
                f"fabric? Name that as FABRIC={Path(path).name}"
            )
    return found
