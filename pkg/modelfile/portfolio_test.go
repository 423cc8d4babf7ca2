package modelfile

import (
	"slices"
	"testing"

	"tidemark/configs"
	"tidemark/scoring"
)

// An account has the best class whose conditions its profile meets.
func TestClassesOfTheReferenceModel(t *testing.T) {
	t.Parallel()
	file, err := Parse(configs.ReferenceModelName, configs.ReferenceModel())
	if err != nil {
		t.Fatal(err)
	}
	m, err := scoring.Compile(file.Spec, file.Hash, Conditions(), scoring.NewNames(file.Spec.Names()))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.Classes(), []string{"bespoke", "cluster", "bulk"}; !slices.Equal(got, want) {
		t.Errorf("classes: got %q, want %q", got, want)
	}
	type attributes = map[string]any
	for want, rows := range map[string][]attributes{
		"bespoke": {{"revenue_musd": 100.0, "employees": 1001.0, "technologies": []any{"salesforce"}, "reference_cases": 2.0, "has_insider": true}},
		"cluster": {{"revenue_musd": 500.0, "employees": 1001.0, "reference_cases": 3.0}, {"revenue_musd": 100.0, "technologies": []any{"salesforce"}, "has_insider": true, "open_information": true}},
		"bulk":    {nil, {"revenue_musd": 100.0, "employees": 5000.0}, {"reference_cases": 9.0, "has_insider": true, "open_information": true}},
	} {
		for _, row := range rows {
			if got := m.Class(&scoring.Profile{Attributes: row}); got != want {
				t.Errorf("%v: got class %q, want %q", row, got, want)
			}
		}
	}
	if got := m.Class(nil); got != "bulk" {
		t.Errorf("no profile: got class %q, want bulk", got)
	}
}
