"""KumoMTA records as its web hooks send them: those of the log, read by its reader."""

from __future__ import annotations

from collections.abc import Iterator

from whybounce.serving.intake import kumomta
from whybounce.serving.intake.events.provider import Event, Provider
from whybounce.serving.intake.format import Skipped
from whybounce.serving.intake.record import BounceRecord


def _read(event: Event, where: str) -> Iterator[BounceRecord | Skipped]:
    yield from kumomta.records(event, where)


PROVIDER = Provider(
    "kumomta", "KumoMTA", "kumomta", "type (Delivery, Bounce, …) beside queue and response", kumomta.is_record, _read
)
"""For the web service, and for arrays; records one a line are the format ``kumomta``."""
