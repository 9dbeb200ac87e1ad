"""What a drill found, as a table."""

from dataclasses import dataclass, field

HEADING = f"{'loss':58} {'RTO s':>8} {'RPO s':>8} {'acknowledged':>13} {'lost':>5}  "
RTO, RPO = 600.0, 60.0
"""Seconds that may pass until writes are accepted again, and of which writes may be lost."""


@dataclass
class Result:
    """`rto` are the seconds from the loss to the first write that was accepted again. `rpo` is the
    age, at the moment of the loss, of the oldest acknowledged write that is missing."""

    loss: str
    rto: float
    rpo: float = 0.0
    acknowledged: int = 0
    lost: int = 0
    steps: dict[str, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not self.problems and self.rto <= RTO and self.rpo <= RPO

    def __str__(self) -> str:
        line = (
            f"{self.loss:58} {self.rto:8.1f} {self.rpo:8.2f} {self.acknowledged:13} {self.lost:5}"
            f"  {'good' if self.is_good else 'BAD'}"
        )
        steps = ", ".join(f"{name} {spent:.1f} s" for name, spent in self.steps.items())
        return "\n  ".join([line, *([steps] if steps else []), *self.problems])
