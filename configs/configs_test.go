package configs_test

import (
	"testing"

	"tidemark/configs"
	"tidemark/pkg/modelfile"
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
