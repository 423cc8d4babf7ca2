package audience

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/follow"
	"tidemark/pkg/outbound"
)

// Change is an account that an endpoint is to add or remove.
type Change struct {
	Account string
	Add     bool
	Tier    string
	Profile map[string]any
	n       uint64
	told    Told
}

// sender makes one attempt at an endpoint.
type sender interface {
	Send(ctx context.Context, m outbound.Message) outbound.Answer
}

// Sync tells the endpoint of one audience who entered and left, in batches. What an endpoint
// accepted is remembered, so it goes on where it stopped; a batch whose answer was lost is sent
// again.
type Sync struct {
	keeper   *Keeper
	audience *Audience
	to       sender
	log      zerolog.Logger
	observed func(outbound.Result)
	failures int
}

// NewSync makes a Sync of an audience that has an endpoint. observed is told of each call.
func NewSync(k *Keeper, a *Audience, observed func(outbound.Result), log zerolog.Logger) *Sync {
	return &Sync{keeper: k, audience: a, to: a.Endpoint.target, observed: observed, log: log.With().Str("audience", a.Name).Logger()}
}

// Run sends batches until ctx ends, at most one in each period of the endpoint.
func (s *Sync) Run(ctx context.Context) error {
	defer s.audience.Endpoint.target.Close()
	for {
		pause, err := s.Round(ctx)
		if err != nil {
			return err
		}
		timer := time.NewTimer(max(pause, s.audience.Endpoint.Every, minRound))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// minRound is the least time between two looks at what is to be told.
const minRound = 50 * time.Millisecond

// Round tells at most one batch and returns how long to leave the endpoint alone after a
// failure. Its error is the store's.
func (s *Sync) Round(ctx context.Context) (time.Duration, error) {
	changes, settled, err := s.gather(ctx)
	if err != nil {
		return 0, err
	}
	if len(changes) > 0 {
		if err := s.announce(ctx, changes); err != nil {
			return 0, err
		}
		if pause, ok := s.tell(ctx, changes); !ok {
			return pause, nil
		}
	}
	if len(changes)+len(settled) == 0 {
		return 0, nil
	}
	return 0, s.settle(ctx, changes, settled)
}

// gather finds a batch, and accounts of which the endpoint knows already.
func (s *Sync) gather(ctx context.Context) (changes []Change, settled []string, err error) {
	name := s.audience.Name
	accounts, err := s.keeper.store.Untold(ctx, name, s.audience.Endpoint.Batch)
	if err != nil || len(accounts) == 0 {
		return nil, nil, err
	}
	members, err := s.keeper.store.Members(ctx, name, accounts)
	if err != nil {
		return nil, nil, err
	}
	told, err := s.keeper.store.Told(ctx, name, accounts)
	if err != nil {
		return nil, nil, err
	}
	for i, account := range accounts {
		m := members[account]
		if told[i].is(&m) {
			settled = append(settled, account) // it went and came back before anybody was told
			continue
		}
		changes = append(changes, Change{Account: account, Add: m.In(), Tier: m.Tier, Profile: m.Profile, n: m.N, told: told[i]})
	}
	return changes, settled, nil
}

// announce notes what is about to be sent: if its answer is lost, nobody knows what the endpoint
// has, though the account went back meanwhile to where it was.
func (s *Sync) announce(ctx context.Context, changes []Change) error {
	told := map[string]Told{}
	for _, c := range changes {
		if !c.told.Unsure {
			told[c.Account] = Told{N: c.told.N, Unsure: true}
		}
	}
	if len(told) == 0 {
		return nil
	}
	return s.keeper.step(ctx, &Writes{Told: map[string]map[string]Told{s.audience.Name: told}})
}

// tell makes one call; false: it is to be made again after a while.
func (s *Sync) tell(ctx context.Context, changes []Change) (time.Duration, bool) {
	m, err := s.message(changes)
	answer := outbound.Answer{Result: outbound.Body, Err: err}
	if err == nil {
		answer = s.to.Send(ctx, m)
	}
	if ctx.Err() != nil && answer.Result != outbound.Delivered {
		return 0, false
	}
	s.observed(answer.Result)
	if answer.Result == outbound.Delivered {
		if s.failures > 0 {
			s.log.Info().Msg("endpoint takes the audience again")
		}
		s.failures = 0
		return 0, true
	}
	if s.failures++; s.failures == 1 {
		s.log.Warn().Str("result", string(answer.Result)).Int("status", answer.Status).Err(answer.Err).Msg("audience not told, trying again")
	}
	return max(answer.RetryAfter, backoff(s.failures)), false
}

// backoff doubles from a second to ten minutes.
func backoff(failures int) time.Duration {
	return min(time.Second<<min(failures-1, 10), 10*time.Minute)
}

// message is a batch as the endpoint gets it. The id of a batch is that of its content.
func (s *Sync) message(changes []Change) (outbound.Message, error) {
	h := sha256.New()
	for _, c := range changes {
		fmt.Fprintf(h, "%s %q %d\n", s.audience.Name, c.Account, c.n)
	}
	m := outbound.Message{ID: "msg_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(h.Sum(nil)[:20]))}
	if t := s.audience.Endpoint.target.Template; t != nil {
		var err error
		m.Body, err = t.Render(map[string]any{"Audience": s.audience.Name, "Changes": changes, "ID": m.ID})
		return m, err
	}
	body := struct {
		Audience string   `json:"audience"`
		Add      []string `json:"add"`
		Remove   []string `json:"remove"`
	}{s.audience.Name, []string{}, []string{}}
	for _, c := range changes {
		if c.Add {
			body.Add = append(body.Add, c.Account)
		} else {
			body.Remove = append(body.Remove, c.Account)
		}
	}
	var err error
	m.Body, err = json.Marshal(body)
	return m, err
}

// settle remembers what was accepted. Who moved meanwhile stays to be told of.
func (s *Sync) settle(ctx context.Context, changes []Change, settled []string) error {
	name := s.audience.Name
	told := map[string]Told{}
	for _, c := range changes {
		told[c.Account] = Told{N: c.n}
	}
	s.keeper.mu.Lock()
	defer s.keeper.mu.Unlock()
	accounts := slices.Clone(settled)
	for account := range told {
		accounts = append(accounts, account)
	}
	members, err := s.keeper.store.Members(ctx, name, accounts)
	if err != nil {
		return err
	}
	before, err := s.keeper.store.Told(ctx, name, accounts)
	if err != nil {
		return err
	}
	var over []string
	for i, account := range accounts {
		knows, sent := told[account]
		if !sent {
			knows = before[i]
		}
		if m := members[account]; knows.is(&m) {
			over = append(over, account)
		}
	}
	return s.keeper.store.Take(ctx, follow.Step{}, &Writes{Told: map[string]map[string]Told{name: told}, Settled: map[string][]string{name: over}})
}
