package main

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"

	"tidemark/streams/sink"
)

// everything is a model for which each event that there is counts.
const everything = `
name: everything
version: 1
groups: {web: {cap: 90}}
signals:
  - {name: any, group: web, match: {type: "*"}, points: 50, half_life: 30d}
tiers:
  - {name: A, min: 40, mqa: true}
  - {name: C}
`

// Canaries of two instances go through both, and nobody else ever sees one: no tier
// change, no account, nothing left in an outbox; and the figures still add up.
func TestCanariesComeBackAndLeaveNoTrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), writeModel(t, everything), 3, "TIDEMARK_CANARY_EVERY=1s")
	var addresses []string
	for _, name := range []string{"a", "b"} {
		address := "127.0.0.1:" + newShell(t).port("8080")
		addresses = append(addresses, address)
		w.serve("TIDEMARK_HTTP_ADDR="+address, "TIDEMARK_KAFKA_INSTANCE_ID="+name)
	}
	now := time.Now()
	w.publish(w.cfg.Kafka.Topics.Engagement, []sink.Message{{Value: event("e1", "web.visit", now, "acme.example", "{}")}})
	sum := func(metric string) (sum float64) {
		for _, address := range addresses {
			sum += figure(t, address, metric)
		}
		return sum
	}
	eventually(t, time.Minute, func() error {
		for _, address := range addresses {
			if n := figure(t, address, "tidemark_canary_round_trip_seconds_count"); n < 3 {
				return fmt.Errorf("%v canaries came back at %s, want 3", n, address)
			}
		}
		return nil
	})
	if back, sent := sum("tidemark_canary_round_trip_seconds_count"), sum("tidemark_canary_sent_total"); back > sent {
		t.Errorf("%v canaries came back of %v that were sent", back, sent)
	}
	eventually(t, time.Minute, func() error {
		records, inputs, stored := sum("tidemark_source_records_total"), sum("tidemark_source_inputs_total"), sum("tidemark_engine_inputs_total")
		if records != inputs || inputs != stored || sum(`tidemark_engine_inputs_total{effect="canary"}`) != stored-1 {
			return fmt.Errorf("%v records read, %v inputs, %v stored: they must be the same, and all but one of them canaries", records, inputs, stored)
		}
		if n := len(w.read(w.cfg.Kafka.Topics.AccountTiers)); n != 1 {
			return fmt.Errorf("%d records in account-tiers, want that of acme.example alone", n)
		}
		return nil
	})
	if changes := w.changes(); len(changes) != 1 || changes[0].Data.Account != "acme.example" {
		t.Errorf("got %+v, want the one tier change of acme.example", changes)
	}
	accounts := 0
	for shard := range w.cfg.Redis.Shards {
		reply, err := servers.Redis(t).Do("HKEYS", fmt.Sprintf("%s:{%03d}:accounts", w.cfg.Namespace, shard))
		if err != nil {
			t.Fatal(err)
		}
		accounts += len(reply.([]any))
	}
	if accounts != 1 {
		t.Errorf("%d accounts in Redis, want acme.example alone", accounts)
	}
}

// figure is the sum of what a metric of an instance says over all its labels.
func figure(t *testing.T, address, metric string) (sum float64) {
	t.Helper()
	response, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read from
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(metric) + `(?:\{[^}]*\})? (\S+)$`)
	for _, m := range line.FindAllStringSubmatch(string(page), -1) {
		value, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += value
	}
	return sum
}
