package faults

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMutations breaks a copy of the program, a line at a time, and wants the tests
// that are named in the patch to notice. It is part of `make test-faults` only.
func TestMutations(t *testing.T) { //nolint:tparallel // one after the other: each builds the program
	t.Parallel()
	patches, err := filepath.Glob(filepath.Join("testdata", "mutations", "*.patch"))
	done(t, err)
	if len(patches) < 8 {
		t.Fatalf("%d patches, want at least 8", len(patches))
	}
	for _, path := range patches {
		patch, err := os.ReadFile(path)
		done(t, err)
		_, line, _ := strings.Cut(string(patch), "\nRed: ")
		line, _, _ = strings.Cut(line, "\n")
		args := strings.Fields(line)
		if len(args) == 0 {
			t.Fatalf("%s names no tests", path)
		}
		if !everything() || os.Getenv(mutantVariable) != "" {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(path), ".patch"), func(t *testing.T) {
			mutant(t, patch, args)
		})
	}
}

// mutantVariable is set where this package's tests run inside of a mutant.
const mutantVariable = "TIDEMARK_TEST_MUTANT"

// mutant applies a patch to a copy of the tree and wants the tests to fail, and
// not to fail to build.
func mutant(t *testing.T, patch []byte, args []string) {
	t.Helper()
	dir := t.TempDir()
	done(t, copyTree(filepath.Join("..", ".."), dir))
	if out, err := inDir(dir, patch, "git", "apply", "-C1", "-"); err != nil {
		t.Fatalf("the patch no longer fits, make it anew: %v\n%s", err, out)
	}
	// A mutant that never ends is noticed too.
	out, err := inDir(dir, nil, "go", append([]string{"test", "-vet=off", "-failfast", "-timeout", "3m"}, args...)...)
	var exit *exec.ExitError
	switch {
	case err == nil:
		t.Errorf("go test %s stays green", strings.Join(args, " "))
	case !errors.As(err, &exit):
		t.Fatal(err)
	case !bytes.Contains(out, []byte("--- FAIL")) && !bytes.Contains(out, []byte("panic: test timed out")):
		t.Errorf("go test failed without a failing test:\n%s", out)
	}
}

func inDir(dir string, input []byte, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(input)
	// Outside of any repository, whatever is around the copy; without paths in what
	// is built, so that the copies share the build cache.
	cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir), "GOFLAGS=-buildvcs=false -trimpath", mutantVariable+"=yes")
	return cmd.CombinedOutput()
}

// copyTree copies what the program is built from.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir() && (entry.Name() == ".git" || name == "bin" || name == "dist"):
			return filepath.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		case !entry.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), data, 0o644)
	})
}
