package testenv

import (
	"slices"
	"testing"
	"time"
)

func TestPrometheusScrapesAndFires(t *testing.T) {
	t.Parallel()
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	defer ReleasePort(port)
	p := StartPrometheusFor(t, PrometheusOptions{
		Job: "nobody", Targets: []string{loopback(port)}, Interval: 200 * time.Millisecond,
		Rules: "groups: [{name: a, rules: [{alert: Down, expr: 'up == 0'}]}]\n",
	})
	deadline := time.After(30 * time.Second)
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		firing, err := p.Firing()
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(firing, "Down") {
			break
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("nothing fires, though nobody answers")
		}
	}
	values, err := p.Query(`up{job="nobody"}`)
	if err != nil || len(values) != 1 || values[0].Value != 0 || values[0].Labels["instance"] != loopback(port) {
		t.Errorf("got %+v, %v, want one 0", values, err)
	}
	if _, err := p.Query("("); err == nil {
		t.Error("an expression that is none has a value")
	}
}
