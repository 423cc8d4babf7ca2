package app

import (
	"context"
	"fmt"

	"tidemark/pkg/store"
)

// adopt puts the store under this program's model: noted where there was none,
// every account rescored where it was another. The new model takes effect at the
// low watermark, up to which the old one was applied.
func (s *service) adopt(ctx context.Context) error {
	before, err := inForce(ctx, s.store)
	if err != nil {
		return err
	}
	at, err := s.effective(ctx)
	if err != nil {
		return err
	}
	entry := store.Model{
		Hash: s.model.Hash(), Name: s.model.Name(), Version: fmt.Sprint(s.model.Version()), EffectiveAt: at, Source: string(s.file.Source),
	}
	if before != nil && before.Hash() != s.model.Hash() {
		s.log.Info().Str("from", before.Name()).Str("model", s.model.Name()).Int("version", s.model.Version()).Msg("the model changed, rescoring")
		err := s.engine.Rescore(ctx, s.store, before, at, func(shard, accounts int) {
			s.log.Debug().Int("shard", shard).Int("accounts", accounts).Msg("rescored")
		})
		if err != nil {
			return fmt.Errorf("rescore: %w", err)
		}
	}
	return s.store.AddModel(ctx, entry)
}

// effective is the instant of a change made now: the low watermark that was last
// noted, or now where there is none.
func (s *service) effective(ctx context.Context) (int64, error) {
	marks, err := s.store.Watermarks(ctx)
	if err != nil {
		return 0, fmt.Errorf("watermarks: %w", err)
	}
	at := s.now()
	for _, m := range marks {
		at = min(at, m.Consumed)
	}
	return at, nil
}
