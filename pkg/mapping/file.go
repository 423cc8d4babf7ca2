package mapping

import (
	"fmt"
	"os"
	"path/filepath"

	"tidemark/pkg/config/yamltree"
)

// Error is all the mistakes of one mapping file, one on each line.
type Error = yamltree.Error

// Mapping is a mapping file, compiled.
type Mapping struct {
	name    string // of the file, for messages
	each    *expression
	when    *expression
	unit    unit
	entries []entry
}

// entry is what a row gives: an event, a profile, or an erasure.
type entry struct {
	when, id, source, typ, time, subject, domain, user, strength *expression
	contact                                                      []field // in the order of the file
	properties, attributes                                       fields
	domains, parent                                              *expression
	erases                                                       string // account, or empty
	profile                                                      bool
}

// field is one named expression.
type field struct {
	name string
	*expression
}

// fields are an expression that gives a map, or one for each name.
type fields struct {
	whole *expression
	named []field
}

// Load reads the mapping file at path.
func Load(path string) (*Mapping, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read mapping: %w", err)
	}
	return Parse(path, data)
}

// Parse reads a mapping file. The error is an *Error that lists every fault.
func Parse(name string, data []byte) (*Mapping, error) {
	faults := &yamltree.Faults{Name: name}
	m := &Mapping{name: filepath.Base(name)}
	root := yamltree.Parse(data, faults)
	switch {
	case root == nil:
	case root.Kind == yamltree.Null:
		faults.Add(root.Position, "", "the file is empty")
	default:
		d := &decoder{yamltree.Decoder{Faults: faults}}
		d.mapping(m)(root, "")
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return m, nil
}
