// Package configs carries the files beside it in the binary: the reference model
// that serves where no model is configured, and the reference configuration.
package configs

import "embed"

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

//go:embed webhooks/*.json.tmpl audiences/*.json.tmpl
var templates embed.FS

// WebhookTemplate is a body for webhooks that ships with the program, by its name.
func WebhookTemplate(name string) (text string, ok bool) { return template("webhooks", name) }

// AudienceTemplate is a body for audiences that ships with the program, by its name.
func AudienceTemplate(name string) (text string, ok bool) { return template("audiences", name) }

func template(folder, name string) (string, bool) {
	data, err := templates.ReadFile(folder + "/" + name + ".json.tmpl")
	return string(data), err == nil
}
