// Package compose holds the whole of Tidemark for one machine, as containers. Its
// tests check what can be checked without Docker, the image's build file too.
// There is no API.
package compose

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"tidemark/pkg/config"
)

var image = filepath.Join("..", "docker", "Dockerfile")

type service struct {
	Image       string
	Command     []string
	Environment map[string]string
	Volumes     []string
	Ports       []string
	DependsOn   any `yaml:"depends_on"`
}

type file struct {
	Services map[string]service
	Volumes  map[string]any
}

func readFile(t *testing.T) file {
	t.Helper()
	var f file
	if err := yaml.Unmarshal([]byte(read(t, "compose.yaml")), &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestVolumesExist(t *testing.T) {
	t.Parallel()
	f := readFile(t)
	for name, s := range f.Services {
		for _, volume := range s.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			if !strings.HasPrefix(source, ".") {
				if _, ok := f.Volumes[source]; !ok {
					t.Errorf("%s: the volume %s is not declared", name, source)
				}
			} else if info, err := os.Stat(source); err != nil || info.IsDir() {
				t.Errorf("%s: %s is no file of this checkout", name, source)
			}
		}
	}
}

// Nothing here has a password.
func TestPortsAreOfThisMachineOnly(t *testing.T) {
	t.Parallel()
	for name, s := range readFile(t).Services {
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s: %s is open to the network", name, port)
			}
		}
	}
}

func TestServicesAskForEachOther(t *testing.T) {
	t.Parallel()
	services := readFile(t).Services
	for name, s := range services {
		var needed []string
		switch d := s.DependsOn.(type) {
		case map[string]any:
			for other := range d {
				needed = append(needed, other)
			}
		case []any:
			for _, other := range d {
				needed = append(needed, fmt.Sprint(other))
			}
		}
		for _, other := range needed {
			if _, ok := services[other]; !ok {
				t.Errorf("%s depends on %s, which is no service", name, other)
			}
		}
	}
}

func TestTidemarkTakesItsEnvironment(t *testing.T) {
	t.Parallel()
	services := readFile(t).Services
	for _, name := range []string{"topics", "tidemark"} {
		environ := []string{"TIDEMARK_HTTP_ADDR=0.0.0.0:8080"} // the image's
		for key, value := range services[name].Environment {
			environ = append(environ, key+"="+value)
		}
		c, err := config.Load("", environ)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.Kafka.Brokers[0] != "kafka:19092" || c.Redis.Addrs[0] != "redis:6379" {
			t.Errorf("%s talks to %v and %v", name, c.Kafka.Brokers, c.Redis.Addrs)
		}
	}
}

func TestRedisKeepsWhatItIsGiven(t *testing.T) {
	t.Parallel()
	command := strings.Join(readFile(t).Services["redis"].Command, " ")
	for _, want := range []string{"--appendonly yes", "--maxmemory-policy noeviction"} {
		if !strings.Contains(command, want) {
			t.Errorf("redis runs as %q, without %s", command, want)
		}
	}
}

// What a new package needs is copied into the image's build and sent to the builder.
func TestImageIsBuiltFromAllPackages(t *testing.T) {
	t.Parallel()
	deps := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/tidemark")
	deps.Dir = filepath.Join("..", "..")
	out, err := deps.Output()
	if err != nil {
		t.Fatal(err)
	}
	var copied []string
	for line := range strings.Lines(read(t, image)) {
		if words := strings.Fields(line); len(words) == 3 && words[0] == "COPY" {
			copied = append(copied, words[1])
		}
	}
	for _, name := range append(copied, "go.mod", "go.sum") {
		if !slices.Contains(strings.Split(read(t, image+".dockerignore"), "\n"), "!"+name) {
			t.Errorf("Dockerfile.dockerignore keeps %s from the builder", name)
		}
	}
	for line := range strings.Lines(string(out)) {
		dir, ours := strings.CutPrefix(strings.TrimSpace(line), "tidemark/")
		if ours && !slices.ContainsFunc(copied, func(c string) bool { return dir == c || strings.HasPrefix(dir, c+"/") }) {
			t.Errorf("the Dockerfile does not copy %s", dir)
		}
	}
}

func TestImageRunsAsNobody(t *testing.T) {
	t.Parallel()
	text := read(t, image)
	for _, want := range []string{"\nUSER 65532:65532\n", "CGO_ENABLED=0", "-trimpath", "\nFROM gcr.io/distroless/static-debian12:nonroot\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the Dockerfile lacks %q", strings.TrimSpace(want))
		}
	}
	version := strings.TrimPrefix(goLine(t), "go ")
	minor := version[:strings.LastIndex(version, ".")]
	if !strings.Contains(text, "FROM golang:"+minor+"-") {
		t.Errorf("the Dockerfile does not build with Go %s, as go.mod wants", minor)
	}
}

func goLine(t *testing.T) string {
	t.Helper()
	for line := range strings.Lines(read(t, filepath.Join("..", "..", "go.mod"))) {
		if strings.HasPrefix(line, "go ") {
			return strings.TrimSpace(line)
		}
	}
	t.Fatal("go.mod names no version of Go")
	return ""
}
