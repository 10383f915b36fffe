"""What the server says about itself: logs, spans, measurements, error reports.

A leaf: everybody may import it, it imports nobody. Off, a call costs well under 5 µs.
"""

from eunoe.telemetry.context import bind, bound
from eunoe.telemetry.logs import configure_logging
from eunoe.telemetry.metrics import (
    Checkout,
    count,
    in_flight,
    measure,
    observe_sse,
    record_no_token,
    record_readiness,
    record_reply,
    record_request,
    record_run_finished,
    record_run_started,
    record_step,
    record_tool,
    record_ttft_ms,
    shift,
    watch_event_loop,
)
from eunoe.telemetry.reports import adopt_reports, configure_reports, flush_reports, report
from eunoe.telemetry.setup import configure_telemetry, exposed, stop_telemetry, use_providers
from eunoe.telemetry.switch import Span
from eunoe.telemetry.traces import add_event, collects, describe, span, trace_id, traceparent

__all__ = [
    "Checkout",
    "Span",
    "add_event",
    "adopt_reports",
    "bind",
    "bound",
    "collects",
    "configure_logging",
    "configure_reports",
    "configure_telemetry",
    "count",
    "describe",
    "exposed",
    "flush_reports",
    "in_flight",
    "measure",
    "observe_sse",
    "record_no_token",
    "record_readiness",
    "record_reply",
    "record_request",
    "record_run_finished",
    "record_run_started",
    "record_step",
    "record_tool",
    "record_ttft_ms",
    "report",
    "shift",
    "span",
    "stop_telemetry",
    "trace_id",
    "traceparent",
    "use_providers",
    "watch_event_loop",
]
