package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Cluster is a Redis Cluster that was started for a bench.
type Cluster struct {
	Addrs []string
	PIDs  []int // of its nodes
	// Stop ends its nodes.
	Stop func() error
}

// backlogSpan is the event time that the instances' backlog covers: with several, none
// runs more than max_lead ahead of the others, and each such step costs an exchange.
const backlogSpan = 24 * time.Hour

// instances measures where the time goes with a second instance, and on a Redis
// Cluster: the same backlog of half the workload's events each time.
func (b *bench) instances(ctx context.Context) (err error) {
	d, err := b.deploy(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.remove(ctx, d, nil)) }()
	w := b.opts.Workload
	w.Events, w.Span = max(w.Events/2, 1), backlogSpan
	if err := b.load(ctx, d, w); err != nil {
		return err
	}
	input := map[string]string{topicIntent: d.cfg.Kafka.Topics.Intent, topicEngagement: d.cfg.Kafka.Topics.Engagement}
	for range b.opts.Rounds {
		for _, n := range []int{1, 2} {
			if err := b.instancesOn(ctx, input, w.Events, n, nil); err != nil {
				return err
			}
		}
		if err := b.onCluster(ctx, input, w.Events); err != nil {
			return err
		}
	}
	return nil
}

// onCluster measures one instance on a cluster, if one can be started.
func (b *bench) onCluster(ctx context.Context, input map[string]string, n int) error {
	if b.opts.StartCluster == nil {
		b.report.note("instances: no Redis Cluster, as the servers are not the bench's own")
		return nil
	}
	c, err := b.opts.StartCluster()
	if err != nil {
		return err
	}
	return errors.Join(b.instancesOn(ctx, input, n, 1, &c), c.Stop())
}

// instancesOn measures so many instances on the usual Redis, or on a cluster.
func (b *bench) instancesOn(ctx context.Context, input map[string]string, n, instances int, c *Cluster) (err error) {
	d, err := b.deploy(ctx, input)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.remove(ctx, d, input)) }()
	name, redis := instancesName(instances), b.ownRedis()
	if c != nil {
		name, redis = fmt.Sprintf("Redis Cluster of %d: ", len(c.PIDs)), nil
		for i, pid := range c.PIDs {
			redis = append(redis, watched{fmt.Sprintf("redis %d", i+1), pid})
		}
		if err := d.set("redis.addrs", strings.Join(c.Addrs, ",")); err != nil {
			return err
		}
	}
	r, err := b.race(ctx, d, n, instances, redis)
	if err != nil {
		return err
	}
	b.noteRace(SectionInstances, name, r)
	first := b.report.latest(SectionInstances, instancesName(1)+"catch-up")
	if instances > 1 || c != nil {
		b.report.add(SectionInstances, name+"to one on a single Redis", "", r.rate/first)
	}
	return nil
}

func instancesName(n int) string {
	if n == 1 {
		return "one instance: "
	}
	return fmt.Sprintf("%d instances: ", n)
}
