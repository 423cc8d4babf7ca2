package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tidemark/pkg/engine"
	"tidemark/pkg/store"
	"tidemark/streams/codec"
	"tidemark/streams/relay"
)

// upheld is the outbox as the relay sees it, with a gate: nothing leaves it under a
// seq that was published with another meaning. When Redis is set back, an instance
// that lost nothing itself, or has not noticed yet, scores on from the older state
// and so gives numbers a second time. The relay of a shard is the one place where all
// of its tier changes pass, so it remembers what it let out, learns from account-tiers
// what its predecessor did, and has the state corrected where the two disagree.
type upheld struct {
	outbox OutboxStore
	states interface {
		Positions(ctx context.Context) ([]map[engine.Partition]int64, error)
	}
	engine *engine.Engine // one of its own
	tiers  tiersLog
	topic  string // of tiers
	canary *canary
	// owns and tenure are those of the leases.
	owns   func(shard int) bool
	tenure func(shard int) uint64
	log    zerolog.Logger
	count  prometheus.Counter

	reading sync.Mutex // held while account-tiers is read and states are corrected; guards engine
	mu      sync.Mutex // guards shards; not held while anything waits
	shards  []recent
}

// recent is what was let out of a shard's outbox, by account, in two halves: the
// older one goes when the newer one is full.
type recent struct {
	lent       []store.Entry // what was let out last
	passed     []store.Entry // what was admitted and is not trimmed yet, in order
	owed       []store.Entry // what was published and not trimmed for sure
	tenure     uint64        // that it is of
	seeded     bool          // with what the predecessor let out
	young, old map[string]told
}

// told is the latest tier change of an account that may have been published.
type told struct {
	seq uint64
	sum uint64 // of its bytes
}

// mostTold is how many accounts of a shard are remembered at least. A disagreement is
// found as long as Redis is not set back further than that.
const mostTold = 4096

func (m *recent) get(account string) (told, bool) {
	t, ok := m.young[account]
	if !ok {
		t, ok = m.old[account]
	}
	return t, ok
}

func (m *recent) put(account string, t told) {
	if len(m.young) >= mostTold {
		m.old, m.young = m.young, nil
	}
	if m.young == nil {
		m.young = map[string]told{}
	}
	m.young[account] = t
}

func (m *recent) forget(account string) {
	delete(m.young, account)
	delete(m.old, account)
}

func newDisputes(r prometheus.Registerer) prometheus.Counter {
	count := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "tidemark_upheld_total",
		Help: "Accounts that were scored on from a state that was set back, and corrected so that what was published stands.",
	})
	r.MustRegister(count)
	return count
}

// Outbox implements relay.Outbox.
func (u *upheld) Outbox(ctx context.Context, shard int, after string, limit int) ([]relay.Entry, error) {
	if err := u.seed(ctx, shard); err != nil {
		return nil, err
	}
	if err := u.repay(ctx, shard); err != nil {
		return nil, err
	}
	for {
		entries, err := u.outbox.Outbox(ctx, shard, after, limit)
		if err != nil {
			return nil, err
		}
		entries, again := u.canary.takeBack(ctx, shard, u.outbox, entries)
		if again {
			continue
		}
		disputed := u.letOut(shard, entries)
		if len(disputed) == 0 {
			return asRelayed(entries), nil
		}
		if err := u.settle(ctx, shard, nil, disputed); err != nil {
			return nil, fmt.Errorf("hold the outbox against what was published: %w", err)
		}
	}
}

// Admit is relay.Config's: what was handed over passes the gate if nothing speaks
// against it. Else it is read like the rest.
func (u *upheld) Admit(shard int, entries []relay.Entry) bool {
	if !u.knows(shard) {
		return false
	}
	passing := make([]store.Entry, len(entries))
	for i, e := range entries {
		if engine.IsCanaryAccount(e.Account) {
			return false
		}
		passing[i] = store.Entry(e)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	m := &u.shards[shard]
	if len(m.owed) > 0 || len(m.remember(passing)) > 0 {
		return false
	}
	m.passed = append(m.passed, passing...)
	return true
}

// Trim implements relay.Outbox: the entries are published. If they are not all there
// any more, the store was set back meanwhile, and their accounts with it. Of those that
// were admitted others may be on their way to Kafka: then it is an error, so that the outbox
// is read before anything else of it is published.
func (u *upheld) Trim(ctx context.Context, shard int, ids []string) error {
	removed, err := u.outbox.Trim(ctx, shard, ids)
	gone := removed < len(ids)
	u.mu.Lock()
	m := &u.shards[shard]
	passed := len(m.passed) > 0 && len(ids) > 0 && m.passed[0].ID == ids[0]
	published := m.lent
	if passed {
		n := min(len(ids), len(m.passed))
		published, m.passed = m.passed[:n], m.passed[n:]
	} else {
		m.lent = nil
	}
	if err != nil || gone {
		m.owed = append(m.owed, published...)
	}
	u.mu.Unlock()
	switch {
	case err != nil:
		return err
	case passed && gone:
		return fmt.Errorf("of %d published entries %d were not in the outbox any more: redis was set back", len(ids), len(ids)-removed)
	case passed:
		return nil
	}
	return u.repay(ctx, shard)
}

// repay sees to it that the states know of what was published and could not be
// trimmed: it may have been lost from the store meanwhile.
func (u *upheld) repay(ctx context.Context, shard int) error {
	u.mu.Lock()
	owed := u.shards[shard].owed
	u.mu.Unlock()
	if len(owed) == 0 {
		return nil
	}
	if err := u.settle(ctx, shard, owed, accountsOf(owed)); err != nil {
		return fmt.Errorf("hold accounts against what was published: %w", err)
	}
	u.mu.Lock()
	u.shards[shard].owed = nil
	u.mu.Unlock()
	return nil
}

func accountsOf(entries []store.Entry) []string {
	accounts := map[string]bool{}
	for _, e := range entries {
		accounts[e.Account] = true
	}
	return slices.Sorted(maps.Keys(accounts))
}

// PendingShards implements relay.Outbox.
func (u *upheld) PendingShards(ctx context.Context, shards []int) ([]int, error) {
	return u.outbox.PendingShards(ctx, shards)
}

// handOver are messages as entries; nil where their places are not known.
func handOver(a engine.Appended) []relay.Entry {
	if len(a.IDs) != len(a.Messages) {
		return nil
	}
	out := make([]relay.Entry, len(a.IDs))
	for i, m := range a.Messages {
		out[i] = relay.Entry{ID: a.IDs[i], Account: m.Account, Value: m.Value, Appended: m.Appended, Trace: m.Trace}
	}
	return out
}

func asRelayed(entries []store.Entry) []relay.Entry {
	out := make([]relay.Entry, len(entries))
	for i, e := range entries {
		out[i] = relay.Entry(e)
	}
	return out
}

// letOut remembers entries as let out, unless some disagree with what is remembered:
// then it returns their accounts and remembers nothing.
func (u *upheld) letOut(shard int, entries []store.Entry) (disputed []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	m := &u.shards[shard]
	if disputed = m.remember(entries); len(disputed) == 0 {
		m.lent, m.passed = entries, nil
	}
	return disputed
}

// remember takes note of entries as let out, unless some disagree with what is
// remembered: then it returns their accounts and takes no note.
func (m *recent) remember(entries []store.Entry) (disputed []string) {
	news := make([]told, len(entries))
	for i, e := range entries {
		seq, _ := codec.SeqOf(e.Value)
		news[i] = told{seq, xxhash.Sum64(e.Value)}
		if was, ok := m.get(e.Account); ok && (seq < was.seq || seq == was.seq && news[i].sum != was.sum) && !slices.Contains(disputed, e.Account) {
			disputed = append(disputed, e.Account)
		}
	}
	if len(disputed) == 0 {
		for i, e := range entries {
			m.put(e.Account, news[i])
		}
	}
	return disputed
}

// seed learns what was published before this instance had the shard, and those of its
// other shards that are new to it too.
func (u *upheld) seed(ctx context.Context, shard int) error {
	if u.knows(shard) {
		return nil
	}
	u.reading.Lock()
	defer u.reading.Unlock()
	if u.knows(shard) {
		return nil
	}
	fresh := map[int]recent{}
	for n := range u.shards {
		if tenure := u.tenure(n); n == shard || u.owns(n) && !u.knows(n) {
			fresh[n] = recent{tenure: tenure, seeded: true}
		}
	}
	err := u.published(ctx, slices.Collect(maps.Keys(fresh)), func(n int, p *codec.Published, value []byte) {
		m := fresh[n]
		if was, ok := m.get(p.Account); !ok || p.Seq > was.seq {
			m.put(p.Account, told{p.Seq, xxhash.Sum64(value)})
			fresh[n] = m
		}
	})
	if err != nil {
		return fmt.Errorf("read what was published: %w", err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for n, m := range fresh {
		// Whoever had the shard meanwhile could not know.
		m.owed, m.lent, m.passed = u.shards[n].owed, u.shards[n].lent, u.shards[n].passed
		u.shards[n] = m
	}
	return nil
}

// knows reports whether the shard's memory is of the present tenure.
func (u *upheld) knows(shard int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	m := &u.shards[shard]
	return m.seeded && m.tenure == u.tenure(shard)
}

// published calls use with what was published of the shards since the positions that
// they hold: everything before came from states that are stored.
func (u *upheld) published(ctx context.Context, shards []int, use func(shard int, p *codec.Published, value []byte)) error {
	partitions, err := u.tiers.Partitions(ctx)
	if err != nil {
		return err
	}
	positions, err := u.states.Positions(ctx)
	if err != nil {
		return err
	}
	for _, partition := range partitions {
		from := engine.NoDue
		for _, n := range shards {
			from = min(from, positions[n][engine.Partition{Topic: u.topic, ID: partition}])
		}
		err := eachPublished(ctx, u.tiers, partition, from, func(p *codec.Published, value []byte) error {
			if n := engine.ShardOf(p.Account, len(u.shards)); slices.Contains(shards, n) {
				use(n, p, value)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// history is what was published of an account lately.
type history struct {
	last engine.Published
	sums map[uint64]uint64 // by seq; of several with one seq, the first
}

// settle finds out what was published of accounts that are in dispute, and corrects
// those whose state or outbox says something else. certain was published for sure.
func (u *upheld) settle(ctx context.Context, shard int, certain []store.Entry, accounts []string) error {
	u.reading.Lock()
	defer u.reading.Unlock()
	histories := map[string]*history{}
	for _, e := range certain {
		p, err := codec.DecodePublished(e.Value)
		if err != nil {
			return err
		}
		note(histories, &p, e.Value)
	}
	err := u.published(ctx, []int{shard}, func(_ int, p *codec.Published, value []byte) {
		if slices.Contains(accounts, p.Account) {
			note(histories, p, value)
		}
	})
	if err != nil {
		return err
	}
	var verdicts map[string]engine.Upheld
	corrected, err := u.engine.Uphold(ctx, shard, accounts, func(ctx context.Context) (_ map[string]engine.Upheld, err error) {
		verdicts, err = u.judge(ctx, shard, histories)
		return verdicts, err
	})
	if err != nil {
		return err
	}
	u.settled(shard, accounts, corrected, verdicts)
	return nil
}

func note(histories map[string]*history, p *codec.Published, value []byte) {
	h := histories[p.Account]
	if h == nil {
		h = &history{sums: map[uint64]uint64{}}
		histories[p.Account] = h
	}
	if _, ok := h.sums[p.Seq]; ok {
		return
	}
	h.sums[p.Seq] = xxhash.Sum64(value)
	if p.Seq > h.last.Seq {
		h.last = engine.Published{Account: p.Account, Seq: p.Seq, To: p.To, At: p.At, Value: value}
	}
}

// judge says of each account what was published, and what of it the outbox denies.
func (u *upheld) judge(ctx context.Context, shard int, histories map[string]*history) (map[string]engine.Upheld, error) {
	drop, ends := map[string][]string{}, map[string]uint64{}
	const page = 1000
	for after, more := "", true; more; {
		entries, err := u.outbox.Outbox(ctx, shard, after, page)
		if err != nil {
			return nil, err
		}
		more = len(entries) == page
		for _, e := range entries {
			after = e.ID
			h := histories[e.Account]
			if h == nil {
				continue
			}
			seq, _ := codec.SeqOf(e.Value)
			if sum, published := h.sums[seq]; len(drop[e.Account]) > 0 || published && sum != xxhash.Sum64(e.Value) {
				drop[e.Account] = append(drop[e.Account], e.ID)
			}
			ends[e.Account] = seq
		}
	}
	out := make(map[string]engine.Upheld, len(histories))
	for account, h := range histories {
		end, waits := ends[account]
		out[account] = engine.Upheld{Published: h.last, Drop: drop[account], Early: waits && end < h.last.Seq}
	}
	return out, nil
}

// settled remembers the outcome: of the corrected accounts what stands, of the others
// nothing, as what waits of them are repeats or was never published.
func (u *upheld) settled(shard int, accounts, corrected []string, verdicts map[string]engine.Upheld) {
	u.mu.Lock()
	defer u.mu.Unlock()
	m := &u.shards[shard]
	for _, account := range accounts {
		m.forget(account)
	}
	for _, account := range corrected {
		v := verdicts[account]
		m.put(account, told{v.Seq, xxhash.Sum64(v.Value)})
		u.log.Warn().Str("account", account).Uint64("seq", v.Seq).Str("tier", v.To).
			Msg("redis was set back and with it this account: what was published stands, it goes on behind it")
	}
	u.count.Add(float64(len(corrected)))
}
