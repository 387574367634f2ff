"""A reconciler on the real clock, for tests of gateways that are real."""

from __future__ import annotations

from streams.gateways.enforce.reconcile import Reconciler, Report
from tests.enforce.loop import now_ms
from tests.waiting import wait_until


def settle(reconciler: Reconciler) -> Report:
    """Run until the gateway is as it should be, and return what was told meanwhile."""
    whole = Report()

    def settled() -> bool:
        report = reconciler.step(now_ms())
        whole.acks += report.acks
        whole.dead += report.dead
        return reconciler.idle()

    wait_until(settled, "the gateway is as it should be", pause_s=0.02)
    return whole
