"""``/v1/counters``: the figures of ``/metrics`` in short, for the page."""

from __future__ import annotations

from collections import Counter

from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from whybounce.serving.http.metrics import Metrics
from whybounce.serving.http.schemas_explain import CountedOut, CountersOut


def add(app: FastAPI, metrics: Metrics) -> None:
    """Register the endpoint."""

    @app.get("/v1/counters", response_model=CountersOut, tags=["about"])
    def counters() -> CountersOut:
        """Say what the service did since it was started."""
        return counted(metrics.text()[0].decode("utf-8"))


def counted(text: str) -> CountersOut:
    """Add up metrics in Prometheus' text format."""
    by_label: dict[str, dict[str, Counter[str]]] = {}
    totals: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
            for label, value in sample.labels.items():
                tally = by_label.setdefault(sample.name, {}).setdefault(label, Counter())
                tally[value] += int(sample.value)

    def total(name: str) -> int:
        return int(totals.get(f"whybounce_{name}", 0))

    def ranked(name: str, label: str) -> list[CountedOut]:
        tally = by_label.get(f"whybounce_{name}", {}).get(label, Counter())
        rows = sorted(tally.items(), key=lambda item: (-item[1], item[0]))
        return [CountedOut(name=value, count=count) for value, count in rows if count]

    status = by_label.get("whybounce_http_requests_total", {}).get("status", Counter())
    done = totals.get("whybounce_http_request_duration_seconds_count", 0.0)
    return CountersOut(
        requests=total("http_requests_total"),
        failed_requests=sum(count for code, count in status.items() if code >= "500"),
        refused_requests=sum(count for code, count in status.items() if "400" <= code < "500"),
        mean_milliseconds=1000 * totals["whybounce_http_request_duration_seconds_sum"] / done if done else None,
        predictions=total("predictions_total"),
        unsure=total("predictions_unsure_total"),
        cache_hits=total("cache_hits_total"),
        cache_misses=total("cache_misses_total"),
        reasons=ranked("predictions_total", "reason"),
        decided_by=ranked("predictions_total", "decided_by"),
        providers=ranked("predictions_total", "provider"),
    )
