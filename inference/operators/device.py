"""What of a GPU the time of an operator depends on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from topo_sim.base import UsageError
from topo_sim.base.files import suggest
from topo_sim.gpus import Gpu

__all__ = ["Device"]

_SAME_RATE = {"bf16": "fp16", "fp16": "bf16"}


@dataclass(frozen=True)
class Device:
    """A GPU as plain numbers.

    Parameters
    ----------
    name : str
    compute : mapping from str to float, FLOP/s
        Dense peak by number format.
    memory_bandwidth : float, B/s
    sms : int
        Streaming multiprocessors, or what takes one tile at a time.
    memory : float, B

    Raises
    ------
    UsageError
        If a number is not above 0 and finite, or there are no SMs.

    Examples
    --------
    >>> from topo_sim.gpus import load_gpus
    >>> lite = Device.of(load_gpus()["lite"])
    >>> lite.sms, lite.peak("fp8"), lite.memory_bandwidth
    (33, 500000000000000.0, 838000000000.0)
    """

    name: str
    compute: Mapping[str, float] = field(hash=False)
    memory_bandwidth: float
    sms: int
    memory: float

    def __post_init__(self) -> None:
        numbers = {"memory bandwidth": self.memory_bandwidth, "SMs": self.sms, "memory": self.memory}
        for what, value in {**numbers, **self.compute}.items():
            if not (value > 0 and math.isfinite(value)):
                raise UsageError(f"{self.name}: found {what} of {value}, expected a finite number above 0")
        if self.sms != int(self.sms):
            raise UsageError(f"{self.name}: found {self.sms} SMs, expected a whole number")

    @classmethod
    def of(cls, gpu: Gpu, level: str = "typical") -> "Device":
        """Take the numbers of a catalogue's GPU.

        Parameters
        ----------
        gpu : Gpu
        level : {"low", "typical", "high"}
            Of its ranges.

        Returns
        -------
        Device
        """
        compute = {name: value.at(level) for name, value in gpu.compute.items()}
        bandwidth, memory = gpu.memory_bandwidth.at(level), gpu.memory.at(level)
        return cls(gpu.name, compute, bandwidth, int(gpu.sms.at(level)), memory)

    def peak(self, form: str) -> float:
        """Tell the dense peak in a number format; formats of one size have one rate.

        Parameters
        ----------
        form : str
            For example "fp8".

        Returns
        -------
        float, FLOP/s

        Raises
        ------
        UsageError
            If the GPU does not compute in it.
        """
        for name in (form, _SAME_RATE.get(form, form)):
            if name in self.compute:
                return self.compute[name]
        near = suggest(form, list(self.compute))
        raise UsageError(
            f'{self.name}: found the number format "{form}", which it does not compute in: {near}'
        )
