package prometheus

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestRulesAreValid(t *testing.T) {
	t.Parallel()
	promtool(t, "check", "rules", "rules.yaml")
}

// The rules lie elsewhere in the container, so their place is not checked.
func TestConfigurationOfComposeIsValid(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "compose", "prometheus.yaml")
	promtool(t, "check", "config", "--syntax-only", path)
	if !strings.Contains(read(t, path), "job_name: tidemark ") {
		t.Errorf("%s: no job is named tidemark, as the rules want it", path)
	}
}

func TestRulesFireAndResolve(t *testing.T) {
	t.Parallel()
	promtool(t, "test", "rules", "rules_test.yaml", "rules_test_week.yaml", "rules_test_actions.yaml")
}

// promtool says nothing of an alert that has no case.
func TestEachAlertIsSeenToFireAndToResolve(t *testing.T) {
	t.Parallel()
	var short, week, actions struct {
		Tests []struct {
			AlertRuleTest []struct {
				AlertName string `yaml:"alertname"`
				ExpAlerts []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	readYAML(t, "rules_test.yaml", &short)
	readYAML(t, "rules_test_week.yaml", &week)
	readYAML(t, "rules_test_actions.yaml", &actions)
	seen := map[string]bool{}
	for _, test := range slices.Concat(short.Tests, week.Tests, actions.Tests) {
		fired := map[string]bool{}
		for _, check := range test.AlertRuleTest {
			if len(check.ExpAlerts) > 0 {
				fired[check.AlertName] = true
			} else if fired[check.AlertName] {
				seen[check.AlertName] = true
			}
		}
	}
	for _, r := range readRules(t) {
		if r.Alert != "" && !seen[r.Alert] {
			t.Errorf("no test of promtool has a case in which %s fires and then resolves", r.Alert)
		}
	}
}

func TestEachAlertSaysWhatItMeansAndWhatToDo(t *testing.T) {
	t.Parallel()
	runbook := read(t, "..", "README.md")
	for _, r := range readRules(t) {
		if r.Alert == "" {
			continue
		}
		if !slices.Contains([]string{"page", "ticket"}, r.Labels["severity"]) {
			t.Errorf("%s: severity is %q, want page or ticket", r.Alert, r.Labels["severity"])
		}
		for _, name := range []string{"summary", "impact"} {
			if r.Annotations[name] == "" {
				t.Errorf("%s has no annotation %s", r.Alert, name)
			}
		}
		if got, want := r.Annotations["runbook_url"], "/deploy/README.md#"+strings.ToLower(r.Alert); got != want {
			t.Errorf("%s: runbook_url is %q, want %q", r.Alert, got, want)
		}
		if !strings.Contains(runbook, "\n### "+r.Alert+"\n") {
			t.Errorf("deploy/README.md has no heading %q", "### "+r.Alert)
		}
	}
}

func TestRunbookKnowsNoOtherAlerts(t *testing.T) {
	t.Parallel()
	var alerts []string
	for _, r := range readRules(t) {
		alerts = append(alerts, r.Alert)
	}
	for line := range strings.Lines(read(t, "..", "README.md")) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "### Tidemark"); ok && !slices.Contains(alerts, "Tidemark"+name) {
			t.Errorf("deploy/README.md explains Tidemark%s, which is no alert of rules.yaml", name)
		}
	}
}
