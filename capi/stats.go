package main

import (
	"encoding/json"
	"runtime/metrics"
	"strconv"

	"github.com/libsds/libsds/core"
)

// runtimeMetrics are what the library's runtime does for all contexts of the
// process together: the memory that a host does not see in its own allocator.
var runtimeMetrics = []struct {
	core.Metric
	source string // the name that the runtime has for it
}{
	{core.Metric{Name: "sds_runtime_allocated_bytes_total", Type: core.Counter,
		Help: "Memory that the library has allocated from its own heap, in this process."}, "/gc/heap/allocs:bytes"},
	{core.Metric{Name: "sds_runtime_heap_bytes", Type: core.Gauge,
		Help: "What of that is in use or not collected yet."}, "/memory/classes/heap/objects:bytes"},
}

// stats are those of a context and of the runtime.
func (c *context) stats() core.Stats {
	stats := c.manager.Stats()
	samples := make([]metrics.Sample, len(runtimeMetrics))
	for i := range runtimeMetrics {
		samples[i].Name = runtimeMetrics[i].source
	}
	metrics.Read(samples)
	for i := range runtimeMetrics {
		metric := runtimeMetrics[i].Metric
		metric.Samples = []core.Sample{{Value: json.Number(strconv.FormatUint(samples[i].Value.Uint64(), 10))}}
		stats.Metrics = append(stats.Metrics, metric)
	}
	return stats
}
