package app

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/config"
	"tidemark/pkg/store/redis"
	"tidemark/pkg/webhook"
	"tidemark/streams/conn"
)

// HookAdmin is what operators do with webhooks.
type HookAdmin struct {
	cfg       config.Config
	endpoints []*webhook.Endpoint
	store     *redis.Store
	transport *conn.Transport
	log       zerolog.Logger
}

// Webhooks opens what the commands on webhooks need. The caller calls done at the end.
func Webhooks(ctx context.Context, c config.Config, log zerolog.Logger) (admin *HookAdmin, done func(), err error) {
	if c.Webhooks.File == "" {
		return nil, nil, fmt.Errorf("webhooks.file: is empty, so there are no endpoints")
	}
	a := &HookAdmin{cfg: c, log: log}
	if a.endpoints, err = webhook.Load(c.Webhooks.File); err != nil {
		return nil, nil, err
	}
	if a.store, err = OpenStore(ctx, c, readOnly, log); err != nil {
		return nil, nil, err
	}
	if a.transport, err = subscribersTransport(c); err != nil {
		return nil, nil, fmt.Errorf("kafka: %w", err)
	}
	return a, func() {
		a.transport.Close()
		_ = a.store.Close() // nothing waits to be written
	}, nil
}

// HookStanding is an endpoint as `webhooks list` shows it.
type HookStanding struct {
	Endpoint string
	Status   webhook.Status
	Depth    webhook.Depth
}

// List says how each endpoint stands.
func (a *HookAdmin) List(ctx context.Context) ([]HookStanding, error) {
	names := a.names()
	statuses, err := a.store.Hooks().Statuses(ctx)
	if err != nil {
		return nil, err
	}
	depths, err := a.store.Hooks().Depths(ctx, names)
	if err != nil {
		return nil, err
	}
	out := make([]HookStanding, len(names))
	for i, name := range names {
		out[i] = HookStanding{name, statuses[name], depths[i]}
	}
	return out, nil
}

func (a *HookAdmin) names() []string {
	out := make([]string, len(a.endpoints))
	for i, e := range a.endpoints {
		out[i] = e.Name
	}
	return out
}

func (a *HookAdmin) endpoint(name string) (*webhook.Endpoint, error) {
	for _, e := range a.endpoints {
		if e.Name == name {
			return e, nil
		}
	}
	return nil, fmt.Errorf("no endpoint %q in %s: there are %s", name, a.cfg.Webhooks.File, strings.Join(a.names(), ", "))
}

// Enable lets an endpoint have events again, and returns since when it had none, Unix
// milliseconds; 0 where it was not disabled.
func (a *HookAdmin) Enable(ctx context.Context, name string) (since int64, err error) {
	if _, err := a.endpoint(name); err != nil {
		return 0, err
	}
	statuses, err := a.store.Hooks().Statuses(ctx)
	if err != nil {
		return 0, err
	}
	return statuses[name].Since, a.store.Hooks().SetStatus(ctx, name, webhook.Status{})
}

// HookReplay says which events to send again.
type HookReplay struct {
	Endpoint string
	IDs      []string // of events, such as acme.example/3, or webhook-ids
	// Since and Until bound when events were published, Unix milliseconds; 0: no bound.
	Since, Until int64
}

// replayBatch is how many events are queued together.
const replayBatch = 500

// Replay reads the topics and queues the events that match and that the endpoint wants,
// under the webhook-ids that they always have. It returns how many.
func (a *HookAdmin) Replay(ctx context.Context, r HookReplay) (queued int, err error) {
	endpoint, err := a.endpoint(r.Endpoint)
	if err != nil {
		return 0, err
	}
	until := r.Until
	if until == 0 {
		until = math.MaxInt64
	}
	for _, topic := range webhookTopics(a.cfg) {
		from, err := feedOf(a.cfg, a.transport, topic, a.log)
		if err != nil {
			return queued, err
		}
		var batch []webhook.Entry
		flush := func() error {
			err := a.store.Hooks().Add(ctx, endpoint.Name, time.Now().UnixMilli(), batch)
			if err == nil {
				queued += len(batch)
			}
			batch = nil
			return err
		}
		err = from.Between(ctx, r.Since, until, func(value []byte) error {
			e, ok := r.entry(topic, value)
			if !ok || !endpoint.Wants(topic, value) || slices.ContainsFunc(batch, func(b webhook.Entry) bool { return b.Key == e.Key && b.Seq == e.Seq }) {
				return nil
			}
			if batch = append(batch, e); len(batch) < replayBatch {
				return nil
			}
			return flush()
		})
		if err == nil {
			err = flush()
		}
		if err != nil {
			return queued, fmt.Errorf("replay %s: %w", topic, err)
		}
	}
	return queued, nil
}

// entry makes an entry of an event that is meant.
func (r *HookReplay) entry(topic string, value []byte) (webhook.Entry, bool) {
	var head struct{ ID, Source string }
	e, err := webhook.NewEntry(topic, value)
	if err != nil || json.Unmarshal(value, &head) != nil {
		return e, false
	}
	meant := len(r.IDs) == 0 || slices.Contains(r.IDs, head.ID) || slices.Contains(r.IDs, webhook.ID(topic, head.Source, head.ID))
	return e, meant
}
