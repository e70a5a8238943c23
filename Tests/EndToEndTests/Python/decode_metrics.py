"""Decodes requests of an OTLP metrics exporter with the official package and prints, as JSON, each
point under the name and labels that Prometheus gives it.

usage: decode_metrics.py FILE...
"""

import gzip
import json
import sys

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest)

words = {"s": "_seconds", "By": "_bytes", "1": "_ratio"}
renamed = {"gen_ai.provider.name": "provider", "gen_ai.request.model": "model"}


def escaped(text):
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def labels(attributes, more=()):
    pairs = [(renamed.get(a.key, a.key), a.value.string_value) for a in attributes] + list(more)
    return "{" + ",".join(f'{k}="{escaped(v)}"' for k, v in pairs) + "}" if pairs else ""


def number(point):
    return point.as_int if point.WhichOneof("value") == "as_int" else point.as_double


result = {"resource": {}, "points": {}, "starts": {}, "temporality": set(), "bytes": []}
for name in sys.argv[1:]:
    body = gzip.decompress(open(name, "rb").read())
    result["bytes"].append(len(body))
    request = ExportMetricsServiceRequest.FromString(body)
    assert request.SerializeToString() == body, "not in the canonical form"
    for owned in request.resource_metrics:
        for a in owned.resource.attributes:
            result["resource"][a.key] = a.value.string_value
        for scoped in owned.scope_metrics:
            for metric in scoped.metrics:
                family = metric.name.replace(".", "_") + words.get(metric.unit, "")
                kind = metric.WhichOneof("data")
                data = getattr(metric, kind)
                if kind != "gauge":
                    result["temporality"].add(data.aggregation_temporality)
                for point in data.data_points:
                    assert point.time_unix_nano >= point.start_time_unix_nano
                    if kind == "histogram":
                        below = 0
                        bounds = list(point.explicit_bounds) + [float("inf")]
                        assert len(bounds) == len(point.bucket_counts)
                        for bound, count in zip(bounds, point.bucket_counts):
                            below += count
                            text = "+Inf" if bound == float("inf") else repr(bound)
                            key = labels(point.attributes, [("le", text)])
                            result["points"][f"{family}_bucket{key}"] = below
                        key = labels(point.attributes)
                        result["points"][f"{family}_count{key}"] = point.count
                        result["points"][f"{family}_sum{key}"] = point.sum
                        assert below == point.count
                    else:
                        if kind == "sum":
                            assert data.is_monotonic
                            family_total = family + "_total"
                        else:
                            family_total = family
                            assert point.start_time_unix_nano == 0
                        key = family_total + labels(point.attributes)
                        assert key not in result["points"], key
                        result["points"][key] = number(point)
                        result["starts"][key] = point.start_time_unix_nano
result["temporality"] = sorted(result["temporality"])
json.dump(result, sys.stdout)
