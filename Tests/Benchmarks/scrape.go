// The page of client_golang with as many series as bench.py gives to costgauge: the same names, labels and values.
// Listens on the port given until it is killed; GET /fill?sets=N makes the series, four a label set.
package main

import (
	"fmt"
	"net/http"
	"os"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func main() {
	registry := prometheus.NewRegistry()
	labels := []string{"tenant", "feature", "provider", "model"}
	counters := func(name string, help string, extra ...string) *prometheus.CounterVec {
		vector := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append(labels[:4:4], extra...))
		registry.MustRegister(vector)
		return vector
	}
	cost := counters("costgauge_cost_usd_total", "Cost of calls in US dollars.")
	tokens := counters("costgauge_tokens_total", "Tokens by kind; the kinds do not overlap.", "kind")
	requests := counters("costgauge_requests_total", "Calls by how they ended.", "status")
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))

	// One request fills the server's own buffers before the memory is read: GET /fill adds the series.
	http.HandleFunc("/fill", func(answer http.ResponseWriter, request *http.Request) {
		sets, _ := strconv.Atoi(request.URL.Query().Get("sets"))
		for index := 0; index < sets; index++ {
			tenant, feature := "t"+strconv.Itoa(index%500), "f"+strconv.Itoa(index/500)
			cost.WithLabelValues(tenant, feature, "p", "m").Add(0.001)
			tokens.WithLabelValues(tenant, feature, "p", "m", "input").Add(5)
			tokens.WithLabelValues(tenant, feature, "p", "m", "output").Add(3)
			requests.WithLabelValues(tenant, feature, "p", "m", "ok").Inc()
		}
	})
	if err := http.ListenAndServe("127.0.0.1:"+os.Args[1], nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
