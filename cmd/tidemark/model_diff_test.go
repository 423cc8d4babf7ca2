package main

import (
	"encoding/json"
	"strings"
	"testing"

	"tidemark/pkg/modelfile"
)

func TestModelDiff(t *testing.T) {
	t.Parallel()
	a, b := writeModel(t, visitors), writeModel(t, strings.NewReplacer("version: 3", "version: 4", "points: 60", "points: 70", "bounce}", "bounce, where: strength > 1}").Replace(visitors))
	code, out, stderr := command(t, nil, "model", "diff", a, b)
	if code != exitDiffer {
		t.Errorf("exit %d, want %d: %s", code, exitDiffer, stderr)
	}
	for _, row := range []string{"version | 3 | 4 | - |", "signals[visit].points | 60 | 70 | at once |", "signals[bounce].match.where | - | strength > 1 | from then on |"} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), row) {
			t.Errorf("got %s, want a row %s", out, row)
		}
	}
	code, out, _ = command(t, nil, "model", "diff", "--json", a, b)
	var got struct {
		A, B        struct{ Version int }
		Differences []modelfile.Difference
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitDiffer || got.A.Version != 3 || got.B.Version != 4 || len(got.Differences) != 3 {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
	for same, want := range map[string]string{a: "no difference\n", writeModel(t, visitors+"score: {max: 100}\n"): "no difference but in how it is written"} {
		if code, out, stderr := command(t, nil, "model", "diff", a, same); code != exitDone || !strings.HasPrefix(out, want) {
			t.Errorf("exit %d: %s%s, want %s", code, out, stderr, want)
		}
	}
	if code, _, stderr := command(t, nil, "model", "diff", a, writeModel(t, "name: x\nverzion: 2\n")); code != exitUsage || !strings.Contains(stderr, "verzion") {
		t.Errorf("a fault: exit %d: %s", code, stderr)
	}
}
