package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/rs/zerolog"

	"tidemark/configs"
	"tidemark/pkg/config/yamltree"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden error texts in testdata")

func TestDefaultIsValid(t *testing.T) {
	t.Parallel()
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
}

func TestReferenceConfigurationIsTheDefault(t *testing.T) {
	t.Parallel()
	var c Config // not Default: every key must be in the file
	if err := c.decode("tidemark.yaml", configs.Reference()); err != nil {
		t.Fatal(err)
	}
	if want := Default(); !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	root := yamltree.Parse(configs.Reference(), &yamltree.Faults{})
	lines := strings.Split(string(configs.Reference()), "\n")
	for _, l := range leaves(&c) {
		at := root.Locate(l.path)
		if key := l.path[strings.LastIndexByte(l.path, '.')+1:]; !strings.HasPrefix(strings.TrimSpace(lines[at.Line-1]), key+":") {
			t.Errorf("%s is not in the file", l.path)
		} else if above := strings.TrimSpace(lines[at.Line-2]); !strings.HasPrefix(above, "# ") || !strings.HasSuffix(above, ".") {
			t.Errorf("%s has no sentence above it, but %q", l.path, above)
		}
	}
}

func TestBadFilesSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no bad examples: %v", err)
	}
	for _, path := range paths {
		c, err := Load(path, nil)
		if err == nil {
			err = c.Validate()
		}
		if err == nil {
			t.Errorf("%s: no error", path)
			continue
		}
		golden := strings.TrimSuffix(path, ".yaml") + ".txt"
		got := err.Error() + "\n"
		if *rewrite {
			if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%swant\n%s", path, got, want)
		}
		if strings.Contains(got, "hunter2") || strings.Contains(got, "12345") {
			t.Errorf("%s: the error shows a secret", path)
		}
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.yaml")
	write(t, path, "namespace: file\nkafka: {group: file, brokers: [\"f:1\"]}\nlog:\n")
	c, err := Load(path, []string{
		"HOME=/root", "TIDEMARK_KAFKA_GROUP=env", "TIDEMARK_KAFKA_BROKERS=a:9092, b:9092", "TIDEMARK_LOG_LEVEL=",
		"TIDEMARK_EVENTS_MAX_AGE=1d12h", "TIDEMARK_EVENTS_MAX_BYTES=1MiB", "TIDEMARK_REDIS_TLS_ENABLED=true",
		"TIDEMARK_KAFKA_INPUTS=calls=segment:ignore, surge = mapped:dir/surge.yaml",
		"TIDEMARK_ENGINE_LANES=3", "TIDEMARK_REDIS_PASSWORD=p=q", "TIDEMARK_CACHE=x", "TIDEMARK_MAVEN=x", "TIDEMARK_TEST_KAFKA=x",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Set("kafka.group", "flag"); err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Namespace = "file"
	want.Kafka.Group = "flag"
	want.Kafka.Brokers = []string{"a:9092", "b:9092"}
	want.Kafka.Inputs = Inputs{{Topic: "calls", Format: "segment", GroupProfiles: "ignore"}, {Topic: "surge", Format: "mapped", Mapping: "dir/surge.yaml"}}
	want.Events.MaxAge = 36 * time.Hour
	want.Events.MaxBytes = MiB
	want.Redis.TLS.Enabled = true
	want.Redis.Password = NewSecret("p=q")
	want.Engine.Lanes = 3
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestBadEnvironment(t *testing.T) {
	t.Parallel()
	_, err := Load("", []string{
		"TIDEMARK_KAFKA_BROKER=a:1", "TIDEMARK_SHUTDOWN_TIMEOUT=5 min", "TIDEMARK_ENGINE_LANES=many",
		"TIDEMARK_REDIS_TLS_ENABLED=yes", "TIDEMARK_EVENTS_MAX_BYTES=1MB", "TIDEMARK_NOTHING_LIKE_IT=", "TIDEMARK_KAFKA_INPUTS=calls:segment",
	})
	want := `TIDEMARK_KAFKA_BROKER: unknown variable, did you mean "TIDEMARK_KAFKA_BROKERS"?
TIDEMARK_SHUTDOWN_TIMEOUT: "5 min" is not a duration: a number and a unit (ms s m h d w), or a sum such as 1d12h
TIDEMARK_ENGINE_LANES: "many" is not a whole number
TIDEMARK_REDIS_TLS_ENABLED: "yes" is neither true nor false
TIDEMARK_EVENTS_MAX_BYTES: "1MB" is not a size: a whole number and a unit (B KiB MiB GiB)
TIDEMARK_NOTHING_LIKE_IT: unknown variable
TIDEMARK_KAFKA_INPUTS: "calls:segment" is not topic=format, topic=mapped:FILE or topic=segment:ignore`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	c := Default()
	if err := c.Set("kafka.groop", "x"); err == nil || err.Error() != `kafka.groop: unknown key, did you mean "kafka.group"?` {
		t.Errorf("got %v", err)
	}
	if err := c.Set("engine.lanes", "x"); err == nil {
		t.Error("a wrong value: want an error")
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml"), nil); err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("a missing file: got %v", err)
	}
}

func TestVariablesAreDistinct(t *testing.T) {
	t.Parallel()
	c := Default()
	seen := map[string]string{}
	for _, l := range leaves(&c) {
		name := variable(l.path)
		if other, ok := seen[name]; ok || elsewhere(name) {
			t.Errorf("%s: %s is taken by %q", l.path, name, other)
		}
		seen[name] = l.path
	}
	if seen["TIDEMARK_KAFKA_TOPICS_TIER_CHANGES"] != "kafka.topics.tier_changes" {
		t.Errorf("got %v", seen)
	}
}

func TestPrintIsReadBack(t *testing.T) {
	t.Parallel()
	c := Default()
	c.Namespace = "true"
	c.Model = "dir with space/\"m\": x.yaml"
	c.Kafka.Brokers = []string{"a:1", "[::1]:2", "# c"}
	c.Kafka.Inputs = Inputs{{Topic: "a", Format: "mapped", Mapping: "x, y: #.yaml"}, {Topic: "B", Format: "segment", GroupProfiles: "replace"}}
	c.Events.MaxAge = 36*time.Hour + 5*time.Millisecond
	c.Events.MaxBytes = 1000
	var out bytes.Buffer
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	got := Config{}
	if err := got.decode("printed", out.Bytes()); err != nil {
		t.Fatalf("%v in\n%s", err, out.String())
	}
	if !reflect.DeepEqual(got, c) {
		t.Errorf("got  %+v\nwant %+v\nby\n%s", got, c, out.String())
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	t.Parallel()
	c := Default()
	for _, s := range []*Secret{&c.Kafka.SASL.Password, &c.Redis.Password, &c.Redis.SentinelPassword} {
		*s = NewSecret("hunter2")
	}
	var printed, logged bytes.Buffer
	if err := c.Print(&printed); err != nil {
		t.Fatal(err)
	}
	logger := zerolog.New(&logged)
	logger.Info().Interface("config", c).Any("secret", c.Redis.Password).Stringer("text", c.Redis.Password).Msg("")
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for way, text := range map[string]string{
		"print": printed.String(), "json": string(asJSON), "yaml": string(asYAML), "log": logged.String(),
		"%v": fmt.Sprint(c), "%+v": fmt.Sprintf("%+v", c), "%#v": fmt.Sprintf("%#v", c), "%s": fmt.Sprintf("a %s", c.Redis.Password),
		"%q": fmt.Sprintf("%q", c.Redis.Password), "%x": fmt.Sprintf("%x", c.Redis.Password), "pointer": fmt.Sprint(&c),
	} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "68756e746572") {
			t.Errorf("%s shows the secret: %s", way, text)
		}
		if way != "%x" && !strings.Contains(text, "redacted") {
			t.Errorf("%s does not say that there is a secret: %s", way, text)
		}
	}
	if c.Redis.Password.Reveal() != "hunter2" || !c.Redis.Password.Set() || (Secret{}).String() != "" {
		t.Error("Reveal, Set or the zero value is wrong")
	}
}

func TestInputTopics(t *testing.T) {
	t.Parallel()
	k := Default().Kafka
	k.Inputs = Inputs{{Topic: "calls", Format: "segment"}, {Topic: "intent-events", Format: "mapped", Mapping: "m"}, {Topic: "outcome-events", Format: "segment"}, {Topic: "rows", Format: "cloudevents"}}
	if got, want := k.InputTopics(), []string{"account-profiles", "intent-events", "engagement-events", "calls", "rows"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := k.MoreTopics(), []string{"calls", "rows"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestInstance(t *testing.T) {
	t.Parallel()
	if got, err := (Kafka{InstanceID: "a"}).Instance(); got != "a" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := (Kafka{}).Instance(); got != host || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, host)
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Size{"0": 0, "5": 5, "5B": 5, "256KiB": 256 * KiB, "1MiB": MiB, "2GiB": 2 * GiB} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "KiB", "1.5KiB", "-1B", "1MB", "1 KiB", "99999999999", "2000000000GiB"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q: got %d, want an error", text, got)
		}
	}
	for size, want := range map[Size]string{0: "0B", 1: "1B", 1536: "1536B", 2048: "2KiB", GiB: "1GiB"} {
		if got := size.String(); got != want {
			t.Errorf("%d: got %q, want %q", size, got, want)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(configs.Reference())
	f.Fuzz(func(t *testing.T, data []byte) {
		c := Default()
		if c.decode("c", data) == nil {
			_ = c.Validate()
			if err := c.Print(&bytes.Buffer{}); err != nil {
				t.Error(err)
			}
		}
	})
}
