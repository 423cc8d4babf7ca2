package app

import (
	"context"
	"errors"
	"fmt"

	"tidemark/configs"
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

// inForce is the latest model of the store, compiled, or nil where there is none.
func inForce(ctx context.Context, s NameStore) (*scoring.Model, error) {
	models, err := s.Models(ctx)
	if err != nil || len(models) == 0 {
		return nil, err
	}
	last := models[0]
	for _, m := range models {
		if m.Adopted {
			last = m
		}
	}
	file, err := modelfile.Parse(last.Name, []byte(last.Source))
	if err != nil {
		return nil, fmt.Errorf("model in force since %d: %w", last.EffectiveAt, err)
	}
	return storedModel(ctx, s, file)
}
