// Package configs carries the files beside it in the binary: the reference model
// that serves where no model is configured, and the reference configuration.
package configs

import _ "embed" // for the files below

// ReferenceModelName is how messages call the built-in model.
const ReferenceModelName = "abm-reference.yaml (built in)"

//go:embed models/abm-reference.yaml
var referenceModel string

//go:embed tidemark.yaml
var reference string

// ReferenceModel is the model that serves where `model` is empty.
func ReferenceModel() []byte { return []byte(referenceModel) }

// Reference is the reference configuration, each key explained and at its default.
func Reference() []byte { return []byte(reference) }
