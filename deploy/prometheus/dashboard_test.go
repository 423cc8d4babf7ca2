package prometheus

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var dashboardPath = []string{"..", "grafana", "tidemark.json"}

// panel is what the dashboard shows: a row, or a picture of some queries.
type panel struct {
	ID          int
	Type, Title string
	Targets     []struct{ Expr, LegendFormat string }
	GridPos     struct{ H, W, X, Y int }
}

type dashboard struct {
	Panels      []panel
	Annotations struct{ List []struct{ Expr string } }
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal([]byte(read(t, dashboardPath...)), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Panels) == 0 {
		t.Fatal("the dashboard has no panels")
	}
	return d
}

func TestDashboardAsksForMetricsThatExist(t *testing.T) {
	t.Parallel()
	exists := known(t)
	asked := map[string]bool{}
	check := func(title, expr string) {
		found := names(expr)
		if len(found) == 0 {
			t.Errorf("%s: %q asks for nothing", title, expr)
		}
		for _, name := range found {
			asked[name] = true
			if !exists(name) {
				t.Errorf("%s asks for %s, which does not exist", title, name)
			}
		}
	}
	d := readDashboard(t)
	for _, p := range d.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s asks for nothing", p.Title)
		}
		for _, target := range p.Targets {
			check(p.Title, target.Expr)
		}
	}
	for _, a := range d.Annotations.List {
		check("an annotation", a.Expr)
	}
	for line := range strings.Lines(read(t, golden)) {
		if name, _, _ := strings.Cut(line, "{"); !asked[name] && !asked[name+"_bucket"] {
			t.Errorf("no panel shows %s", name)
		}
	}
}

var (
	labelOf   = regexp.MustCompile(`(tidemark_\w+)\{([^}]*)\}`)
	labelName = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)`)
)

// A wrong label gives no error in Prometheus, only an empty panel or an alert that never fires.
func TestSelectorsUseLabelsThatExist(t *testing.T) {
	t.Parallel()
	labels := labelsOf(t)
	for name := range labels {
		labels[name] = append(labels[name], "job", "instance")
	}
	check := func(expr string) {
		for _, selector := range labelOf.FindAllStringSubmatch(expr, -1) {
			for _, label := range labelName.FindAllStringSubmatch(selector[2], -1) {
				if !slices.Contains(labels[selector[1]], label[1]) {
					t.Errorf("%s: %s has no label %s", expr, selector[1], label[1])
				}
			}
			if !strings.Contains(selector[2], `job="tidemark"`) {
				t.Errorf("%s: %s is not kept to the job tidemark", expr, selector[1])
			}
		}
	}
	for _, r := range readRules(t) {
		check(r.Expr)
	}
	for _, p := range readDashboard(t).Panels {
		for _, target := range p.Targets {
			check(target.Expr)
		}
	}
}

// promtool parses the queries, each as a rule of its own. Grafana's variables stand for a time.
func TestDashboardQueriesAreValid(t *testing.T) {
	t.Parallel()
	var rules strings.Builder
	rules.WriteString("groups:\n- name: dashboard\n  rules:\n")
	for _, p := range readDashboard(t).Panels {
		for _, target := range p.Targets {
			// Two panels may ask the same, so each rule has a label of its own.
			fmt.Fprintf(&rules, "  - {record: a_panel, labels: {panel: %q}, expr: %q}\n",
				fmt.Sprint(p.ID, target.LegendFormat), strings.ReplaceAll(target.Expr, "$__rate_interval", "1m"))
		}
	}
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", path)
}

func TestPanelsDoNotOverlap(t *testing.T) {
	t.Parallel()
	panels := readDashboard(t).Panels
	for i, a := range panels {
		for _, b := range panels[i+1:] {
			p, q := a.GridPos, b.GridPos
			if a.ID == b.ID || p.X < q.X+q.W && q.X < p.X+p.W && p.Y < q.Y+q.H && q.Y < p.Y+p.H {
				t.Errorf("%s and %s have one id or overlap", a.Title, b.Title)
			}
		}
	}
}
