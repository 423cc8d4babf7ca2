package main

import (
	"strings"
	"testing"

	"tidemark/configs"
	"tidemark/pkg/app"
	"tidemark/pkg/modelfile"
)

// The holds of the README stand in place of those of the model that ships.
func TestHoldsOfTheReadmeCompile(t *testing.T) {
	t.Parallel()
	text := string(configs.ReferenceModel())
	before, rest, ok := strings.Cut(text, "\nholds:")
	_, after, ends := strings.Cut(rest, "\npublish_attributes:")
	if !ok || !ends {
		t.Fatal("the model that ships has no holds before publish_attributes")
	}
	for _, b := range readBlocks(t, "README.md") {
		if test, _, _ := b.kind(); test != "holds" {
			continue
		}
		file, err := modelfile.Parse("README.md", []byte(before+"\n"+b.text+"publish_attributes:"+after))
		if err != nil {
			t.Fatal(err)
		}
		m, err := app.Compile(file, file.Spec.Names())
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(m.HoldRules(), " "); got != "known-scanner zero-delay click-burst" || len(modelfile.Warnings(&file.Spec)) > 0 {
			t.Errorf("rules %s, warnings %v", got, modelfile.Warnings(&file.Spec))
		}
		return
	}
	t.Error("README.md has no block with the mark test: holds")
}
