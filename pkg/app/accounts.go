package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/api"
	"tidemark/pkg/config"
	"tidemark/pkg/engine"
	"tidemark/pkg/follow"
	"tidemark/pkg/store"
	"tidemark/pkg/store/redis"
	"tidemark/scoring"
	"tidemark/streams/codec"
	"tidemark/streams/conn"
	"tidemark/streams/tail"
)

// Accounts answers questions about accounts, for commands and for the API alike. Any
// number of goroutines may ask.
type Accounts struct {
	namespace string
	store     *redis.Store
	log       zerolog.Logger
	now       func() int64
	changes   *tail.Follower // of tier-changes; nil: nobody asks for them

	mu     sync.Mutex    // guards what follows; held over the network, so that one compiles for all
	models []store.Model // those that ruled comes from
	ruled  reign
}

// OpenAccounts opens the store to answer a command. With changes, it asks Kafka for the
// tier changes of accounts. Whoever opened it calls done.
func OpenAccounts(ctx context.Context, c config.Config, changes bool, log zerolog.Logger) (a *Accounts, done func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	var transport *conn.Transport
	if changes {
		kafka, err := KafkaConfig(c, []string{c.Kafka.Topics.TierChanges})
		if err != nil {
			return nil, nil, err
		}
		if transport, err = conn.NewTransport(kafka); err != nil {
			return nil, nil, fmt.Errorf("kafka: %w", err)
		}
	}
	s, err := OpenStore(ctx, c, readOnly, log)
	done = func() {
		if transport != nil {
			transport.Close()
		}
		if s != nil {
			s.Close() //nolint:errcheck // only read from
		}
	}
	if err == nil {
		a, err = newAccounts(c, s, transport, func() int64 { return time.Now().UnixMilli() }, log)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return a, done, nil
}

// newAccounts wires an Accounts to a store and, unless it is nil, a cluster.
func newAccounts(c config.Config, s *redis.Store, transport *conn.Transport, now func() int64, log zerolog.Logger) (a *Accounts, err error) {
	a = &Accounts{namespace: c.Namespace, store: s, log: log, now: now}
	if transport != nil {
		a.changes, err = tail.New(tail.Config{Transport: transport, Topic: c.Kafka.Topics.TierChanges}, log)
	}
	return a, err
}

// reign is what is in force in the store now, compiled once.
func (a *Accounts) reign(ctx context.Context) (reign, error) {
	r, _, err := a.latestReign(ctx)
	return r, err
}

func (a *Accounts) latestReign(ctx context.Context) (r reign, latest store.Model, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	models, err := a.store.Models(ctx)
	if err == nil && len(models) == 0 {
		err = fmt.Errorf("namespace %q holds no model: has `tidemark serve` run there?", a.namespace)
	}
	if err != nil {
		return r, latest, err
	}
	if !slices.Equal(models, a.models) {
		if r, err = reignOf(ctx, a.store, models); err != nil {
			return r, latest, err
		}
		a.models, a.ruled = models, r
	}
	return a.ruled, models[len(models)-1], nil
}

// Standing is how an account stands at an instant, Unix milliseconds.
func (a *Accounts) Standing(ctx context.Context, account string, at int64) (*Standing, error) {
	r, err := a.reign(ctx)
	if err != nil {
		return nil, err
	}
	records, err := a.store.Load(ctx, engine.WantedOf([]string{account}, a.store.Shards())...)
	if err != nil {
		return nil, err
	}
	found, err := r.read(records[0])
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, fmt.Errorf("%w: %q in namespace %q", ErrNoAccount, account, a.namespace)
	}
	return standing(r.model, account, found, at, a.now()), nil
}

// Get implements api.Accounts.
func (a *Accounts) Get(ctx context.Context, q api.AccountQuery) (*api.Account, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	at := a.now()
	if q.At != nil {
		at = q.At.UnixMilli()
	}
	s, err := a.Standing(ctx, CleanAccount(q.Account), at)
	if err != nil {
		return nil, err
	}
	out := s.view()
	if a.changes != nil && q.Changes > 0 {
		latest, err := a.latest(ctx, s, q.Changes)
		if err != nil {
			a.log.Warn().Err(err).Str("account", s.Account).Msg("tier changes cannot be read, answering without them")
		}
		out.Changes = &latest
	}
	return out, nil
}

// CleanAccount is an account's id as events have it.
func CleanAccount(id string) string { return strings.ToLower(strings.TrimSpace(id)) }

// latestTimeout bounds a look at the log: the rest of the answer is there already.
const latestTimeout = 5 * time.Second

// latest are the latest tier changes of an account, the latest first, repeats dropped;
// nil where the log cannot be read.
func (a *Accounts) latest(ctx context.Context, s *Standing, most int) ([]api.TierChange, error) {
	if s.Seq == 0 {
		return []api.TierChange{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, latestTimeout)
	defer cancel()
	records, err := a.changes.Latest(ctx, s.Account, func(found []tail.Record) bool {
		changes := changesOf(found, most)
		return len(changes) == most || len(changes) > 0 && changes[len(changes)-1].Seq == 1
	})
	if err != nil {
		return nil, err
	}
	return changesOf(records, most), nil
}

// changesOf are the latest of the tier changes that records hold, the latest first.
func changesOf(records []tail.Record, most int) []api.TierChange {
	out := []api.TierChange{}
	for _, r := range slices.Backward(records) {
		c, err := follow.ParseChange(r.Value)
		if err != nil || slices.ContainsFunc(out, func(has api.TierChange) bool { return has.Seq == c.Data.Seq }) {
			continue
		}
		out = append(out, api.TierChange{
			Seq: c.Data.Seq, Time: codec.FormatTime(c.Time.UnixMilli()), From: c.Data.From, To: c.Data.To, Direction: c.Data.Direction, MQA: c.Data.MQA,
			Score: c.Data.Score, Threshold: c.Data.Threshold, Cause: c.Data.Cause.Kind, Signals: c.Data.Cause.Signals,
		})
		if len(out) == most {
			break
		}
	}
	return out
}

// view is a standing as the API and commands show it.
func (s *Standing) view() *api.Account {
	out := &api.Account{
		Account: s.Account, At: codec.FormatTime(s.At), Score: s.Receipt.Score, Tier: s.Tier, Seq: s.Seq, Clock: codec.FormatTime(s.Clock),
		DemotesAt: instant(s.Demotion), Class: s.Model.Class(s.Profile), Receipt: s.Receipt, MergedInto: s.Into,
		Model: api.ModelRef{Name: s.Model.Name(), Version: s.Model.Version(), Hash: s.Model.Hash()},
	}
	if s.NextTier != "" {
		out.NextTier = &api.NextTier{Tier: s.NextTier, Min: s.NextMin, Gap: max(s.NextMin-s.Receipt.Score, 0)}
	}
	if s.Profile != nil {
		out.Profile = s.Profile.Attributes
	}
	return out
}

func instant(at *int64) *string {
	if at == nil {
		return nil
	}
	text := codec.FormatTime(*at)
	return &text
}

// listed is an account as a listing shows it.
func listed(m *scoring.Model, name string, a *scoring.Account, now int64) api.Listed {
	p, _ := a.Profile()
	out := api.Listed{
		Account: name, Tier: m.Tier(a), Score: m.Score(a, max(now, a.Clock)), Seq: a.Seq, Clock: codec.FormatTime(a.Clock), Class: m.Class(p),
	}
	if at, ok := m.Demotion(a); ok {
		out.DemotesAt = instant(&at)
	}
	return out
}
