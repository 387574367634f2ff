"""Settings of the page of metrics and health that every process serves."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from streams.config.sections.section import Section

PORTS: Final = {
    "worker": 9464, "adapter": 9465, "feed": 9466, "canary": 9467, "gate": 9468, "desk": 9469,
    "indexer": 9470, "notifier": 9471, "signal": 9472, "campaigns": 9473,
    "platforms": 9475,
}  # fmt: skip
"""Kind of process -> where it serves metrics and health, so that one of each fits on a machine."""


class Http(Section):
    """Metrics and health."""

    host: str = Field("127.0.0.1", description="loopback unless an operator says otherwise")
    port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="0: any free; none: the first of its kind of process, worker 9464 (the usual "
        "port of exporters), adapter 9465, feed 9466, canary 9467, gate 9468, desk 9469, indexer "
        "9470, notifier 9471, signal 9472, campaigns 9473, platforms 9475. Processes that share a "
        "file need it in their own environment, OTPGUARD_HTTP_PORT",
    )

    def port_of(self, kind: str) -> int:
        """The port of a process of this kind, a key of `PORTS`."""
        return PORTS[kind] if self.port is None else self.port
