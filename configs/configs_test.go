package configs_test

import (
	"testing"

	"tidemark/configs"
	"tidemark/pkg/modelfile"
	"tidemark/pkg/route"
)

func TestReferenceModelLoads(t *testing.T) {
	t.Parallel()
	file, err := modelfile.Parse(configs.ReferenceModelName, configs.ReferenceModel())
	if err != nil {
		t.Fatal(err)
	}
	if file.Spec.Name != "abm-reference" || len(modelfile.Warnings(&file.Spec)) != 0 {
		t.Errorf("got %q with warnings %v", file.Spec.Name, modelfile.Warnings(&file.Spec))
	}
}

func TestRoutingExampleLoads(t *testing.T) {
	t.Parallel()
	plan, err := route.ReadFile("routing.yaml", modelfile.Conditions())
	if err != nil {
		t.Fatal(err)
	}
	if got := len(plan.Reasons()); got != 5 {
		t.Errorf("%d reasons, want 5", got)
	}
}
