package audience

import (
	"context"
	"strconv"
	"time"

	"tidemark/pkg/follow"
)

// The notes that tell what was compared, and when.
const (
	noteDefinition = "definition/"
	noteEndpoint   = "endpoint/"
	noteDiffed     = "diffed"
)

// diffEvery is how often everything is compared.
const diffEvery = 24 * time.Hour

// DiffDue reports whether a full diff is due: a day has passed, or a definition or an
// endpoint is another one than at the latest.
func (k *Keeper) DiffDue(ctx context.Context) (bool, error) {
	notes, err := k.store.Notes(ctx)
	if err != nil {
		return false, err
	}
	at, _ := strconv.ParseInt(notes[noteDiffed], 10, 64)
	due := k.now()-at >= diffEvery.Milliseconds()
	for _, a := range k.audiences {
		due = due || notes[noteDefinition+a.Name] != a.Definition || a.Endpoint != nil && notes[noteEndpoint+a.Name] != a.Endpoint.Identity
	}
	return due, nil
}

// diffBatch is how many accounts are compared together.
const diffBatch = 500

// Diff compares everything: the members with what account-tiers says under the present
// definitions, and what the endpoints accepted with the members. Feeding goes on meanwhile.
func (k *Keeper) Diff(ctx context.Context, log follow.Log) error {
	if err := k.greet(ctx); err != nil {
		return err
	}
	begun := k.now()
	var batch []*follow.Change
	flush := func() error {
		defer func() { batch = batch[:0] }()
		return k.again(ctx, batch)
	}
	err := log.Present(ctx, func(value []byte) error {
		c, err := follow.ParseChange(value)
		if err != nil {
			return nil //nolint:nilerr // the follower counts what is unreadable
		}
		if batch = append(batch, c); len(batch) < diffBatch {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err == nil {
		err = k.compareTold(ctx)
	}
	if err != nil {
		return err
	}
	notes := map[string]string{noteDiffed: strconv.FormatInt(begun, 10)}
	for _, a := range k.audiences {
		notes[noteDefinition+a.Name] = a.Definition
	}
	return k.step(ctx, &Writes{Notes: notes})
}

// greet forgets what was told to an endpoint that is another one now.
func (k *Keeper) greet(ctx context.Context) error {
	notes, err := k.store.Notes(ctx)
	if err != nil {
		return err
	}
	w := &Writes{Notes: map[string]string{}}
	for _, a := range k.audiences {
		if a.Endpoint == nil || notes[noteEndpoint+a.Name] == a.Endpoint.Identity {
			continue
		}
		if notes[noteEndpoint+a.Name] != "" {
			w.Forget = append(w.Forget, a.Name)
		}
		w.Notes[noteEndpoint+a.Name] = a.Endpoint.Identity
	}
	return k.step(ctx, w)
}

func (k *Keeper) step(ctx context.Context, w *Writes) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.store.Take(ctx, follow.Step{}, w)
}

// again looks at changes once more, those that are the latest that was taken of their
// account: the topic may hold earlier ones too, and is not ahead.
func (k *Keeper) again(ctx context.Context, changes []*follow.Change) error {
	if len(changes) == 0 {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	keys := make([]string, len(changes))
	for i, c := range changes {
		keys[i] = c.Data.Account
	}
	seen, err := k.store.Seen(ctx, keys)
	if err != nil {
		return err
	}
	latest := make([]*follow.Change, 0, len(changes))
	for i, c := range changes {
		if c.Data.Seq == seen[i] {
			latest = append(latest, c)
		}
	}
	w, err := k.apply(ctx, latest)
	if err != nil {
		return err
	}
	return k.store.Take(ctx, follow.Step{}, w)
}

// compareTold notes the accounts of which an endpoint has accepted something else.
func (k *Keeper) compareTold(ctx context.Context) error {
	for _, a := range k.audiences {
		if a.Endpoint == nil {
			continue
		}
		err := k.store.Each(ctx, a.Name, func(members map[string]Member) error {
			accounts := make([]string, 0, len(members))
			for account := range members {
				accounts = append(accounts, account)
			}
			told, err := k.store.Told(ctx, a.Name, accounts)
			if err != nil {
				return err
			}
			var tell []string
			for i, account := range accounts {
				if m := members[account]; !told[i].is(&m) {
					tell = append(tell, account)
				}
			}
			return k.step(ctx, &Writes{Tell: map[string][]string{a.Name: tell}})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
