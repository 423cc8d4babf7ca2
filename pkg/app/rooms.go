package app

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"tidemark/pkg/api"
	"tidemark/pkg/live"
	"tidemark/streams/codec"
)

// access is who may use the API.
func (s *service) access() (api.Access, error) {
	token, err := s.cfg.HTTP.ReadToken()
	return api.Access{Token: token.Reveal(), Local: api.Loopback(s.cfg.HTTP.Addr)}, err
}

// openAPI serves what is known of accounts and the model, after MQAs and the lag.
func (s *service) openAPI() error {
	access, err := s.access()
	if err != nil {
		return err
	}
	accounts, err := newAccounts(s.cfg, s.store, s.transport, s.now, s.log)
	if err != nil {
		return err
	}
	s.web.Room(api.AccountsRoom(accounts, access, s.log))
	s.web.Room(api.ModelRoom(accounts, access, s.log))
	changes, err := newChangesLog(s.transport, s.cfg.Kafka.Topics.TierChanges, s.log)
	if err != nil {
		return err
	}
	s.streams = live.New(live.Config{Log: changes}, s.log)
	s.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tidemark_stream_listeners",
		Help: fmt.Sprintf("Who listens to this instance's stream of tier changes; %d at most.", live.DefaultListeners),
	}, func() float64 { return float64(s.streams.Listeners()) }))
	s.web.Room(api.StreamRoom(s.streams, access, s.log))
	s.web.Whole()
	return nil
}

// Model implements api.Models.
func (a *Accounts) Model(ctx context.Context) (*api.Model, error) {
	r, latest, err := a.latestReign(ctx)
	if err != nil {
		return nil, err
	}
	out := &api.Model{
		ModelRef:    api.ModelRef{Name: r.model.Name(), Version: r.model.Version(), Hash: r.model.Hash()},
		EffectiveAt: codec.FormatTime(latest.EffectiveAt), Stage: latest.Stage(), Classes: r.model.Classes(), Source: latest.Source,
	}
	for _, t := range r.model.Spec().Tiers {
		out.Tiers = append(out.Tiers, api.ModelTier{Tier: t.Name, Min: t.Min, MQA: t.MQA})
	}
	return out, nil
}
