package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"tidemark/pkg/store"
)

// AddModel appends m to the list of models, unless the last one has the same hash
// and is at the same stage.
// A late repeat does not bring back a model that another has followed: an entry of
// the same hash and instant among the latest 16 is not appended again either.
func (s *Store) AddModel(ctx context.Context, m store.Model) error {
	if m.Hash == "" || strings.ContainsAny(m.Hash, " \n") {
		return fmt.Errorf("add model %q: hash %q is empty or has spaces", m.Name, m.Hash)
	}
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("add model %q: %w", m.Name, err)
	}
	// The words are those of the first version's lists.
	hash := m.Hash + map[string]string{"announced": ":adopting", "switched": ":switched"}[m.Stage()]
	id := fmt.Sprintf("%s %d", hash, m.EffectiveAt)
	return s.try(ctx, "add model", func() error {
		return s.client.EvalSha(ctx, s.scripts.model.sha, []string{s.keys.models()}, hash, id, id+"\n"+string(body)).Err()
	})
}

// Models returns all models in the order in which they were added; the last one is in force.
func (s *Store) Models(ctx context.Context) ([]store.Model, error) {
	var entries []string
	err := s.try(ctx, "read models", func() (err error) {
		entries, err = s.client.LRange(ctx, s.keys.models(), 0, -1).Result()
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([]store.Model, len(entries))
	for i, entry := range entries {
		if out[i], err = parseModel(entry); err != nil {
			return nil, fmt.Errorf("read model %d of %d: %w", i+1, len(entries), err)
		}
	}
	return out, nil
}

// LatestModel is the last of the models; false where there is none.
func (s *Store) LatestModel(ctx context.Context) (m store.Model, found bool, err error) {
	var entries []string
	err = s.try(ctx, "read the latest model", func() (err error) {
		entries, err = s.client.LRange(ctx, s.keys.models(), -1, -1).Result()
		return err
	})
	if err != nil || len(entries) == 0 {
		return store.Model{}, false, err
	}
	m, err = parseModel(entries[0])
	return m, err == nil, err
}

func parseModel(entry string) (m store.Model, err error) {
	_, body, _ := strings.Cut(entry, "\n")
	err = json.Unmarshal([]byte(body), &m)
	return m, err
}
