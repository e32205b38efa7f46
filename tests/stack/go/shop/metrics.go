package main

import (
	"fmt"
	"net/http"
	"sort"
	"sync"
	"time"
)

var bounds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// metrics are the shop's own counters, in Prometheus' text format.
type metrics struct {
	version string
	mu      sync.Mutex
	codes   map[int]uint64
	buckets []uint64 // one per bound, not yet summed up
	count   uint64
	sum     float64
}

func newMetrics(version string) *metrics {
	// Both codes from the start: a counter that appears with its first error hides that error from rate().
	return &metrics{version: version, codes: map[int]uint64{200: 0, 500: 0}, buckets: make([]uint64, len(bounds))}
}

func (m *metrics) observe(code int, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.codes[code]++
	m.count++
	m.sum += took.Seconds()
	if at := sort.SearchFloat64s(bounds, took.Seconds()); at < len(bounds) {
		m.buckets[at]++
	}
}

func (m *metrics) page(w http.ResponseWriter, _ *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	fmt.Fprintln(w, "# HELP shop_requests_total Pages served, by answer.\n# TYPE shop_requests_total counter")
	codes := make([]int, 0, len(m.codes))
	for code := range m.codes {
		codes = append(codes, code)
	}
	sort.Ints(codes)
	for _, code := range codes {
		fmt.Fprintf(w, "shop_requests_total{version=%q,code=\"%d\"} %d\n", m.version, code, m.codes[code])
	}
	name := "shop_request_duration_seconds"
	fmt.Fprintf(w, "# HELP %s Time to serve a page.\n# TYPE %s histogram\n", name, name)
	var below uint64
	for at, bound := range bounds {
		below += m.buckets[at]
		fmt.Fprintf(w, "%s_bucket{version=%q,le=\"%g\"} %d\n", name, m.version, bound, below)
	}
	fmt.Fprintf(w, "%s_bucket{version=%q,le=\"+Inf\"} %d\n", name, m.version, m.count)
	fmt.Fprintf(w, "%s_sum{version=%q} %g\n%s_count{version=%q} %d\n", name, m.version, m.sum, name, m.version, m.count)
}
