package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tidemark/configs"
	"tidemark/pkg/engine"
	"tidemark/pkg/modelfile"
	"tidemark/pkg/store"
	"tidemark/scoring"
)

// ReadModel reads a model file; an empty path is the reference model that ships
// with the binary.
func ReadModel(path string) (*modelfile.File, error) {
	if path == "" {
		return modelfile.Parse(configs.ReferenceModelName, configs.ReferenceModel())
	}
	return modelfile.Load(path)
}

// Compile makes a model of a file under a dictionary. Faults are told with the
// file's lines.
func Compile(file *modelfile.File, names []string) (*scoring.Model, error) {
	m, err := scoring.Compile(file.Spec, file.Hash, modelfile.Conditions(), scoring.NewNames(names))
	var faults scoring.Faults
	if errors.As(err, &faults) {
		return nil, file.Faults(faults)
	}
	return m, err
}

// NameStore keeps the dictionary and the models that were in force.
type NameStore interface {
	Names(ctx context.Context, want []string) ([]string, error)
	Models(ctx context.Context) ([]store.Model, error)
	AddModel(ctx context.Context, m store.Model) error
}

// storedModel compiles the file under the store's dictionary, which it extends.
func storedModel(ctx context.Context, s NameStore, file *modelfile.File) (*scoring.Model, error) {
	// Faults first: a model with a mistake must not leave names behind.
	if _, err := Compile(file, file.Spec.Names()); err != nil {
		return nil, err
	}
	names, err := s.Names(ctx, file.Spec.Names())
	if err != nil {
		return nil, fmt.Errorf("dictionary of names: %w", err)
	}
	return Compile(file, names)
}

// compiled compiles a model of the store.
func compiled(ctx context.Context, s NameStore, m store.Model) (*scoring.Model, error) {
	file, err := modelfile.Parse(m.Name, []byte(m.Source))
	if err == nil {
		var out *scoring.Model
		if out, err = storedModel(ctx, s, file); err == nil {
			return out, nil
		}
	}
	return nil, fmt.Errorf("model %s %s of the store: %w", m.Name, m.Version, err)
}

// reign is the model in force, and those under which accounts may stand still.
type reign struct {
	model *scoring.Model // nil: none was in force yet
	past  engine.Past
}

// read decodes an account and puts it under the model in force.
func (r reign) read(record engine.Record) (*scoring.Account, error) {
	return r.past.Read(r.model, record)
}

// inForce is the latest model of the store with those before it.
func inForce(ctx context.Context, s NameStore) (reign, error) {
	models, err := s.Models(ctx)
	if err != nil || len(models) == 0 {
		return reign{}, err
	}
	return reignOf(ctx, s, models)
}

// reignOf is inForce where these are the models of the store.
func reignOf(ctx context.Context, s NameStore, models []store.Model) (r reign, err error) {
	models = numbered(models)
	if r.model, err = compiled(ctx, s, models[len(models)-1]); err != nil {
		return r, err
	}
	r.past, err = pastOf(models, func(m store.Model) (*scoring.Model, error) { return compiled(ctx, s, m) })
	return r, err
}

// numbered are the models with their epochs, of which earlier versions of this program
// knew nothing: what such a one announced and did not finish is a change after all that it
// wrote.
func numbered(models []store.Model) []store.Model {
	out := slices.Clone(models)
	for i := len(out) - 1; i > 0; i-- {
		m := &out[i]
		if m.Epoch > 0 || m.Adopted {
			continue
		}
		switch {
		case i == len(out)-1:
			m.Epoch = 1
		case out[i+1].Hash == m.Hash && out[i+1].EffectiveAt == m.EffectiveAt:
			m.Epoch = out[i+1].Epoch
		default:
			m.Epoch = max(out[i+1].Epoch, 1) - 1
		}
	}
	return out
}

// remembered is how many changes are kept in mind that all accounts have been through: a
// node of Redis that is set back may hold states from before them.
const remembered = 2

// pastOf is how the last of the models, which are numbered, came to be in force. Those
// under which no account should stand any more may be left out.
func pastOf(models []store.Model, compile func(store.Model) (*scoring.Model, error)) (engine.Past, error) {
	past := engine.Past{Epoch: models[len(models)-1].Epoch}
	through := uint64(0) // what all accounts have been through
	for _, m := range models {
		if m.Adopted {
			through = max(through, m.Epoch)
		}
	}
	for epoch := past.Epoch; epoch > 0 && epoch+remembered > through; epoch-- {
		next, found := lastOf(models, epoch)
		before, was := lastOf(models, epoch-1)
		if !found || !was {
			break
		}
		m, err := compile(before)
		if err != nil {
			if epoch <= through {
				err = nil // written for an earlier version of this program, and hardly needed
			}
			return past, err
		}
		past.Models = slices.Insert(past.Models, 0, engine.Before{Model: m, Until: next.EffectiveAt})
	}
	return past, nil
}

// lastOf is the last of the models of an epoch.
func lastOf(models []store.Model, epoch uint64) (store.Model, bool) {
	for _, m := range slices.Backward(models) {
		if m.Epoch == epoch {
			return m, true
		}
	}
	return store.Model{}, false
}
