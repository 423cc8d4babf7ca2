package faults

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"tidemark/deploy/testenv"
)

var (
	servers testenv.Shared
	// built is the program under test, built once, with failpoints.
	built string
)

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests mostly wait for time-outs, so more than one for each core may run.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "tidemark-faults-")
	if err == nil {
		built = filepath.Join(dir, "tidemark")
		var out []byte
		if out, err = exec.Command("go", "build", "-tags", "failpoints", "-o", built, "tidemark/cmd/tidemark").CombinedOutput(); err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build the program under test:", err)
		os.Exit(1) //nolint:forbidigo // TestMain ends the process
	}
	goleak.VerifyTestMain(servers.Around(victims.around(m)), goleak.Cleanup(func(code int) {
		os.RemoveAll(dir) //nolint:errcheck // a temporary directory
		os.Exit(code)     //nolint:forbidigo // TestMain ends the process
	}))
}
