package main

import (
	"tidemark/pkg/app"
	"tidemark/pkg/modelfile"
	"tidemark/scoring"
)

// openModel loads and compiles a model file; an empty path is the reference model
// that ships with the binary. Every fault is a usageError.
func openModel(path string) (*scoring.Model, *modelfile.File, error) {
	file, err := app.ReadModel(path)
	if err != nil {
		return nil, nil, usageError{err}
	}
	m, err := app.Compile(file, file.Spec.Names())
	if err != nil {
		return nil, nil, usageError{err}
	}
	return m, file, nil
}
