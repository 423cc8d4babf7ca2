package bench

import (
	"errors"
	"fmt"
	"time"
)

// watched is a process whose processor time is watched.
type watched struct {
	name string
	pid  int
}

// servers are those beside serve that are ours to watch: each Redis, and Kafka.
func (b *bench) servers(redis []watched) []watched {
	if b.opts.KafkaPID != 0 {
		redis = append(redis, watched{"kafka", b.opts.KafkaPID})
	}
	return redis
}

// ownRedis is the Redis of the other sections, if it is ours to watch.
func (b *bench) ownRedis() []watched {
	if b.opts.RedisPID == 0 {
		return nil
	}
	return []watched{{"redis", b.opts.RedisPID}}
}

// cpuOfAll is the processor time that each program used so far.
func cpuOfAll(programs []watched) ([]time.Duration, error) {
	out := make([]time.Duration, len(programs))
	var faults []error
	for i, p := range programs {
		var err error
		out[i], err = cpuOf(p.pid)
		faults = append(faults, err)
	}
	return out, errors.Join(faults...)
}

// instance is a deployment as its n-th instance is given it, counted from 1.
func (d *deployment) instance(n int) (*deployment, error) {
	settings := make(map[string]string, len(d.settings))
	for key, value := range d.settings {
		settings[key] = value
	}
	out := &deployment{cfg: d.cfg, settings: settings}
	return out, out.set("kafka.instance_id", fmt.Sprintf("bench-%d", n))
}
