package desk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tidemark/pkg/route"
)

// ErrKeyReused is returned by Do for a key that came with another command before.
var ErrKeyReused = errors.New("the idempotency key was used for another command")

// keepAnswers is how long a key's answer is remembered.
const keepAnswers = 48 * time.Hour

// answered is what lies under a key.
type answered struct {
	Command route.Command `json:"command"`
	MQA     *View         `json:"mqa"`
}

// Do does what a person asks, and returns the MQA as it stands behind that. With a
// key, a second call for the same command is given the first one's answer and does
// nothing. Errors are those of route.Plan.Command, ErrKeyReused, ErrPlan, and the store's.
func (d *Desk) Do(ctx context.Context, c route.Command, key string) (*View, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if key != "" {
		sum := sha256.Sum256([]byte(key)) // of bounded length, and whatever was in it stays there
		key = hex.EncodeToString(sum[:])
	}
	if err := d.refresh(ctx); err != nil {
		return nil, err
	}
	var view *View
	var refused error
	err := d.step(ctx, func() (w work, err error) {
		view, refused = nil, nil
		if view, err = d.before(ctx, c, key); view != nil || err != nil {
			return w, err
		}
		if d.desk.Plan != "" && d.desk.Plan != d.cfg.Plan.Hash() {
			return w, ErrPlan
		}
		var m *route.MQA
		w.step, m, refused = d.cfg.Plan.Command(d.desk, c, d.cfg.Now())
		if refused != nil {
			return w, nil //nolint:nilerr // timers that were due are stored all the same
		}
		view = d.view(m)
		if key != "" {
			value, err := json.Marshal(answered{c, view})
			if err != nil {
				return w, err
			}
			w.answer = &Answer{key, value, keepAnswers}
		}
		return w, nil
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return nil, err
	}
	return view, nil
}

// before is the answer that a key was given already, or nil.
func (d *Desk) before(ctx context.Context, c route.Command, key string) (*View, error) {
	if key == "" {
		return nil, nil //nolint:nilnil // there is none, and nothing went wrong
	}
	value, err := d.cfg.Store.DeskAnswer(ctx, key)
	if err != nil || value == nil {
		return nil, err
	}
	var a answered
	if err := json.Unmarshal(value, &a); err != nil {
		return nil, fmt.Errorf("answer of an idempotency key: %w", err)
	}
	if a.Command != c {
		return nil, ErrKeyReused
	}
	return a.MQA, nil
}
