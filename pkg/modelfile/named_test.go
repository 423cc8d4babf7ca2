package modelfile_test

import (
	"strings"
	"testing"

	"tidemark/pkg/modelfile"
	"tidemark/scoring"
)

func TestNamed(t *testing.T) {
	t.Parallel()
	values := map[string]any{"tier": "B", "profile": map[string]any{"region": "DACH"}, "body": []any{map[string]any{"success": true}}}
	for expr, want := range map[string]scoring.Truth{
		`tier == "B" and profile.region == "DACH"`: scoring.True,
		`tier == "A"`:             scoring.False,
		`profile.customer`:        scoring.Unknown,
		`all(body, .success)`:     scoring.True,
		`all(body, not .success)`: scoring.False,
	} {
		holds, err := modelfile.Named(expr, "tier", "profile", "body")
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		if got := holds(values); got != want {
			t.Errorf("%s is %v, want %v", expr, got, want)
		}
	}
	if _, err := modelfile.Named(`teir == "B"`, "tier", "profile"); err == nil || !strings.Contains(err.Error(), "tier") {
		t.Errorf("a wrong name gives %v", err)
	}
}
