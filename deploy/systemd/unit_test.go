// Package systemd holds the unit of a plain installation. There is no API.
package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const program = "/usr/bin/tidemark"

func readUnit(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("tidemark.service")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var (
	section = regexp.MustCompile(`^\[(Unit|Service|Install)\]$`)
	setting = regexp.MustCompile(`^[A-Z][A-Za-z]+=`)
)

func TestUnitIsWellFormed(t *testing.T) {
	t.Parallel()
	unit := readUnit(t)
	for line := range strings.Lines(unit) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") && !section.MatchString(line) && !setting.MatchString(line) {
			t.Errorf("%q is no section, no setting and no comment", line)
		}
	}
	for _, want := range []string{"Type=notify", "NotifyAccess=main", "TimeoutStartSec=infinity", "WatchdogSec=60", "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "ExecStart=" + program + " serve ", "DynamicUser=yes", "ProtectSystem=strict", "NoNewPrivileges=yes", "TimeoutStopSec=40"} {
		if !strings.Contains(unit, "\n"+want) {
			t.Errorf("the unit lacks %s", want)
		}
	}
}

// systemd knows the settings' names and values. It wants a program that exists, and
// is not on every machine that can build Tidemark.
func TestSystemdTakesTheUnit(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is not on the PATH; the unit's form alone is checked")
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tidemark.service")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(readUnit(t), program, self)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), analyze, "verify", path).CombinedOutput()
	if err != nil || strings.Contains(string(out), "tidemark.service") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
