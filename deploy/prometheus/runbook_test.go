package prometheus

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tidemark/deploy/testenv"
)

var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// commands are the lines of the runbook's blocks that call a program.
func commands(t *testing.T, program string) []string {
	t.Helper()
	var out []string
	for _, block := range shellBlock.FindAllStringSubmatch(read(t, "..", "README.md"), -1) {
		for line := range strings.Lines(block[1]) {
			if word, _, _ := strings.Cut(strings.TrimSpace(line), " "); program == "" || word == program {
				out = append(out, strings.TrimSpace(line))
			}
		}
	}
	if len(out) == 0 {
		t.Fatalf("deploy/README.md has no command of %s", program)
	}
	return out
}

// shell runs a line as the reader would.
func shell(t *testing.T, line string, env ...string) (string, error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "bash", "-c", line)
	c.Env = append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	return string(out), err
}

// Each line is parsed by the program itself, which refuses unknown commands and
// flags before it prints its help.
func TestRunbookCallsTidemarkAsItIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "tidemark"), "tidemark/cmd/tidemark").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	path := "PATH=" + dir + string(os.PathListSeparator) + os.Getenv("PATH")
	for _, line := range commands(t, "tidemark") {
		if out, err := shell(t, line+" --help", path); err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
	if _, err := shell(t, "tidemark rebuild --unknown --help", path); err == nil {
		t.Error("an unknown flag passed, so this test shows nothing")
	}
}

var inText = regexp.MustCompile("`tidemark ([a-z -]+)`")

// What the text names in passing is a command as well.
func TestRunbookNamesCommandsOfItsBlocks(t *testing.T) {
	t.Parallel()
	lines := append(commands(t, "tidemark"), "tidemark config print")
	for _, m := range inText.FindAllStringSubmatch(read(t, "..", "README.md"), -1) {
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "tidemark "+m[1]) }) {
			t.Errorf("the text names tidemark %s, which no block has", m[1])
		}
	}
}

func TestRunbookCallsRedisAsItIs(t *testing.T) {
	t.Parallel()
	server, err := testenv.StartRedis(testenv.RedisOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, line := range commands(t, "redis-cli") {
		// -e: an error of the server is an exit code.
		line = strings.Replace(line, "redis-cli ", "redis-cli -e ", 1)
		if out, err := shell(t, line, "REDIS=redis://"+server.Addr(), "TIDEMARK_REDIS_PASSWORD=secret"); err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
}

// Programs that are not run here are those that an operator has.
func TestRunbookCallsKnownPrograms(t *testing.T) {
	t.Parallel()
	known := []string{
		"tidemark", "redis-cli", "redis-check-aof", "curl", "systemctl", "journalctl", "export",
		"kafka-topics.sh", "kafka-acls.sh", "kafka-consumer-groups.sh", "kafka-broker-api-versions.sh",
	}
	for _, line := range commands(t, "") {
		word, rest, _ := strings.Cut(line, " ")
		if !slices.Contains(known, word) {
			t.Errorf("%s: %s is not among %q", line, word, known)
		}
		if word == "curl" && !regexp.MustCompile(`"http://\$INSTANCE/(healthz|readyz|metrics|api/v1/lag)"$`).MatchString(rest) {
			t.Errorf("%s: not an address that serve answers", line)
		}
		if out, err := shell(t, "set -n; "+line); err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
}
