"""Settings of the HTTP endpoint for metrics and health that every process has."""

from typing import Final

from pydantic import Field

from streams.config.sections.section import Section

PORTS: Final = {
    "worker": 9464, "adapter": 9465, "feed": 9466, "canary": 9467, "gate": 9468, "desk": 9469,
    "indexer": 9470, "notifier": 9471, "signal": 9472, "campaigns": 9473,
    "platforms": 9475, "memory": 9476,
}  # fmt: skip
"""Default port for metrics and health by kind of process. The ports differ, so that one process of
each kind can run on the same machine."""


class Http(Section):
    """The HTTP endpoint for metrics and health."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="0: any free; none: the first of its kind of process, worker 9464 (the usual "
        "port of exporters), adapter 9465, feed 9466, canary 9467, gate 9468, desk 9469, indexer "
        "9470, notifier 9471, signal 9472, campaigns 9473, platforms 9475, memory 9476. Processes "
        "that share a file need it in their own environment, OTPGUARD_HTTP_PORT",
    )

    def port_of(self, kind: str) -> int:
        """Return the port for a kind of process, which is a key of `PORTS`."""
        return PORTS[kind] if self.port is None else self.port
