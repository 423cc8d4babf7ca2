package lag

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	descRecords = prometheus.NewDesc("tidemark_lag_records",
		"Records of an input partition that no shard has stored. Every instance shows all partitions: take the max.", []string{"topic", "partition"}, nil)
	descSeconds = prometheus.NewDesc("tidemark_lag_seconds",
		"Age of the oldest record of an input partition that no shard has stored, by its Kafka timestamp; 0 when nothing waits.", []string{"topic", "partition"}, nil)
	descStatus = prometheus.NewDesc("tidemark_lag_status",
		"Burrow's status of an input partition: 0 OK, 1 WARN, 2 STALL, 3 STOP, 4 REWIND.", []string{"topic", "partition"}, nil)
	descLook = prometheus.NewDesc("tidemark_lag_look_seconds",
		"Time since Kafka and Redis were last asked how late it is; the other lag figures are as of then.", nil, nil)
	descOutbox = prometheus.NewDesc("tidemark_outbox_entries",
		"Tier changes that are stored and not yet published, of all shards.", nil, nil)
	descOutboxAge = prometheus.NewDesc("tidemark_outbox_age_seconds",
		"Age of the oldest tier change that is not yet published; 0 when none waits.", nil, nil)
	descSweep = prometheus.NewDesc("tidemark_sweep_delay_seconds",
		"For how long the oldest due account has been due; it waits while a partition is behind.", nil, nil)
)

// Describe implements prometheus.Collector.
func (k *Keeper) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descRecords, descSeconds, descStatus, descLook, descOutbox, descOutboxAge, descSweep} {
		to <- d
	}
}

// Collect implements prometheus.Collector. Ages go on growing between looks, as what
// waited at the latest one may still wait. Before the first look there are no figures.
func (k *Keeper) Collect(to chan<- prometheus.Metric) {
	k.mu.Lock()
	s := k.state
	k.mu.Unlock()
	if s == nil {
		return
	}
	now := k.watcher.Now()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(descLook, seconds(max(now-s.at, 0)))
	for p, sample := range s.samples {
		labels := []string{p.Topic, strconv.Itoa(p.ID)}
		gauge(descRecords, float64(sample.behind()), labels...)
		gauge(descStatus, float64(s.status[p]), labels...)
		switch at, waits := s.next[p]; {
		case waits:
			gauge(descSeconds, seconds(max(now-at, 0)), labels...)
		case sample.behind() == 0:
			gauge(descSeconds, 0, labels...)
		}
	}
	if s.outbox != nil {
		gauge(descOutbox, float64(s.outbox.Entries))
		age := 0.0
		if s.outbox.Entries > 0 {
			age = s.outbox.Seconds + seconds(max(now-s.at, 0))
		}
		gauge(descOutboxAge, age)
	}
	if s.due != nil {
		gauge(descSweep, seconds(overdue([]int64{*s.due}, now)))
	}
}
