package bench

import (
	"testing"
	"time"

	"tidemark/pkg/app"
)

// The models that a bench makes of its own can be served.
func TestModelsCompile(t *testing.T) {
	t.Parallel()
	b := &bench{dir: t.TempDir(), opts: Options{Due: 1000, LoadFor: 9 * time.Second}}
	if err := b.openModel(); err != nil {
		t.Fatal(err)
	}
	changed, err1 := b.changedModel()
	sweep, err2 := b.sweepModel(b.sweepDelay())
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	hashes := map[string]string{}
	for _, path := range []string{b.model, changed, sweep} {
		file, err := app.ReadModel(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := app.Compile(file, file.Spec.Names()); err != nil {
			t.Fatal(err)
		}
		if before, ok := hashes[file.Hash]; ok {
			t.Errorf("%s and %s are the same model", before, path)
		}
		hashes[file.Hash] = path
	}
}
