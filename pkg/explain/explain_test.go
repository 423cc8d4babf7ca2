package explain_test

import (
	"strings"
	"testing"

	"tidemark/pkg/explain"
	"tidemark/scoring"
)

// What is held back is said beside what counts, and in no sum.
func TestSaysWhatIsHeldBack(t *testing.T) {
	t.Parallel()
	limit := 2.0
	r := scoring.Receipt{Score: 8, Groups: []scoring.GroupReceipt{{Name: "mail", Points: 8, Sum: 8, Signals: []scoring.SignalReceipt{
		{Name: "email-click", Points: 8, Intensity: 1, Weight: 8, Limit: &limit, HalfLife: "5d", Held: 6, HeldPoints: 8},
		{Name: "email-open", Weight: 5, HalfLife: "never", Held: 0.5, HeldPoints: 2.5},
	}}}, ICP: scoring.ICPReceipt{Inside: true}}
	var out strings.Builder
	if err := explain.Write(&out, "acme.example", explain.Facts{Tier: "C", Receipt: r}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"8.0 × 1.00; halves every 5d; 6.00 more held back as machine-like (8.0 points)",
		"5.0 × 0.00; does not fade; 0.50 more held back as machine-like (2.5 points)",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got\n%s\nwant …%s…", out.String(), want)
		}
	}
}
