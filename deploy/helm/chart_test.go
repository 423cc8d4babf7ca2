package helm

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"tidemark/pkg/config"
)

const chart = "tidemark"

// rules.yaml must be within the chart to be packed with it.
func TestRulesAreThoseOfPrometheus(t *testing.T) {
	t.Parallel()
	got, err := os.ReadFile(filepath.Join(chart, "files", "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("..", "prometheus", "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("deploy/helm/tidemark/files/rules.yaml is not deploy/prometheus/rules.yaml: run make generate")
	}
}

// values are the chart's defaults.
func values(t *testing.T) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := yaml.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// What the chart hands to the program is a configuration to it.
func TestConfigurationInTheValuesIsValid(t *testing.T) {
	t.Parallel()
	text, err := yaml.Marshal(values(t)["config"])
	if err != nil {
		t.Fatal(err)
	}
	wantConfiguration(t, text)
}

func wantConfiguration(t *testing.T, text []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tidemark.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, []string{"TIDEMARK_HTTP_ADDR=0.0.0.0:8080", "TIDEMARK_KAFKA_INSTANCE_ID=prod-tidemark-0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}

// A value that the schema does not know is refused, so it must know each.
func TestSchemaKnowsEachValue(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(chart, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	type schema struct {
		Properties map[string]schema
		Additional any `json:"additionalProperties"`
	}
	var walk func(path string, s schema, v map[string]any)
	walk = func(path string, s schema, v map[string]any) {
		for key, value := range v {
			inner, ok := s.Properties[key]
			if !ok {
				t.Errorf("the schema does not know %s%s", path, key)
			}
			if m, ok := value.(map[string]any); ok && inner.Additional == false {
				walk(path+key+".", inner, m)
			}
		}
		for key := range s.Properties {
			if _, ok := v[key]; !ok && key != "global" {
				t.Errorf("the schema knows %s%s, which has no default", path, key)
			}
		}
	}
	// "properties: {key: false}" forbids a key, so only objects are read.
	var top struct {
		Properties map[string]json.RawMessage
	}
	if err := json.Unmarshal(text, &top); err != nil {
		t.Fatal(err)
	}
	delete(top.Properties, "config")
	known := schema{Properties: map[string]schema{}}
	for key, raw := range top.Properties {
		var s schema
		if err := json.Unmarshal(raw, &s); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		known.Properties[key] = s
	}
	defaults := values(t)
	delete(defaults, "config")
	walk("", known, defaults)
}

// helmVariable names the program helm, which `make test-chart` builds. What needs it
// passes without, as it takes minutes to build.
const helmVariable = "TIDEMARK_TEST_HELM"

func withHelm() bool { return os.Getenv(helmVariable) != "" }

// helm runs helm on the chart, for the oldest Kubernetes that the chart is for: helm as
// `go install` builds it would take it for one of 2020, which is refused.
func helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	program := os.Getenv(helmVariable)
	c := exec.CommandContext(t.Context(), program, append(args, "--kube-version", oldestKubernetes(t))...)
	c.Env = append(os.Environ(), "HELM_CACHE_HOME="+t.TempDir(), "HELM_CONFIG_HOME="+t.TempDir(), "HELM_DATA_HOME="+t.TempDir())
	out, err := c.CombinedOutput()
	return string(out), err
}

var kubeVersion = regexp.MustCompile(`(?m)^kubeVersion: ">=([0-9.]+)-0"$`)

func oldestKubernetes(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(chart, "Chart.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	m := kubeVersion.FindSubmatch(text)
	if m == nil {
		t.Fatalf("Chart.yaml says no kubeVersion:\n%s", text)
	}
	return string(m[1])
}

// all switches everything on that can be on at once.
var all = []string{
	"--set", "keda.enabled=true,serviceMonitor.enabled=true,prometheusRule.enabled=true,networkPolicy.enabled=true",
	"--set", "model=name: m,secretName=secret,keda.authenticationRef=auth,priorityClassName=high",
	"--set-json", `extraEnv=[{"name":"A","value":"b"}]`, "--set-json", `networkPolicy.from=[{"namespaceSelector":{}}]`,
	"--set-json", `networkPolicy.kafka.to=[{"ipBlock":{"cidr":"10.0.0.0/8"}}]`, "--set", "networkPolicy.collector.port=4318", "--set-json", `podAnnotations={"a":"b"}`,
	"--set-json", `extraVolumes=[{"name":"ca","secret":{"secretName":"ca"}}]`, "--set-json", `extraVolumeMounts=[{"name":"ca","mountPath":"/ca"}]`,
	"--set-json", `nodeSelector={"a":"b"}`, "--set-json", `tolerations=[{"operator":"Exists"}]`, "--set-json", `imagePullSecrets=[{"name":"a"}]`,
	"--api-versions", "keda.sh/v1alpha1",
}

func TestChartPassesHelmsLint(t *testing.T) {
	t.Parallel()
	if !withHelm() {
		return
	}
	for _, values := range [][]string{nil, all[:len(all)-2], {"--set", "autoscaling.enabled=true"}} {
		if out, err := helm(t, append([]string{"lint", "--strict", chart}, values...)...); err != nil {
			t.Errorf("helm lint %q: %v\n%s", values, err, out)
		}
	}
}

// manifest is what the tests read of an object.
type manifest struct {
	Kind       string
	APIVersion string `yaml:"apiVersion"`
	Metadata   struct{ Name string }
	Data       map[string]string
	Spec       map[string]any
}

func template(t *testing.T, args ...string) map[string]manifest {
	t.Helper()
	out, err := helm(t, append([]string{"template", "prod", chart}, args...)...)
	if err != nil {
		t.Fatalf("helm template %q: %v\n%s", args, err, out)
	}
	objects := map[string]manifest{}
	for text := range strings.SplitSeq(out, "\n---\n") {
		var m manifest
		if err := yaml.Unmarshal([]byte(text), &m); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if m.Kind != "" {
			objects[m.Kind] = m
		}
	}
	return objects
}

func TestChartMakesWhatIsSwitchedOn(t *testing.T) {
	t.Parallel()
	if !withHelm() {
		return
	}
	usual := []string{"ConfigMap", "PodDisruptionBudget", "Service", "ServiceAccount", "StatefulSet"}
	for _, c := range []struct{ args, want []string }{
		{nil, usual},
		{all, append([]string{"NetworkPolicy", "PrometheusRule", "ScaledObject", "ServiceMonitor"}, usual...)},
		{[]string{"--set", "autoscaling.enabled=true,podDisruptionBudget.enabled=false,serviceAccount.create=false"}, []string{"ConfigMap", "HorizontalPodAutoscaler", "Service", "StatefulSet"}},
	} {
		var got []string
		for kind, m := range template(t, c.args...) {
			got = append(got, kind)
			if m.Metadata.Name != "prod-tidemark" || m.APIVersion == "" {
				t.Errorf("%s has the name %q and version %q", kind, m.Metadata.Name, m.APIVersion)
			}
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%q makes %q, want %q", c.args, got, c.want)
		}
	}
}

func TestConfigMapIsTheConfiguration(t *testing.T) {
	t.Parallel()
	if !withHelm() {
		return
	}
	wantConfiguration(t, []byte(template(t)["ConfigMap"].Data["tidemark.yaml"]))
}

func TestRulesOfTheChartAreValid(t *testing.T) {
	t.Parallel()
	if !withHelm() {
		return
	}
	spec, err := yaml.Marshal(template(t, all...)["PrometheusRule"].Spec)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, spec, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "promtool", "check", "rules", path).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

func TestPodsAreConfined(t *testing.T) {
	t.Parallel()
	if !withHelm() {
		return
	}
	out, err := helm(t, append([]string{"template", "prod", chart, "--show-only", "templates/statefulset.yaml"}, all...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"runAsNonRoot: true", "readOnlyRootFilesystem: true", "allowPrivilegeEscalation: false", `drop: \[ALL\]`, "type: RuntimeDefault",
		"automountServiceAccountToken: false", "path: /healthz", "path: /readyz", "enableServiceLinks: false",
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("the pods lack %s:\n%s", want, out)
		}
	}
}

func TestBadValuesAreRefused(t *testing.T) {
	t.Parallel()
	if !withHelm() {
		return
	}
	for _, bad := range []string{
		"replica=3", "replicas=0", "config.kafka.brokers=a:9092", "config.http.addr=a", "config.redis.password=secret", "image.pullPolicy=Sometimes",
		"networkPolicy.redis.port=0", "keda.lagThreshold=many", "autoscaling.enabled=true,keda.enabled=true",
	} {
		if out, err := helm(t, "template", "prod", chart, "--set", bad); err == nil {
			t.Errorf("%s is taken:\n%s", bad, out[:min(len(out), 300)])
		}
	}
}
