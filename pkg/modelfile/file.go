package modelfile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"tidemark/pkg/config/yamltree"
	"tidemark/scoring"
)

// Error is all the mistakes of one model file, one on each line.
type Error = yamltree.Error

// File is a model file that was read without fault. Whether it makes a model
// is for scoring.Compile to say.
type File struct {
	Name string // as given to Parse, for messages
	Spec scoring.Spec
	// Hash is the SHA-256, in hex, of what the file says: its keys and values
	// in their order. Comments, layout and quoting do not change it, so a
	// better comment is not a new model.
	Hash   string
	Source []byte // the file itself

	root *yamltree.Node
}

// Load reads the model file at path.
func Load(path string) (*File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	return Parse(path, data)
}

// Parse reads a model file. The error is an *Error that lists every fault.
func Parse(name string, data []byte) (*File, error) {
	faults := &yamltree.Faults{Name: name}
	f := &File{Name: name, Source: data, root: yamltree.Parse(data, faults)}
	switch {
	case f.root == nil:
	case f.root.Kind == yamltree.Null:
		faults.Add(f.root.Position, "", "the file is empty")
	default:
		decode(f.root, &f.Spec, faults)
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(canonical(nil, f.root))
	f.Hash = hex.EncodeToString(sum[:])
	return f, nil
}

// Faults gives the faults that scoring found in the Spec their lines: the error
// is an *Error, or nil where there are none.
func (f *File) Faults(found scoring.Faults) error {
	faults := &yamltree.Faults{Name: f.Name}
	for _, fault := range found {
		faults.Add(f.root.Locate(fault.Path), fault.Path, "%s", fault.Text)
	}
	return faults.Err()
}

// Explain is Faults for an error of scoring.Compile: what is not a list of
// faults is returned as it is.
func (f *File) Explain(err error) error {
	var found scoring.Faults
	if errors.As(err, &found) {
		return f.Faults(found)
	}
	return err
}
