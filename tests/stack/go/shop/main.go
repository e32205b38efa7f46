// A small shop to deliver: one page, with an error share, a latency and a crash to order, and metrics of its own.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

type shop struct {
	version, pod string
	latency      time.Duration
	errorShare   atomic.Value // float64
	ready        atomic.Bool
	metrics      *metrics
	errorStatus  int
	gateway      *url.URL // whose page of metrics is shown besides; nil: nobody's
}

func (s *shop) page(w http.ResponseWriter, _ *http.Request) {
	began := time.Now()
	time.Sleep(s.latency)
	code := http.StatusOK
	if rand.Float64() < s.errorShare.Load().(float64) {
		code = s.errorStatus
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Version", s.version)
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"version": s.version, "pod": s.pod})
	s.metrics.observe(code, time.Since(began))
}

func (s *shop) health(w http.ResponseWriter, _ *http.Request) {
	if !s.ready.Load() {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (s *shop) changeErrorShare(w http.ResponseWriter, r *http.Request) {
	share, err := parseShare(r.URL.Query().Get("value"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.errorShare.Store(share)
	fmt.Fprintf(w, "error share is %g\n", share)
}

func (s *shop) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", s.page)
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("GET /metrics", s.metrics.page)
	mux.HandleFunc("POST /admin/error-share", s.changeErrorShare)
	if s.gateway != nil {
		mux.Handle("GET /stats/prometheus", httputil.NewSingleHostReverseProxy(s.gateway))
	}
	return mux
}

// serve runs until SIGTERM or SIGINT, then says "not ready" and serves on for the drain: endpoints and
// gateways need a moment to hear of it, and a pod that is taken away must not cost a request.
func (s *shop) serve(address string, drain time.Duration) error {
	server := &http.Server{Addr: address, Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-stop.Done():
	}
	s.ready.Store(false)
	time.Sleep(drain)
	bounded, done := context.WithTimeout(context.Background(), 5*time.Second)
	defer done()
	return server.Shutdown(bounded)
}

func main() {
	version := flag.String("version", text("VERSION", "dev"), "what X-Version and the metrics say")
	share := flag.String("error-share", text("ERROR_SHARE", "0"), "share of requests that fail, 0 to 1")
	status := flag.Int("error-status", number("ERROR_STATUS", 500), "what those are answered")
	latency := flag.Int("latency-ms", number("LATENCY_MS", 0), "milliseconds before each answer")
	crash := flag.Bool("crash", text("CRASH", "") == "1" || text("CRASH", "") == "true", "end with code 1")
	crashAfter := flag.Float64("crash-after-s", float("CRASH_AFTER_S", 0), "seconds until it does")
	readyAfter := flag.Float64("ready-after-s", float("READY_AFTER_S", 0), "seconds until /healthz says ok")
	drain := flag.Float64("drain-s", float("DRAIN_S", 2), "seconds served after SIGTERM")
	gateway := flag.String("gateway", text("GATEWAY", ""), "address whose /stats/prometheus is shown as ours")
	port := flag.Int("port", number("PORT", 8080), "where to listen")
	flag.Parse()

	pod, _ := os.Hostname()
	s := &shop{version: *version, pod: pod, latency: time.Duration(*latency) * time.Millisecond}
	s.metrics, s.errorStatus = newMetrics(*version), *status
	parsed, err := parseShare(*share)
	if err != nil {
		fail(err)
	}
	s.errorShare.Store(parsed)
	if *gateway != "" {
		if s.gateway, err = url.Parse(*gateway); err != nil {
			fail(err)
		}
	}
	time.AfterFunc(seconds(*readyAfter), func() { s.ready.Store(true) })
	if *crash {
		time.AfterFunc(seconds(*crashAfter), func() { fail(fmt.Errorf("crashed, as ordered by CRASH")) })
	}
	if err := s.serve(fmt.Sprintf(":%d", *port), seconds(*drain)); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "shop:", err)
	os.Exit(1)
}

func parseShare(given string) (float64, error) {
	share, err := strconv.ParseFloat(given, 64)
	if err != nil || !(share >= 0 && share <= 1) {
		return 0, fmt.Errorf("error share %q is not a number from 0 to 1", given)
	}
	return share, nil
}

func seconds(given float64) time.Duration { return time.Duration(given * float64(time.Second)) }

func text(name, otherwise string) string {
	if value, given := os.LookupEnv(name); given && value != "" {
		return value
	}
	return otherwise
}

func float(name string, otherwise float64) float64 {
	value, err := strconv.ParseFloat(text(name, fmt.Sprint(otherwise)), 64)
	if err != nil {
		fail(fmt.Errorf("%s=%q is not a number", name, os.Getenv(name)))
	}
	return value
}

func number(name string, otherwise int) int { return int(float(name, float64(otherwise))) }
