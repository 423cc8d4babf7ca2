package memory

import (
	"context"
	"maps"
	"slices"

	"tidemark/pkg/engine"
	"tidemark/pkg/store"
)

// ResolveAliases is as in store/redis.
func (s *Store) ResolveAliases(ctx context.Context, domains []string) (map[string]string, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.space.mu.Unlock()
	out := map[string]string{}
	for _, domain := range domains {
		if held, found := s.space.aliases[domain]; found {
			out[domain] = held.Account
		}
	}
	return out, nil
}

// ClaimAliases is as in store/redis.
func (s *Store) ClaimAliases(ctx context.Context, claims []store.Alias) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.space.mu.Unlock()
	for _, c := range claims {
		if held, found := s.space.aliases[c.Domain]; !found || held.Time <= c.Time {
			s.space.aliases[c.Domain] = c
		}
	}
	return nil
}

// ReleaseAliases is as in store/redis.
func (s *Store) ReleaseAliases(ctx context.Context, account string, domains []string) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.space.mu.Unlock()
	for _, domain := range domains {
		if s.space.aliases[domain].Account == account {
			delete(s.space.aliases, domain)
		}
	}
	return nil
}

// Names is as in store/redis.
func (s *Store) Names(ctx context.Context, want []string) ([]string, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.space.mu.Unlock()
	for _, name := range want {
		if !slices.Contains(s.space.names, name) {
			s.space.names = append(s.space.names, name)
		}
	}
	return slices.Clone(s.space.names), nil
}

// PutWatermarks is as in store/redis.
func (s *Store) PutWatermarks(ctx context.Context, marks map[engine.Partition]store.Watermark) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.space.mu.Unlock()
	maps.Copy(s.space.watermarks, marks)
	return nil
}

// Watermarks is as in store/redis.
func (s *Store) Watermarks(ctx context.Context) (map[engine.Partition]store.Watermark, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.space.mu.Unlock()
	return maps.Clone(s.space.watermarks), nil
}

// AddModel is as in store/redis.
func (s *Store) AddModel(ctx context.Context, m store.Model) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.space.mu.Unlock()
	models := s.space.models
	last := len(models) - 1
	same := func(o store.Model) bool { return o.Hash == m.Hash && o.Stage() == m.Stage() }
	again := func(o store.Model) bool { return same(o) && o.EffectiveAt == m.EffectiveAt }
	if last >= 0 && same(models[last]) || slices.ContainsFunc(models[max(0, len(models)-16):], again) {
		return nil
	}
	s.space.models = append(models, m)
	return nil
}

// Models is as in store/redis.
func (s *Store) Models(ctx context.Context) ([]store.Model, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.space.mu.Unlock()
	return slices.Clone(s.space.models), nil
}

// LatestModel is as in store/redis.
func (s *Store) LatestModel(ctx context.Context) (m store.Model, found bool, err error) {
	if err := s.lock(ctx); err != nil {
		return m, false, err
	}
	defer s.space.mu.Unlock()
	if n := len(s.space.models); n > 0 {
		return s.space.models[n-1], true, nil
	}
	return m, false, nil
}
