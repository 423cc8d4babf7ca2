package modelfile_test

import (
	"testing"

	"tidemark/pkg/modelfile"
	"tidemark/scoring"
)

func TestGoodFilesMakeModels(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"testdata/good/every-key.yaml", "testdata/good/edges.yaml"} {
		file, err := modelfile.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := scoring.Compile(file.Spec, file.Hash, modelfile.Conditions(), scoring.NewNames(nil)); err != nil {
			t.Errorf("%s: %v", path, file.Explain(err))
		}
	}
}

func TestFaultsOfTheModelGetTheirLines(t *testing.T) {
	t.Parallel()
	file, err := modelfile.Parse("m.yaml", []byte(`name: m
version: 1
groups: {g: {}}
fit:
  rules:
    - {name: a, when: employees >> 5, points: 1}
signals:
  - {name: s, group: g, match: {type: t, where: propertie.x == 1}, points: 1, half_life: 7d}
tiers: [{name: A, min: 5}, {name: B}]
`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = scoring.Compile(file.Spec, file.Hash, modelfile.Conditions(), scoring.NewNames(nil))
	got := file.Explain(err).Error()
	want := `m.yaml:6:23: fit.rules[0].when: "employees >> 5": unexpected token Operator(">") (column 12)
m.yaml:8:49: signals[0].match.where: "propertie.x == 1": unknown name propertie, did you mean "properties"? (an event has type, source, strength, properties, contact) (column 1)`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
