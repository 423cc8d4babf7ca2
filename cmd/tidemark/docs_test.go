package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"tidemark/pkg/config"
)

var relativeLink = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	for _, page := range pages(t) {
		for _, link := range relativeLink.FindAllStringSubmatch(readPage(t, page), -1) {
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(page), link[1])); err != nil {
				t.Errorf("%s: link to %s: %v", page, link[1], err)
			}
		}
	}
}

var sourceFile = regexp.MustCompile(`[\w/]+\.(go|lua)\b`)

// A DESIGN page names files by their path below it, or by their name alone.
func TestFilesThatDesignNamesExist(t *testing.T) {
	t.Parallel()
	for _, page := range pages(t) {
		if filepath.Base(page) != "DESIGN.md" {
			continue
		}
		below := filesBelow(t, filepath.Join(root, filepath.Dir(page)))
		for _, name := range sourceFile.FindAllString(readPage(t, page), -1) {
			fits := func(path string) bool { return strings.HasSuffix("/"+path, "/"+name) }
			if _, err := os.Stat(filepath.Join(root, name)); err != nil && !slices.ContainsFunc(below, fits) {
				t.Errorf("%s names %s, which does not exist", page, name)
			}
		}
	}
}

func filesBelow(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, filepath.ToSlash(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var commandRow = regexp.MustCompile("(?m)^\\| `tidemark ([a-z -]+)` \\|")

func TestReadmeHasEveryCommand(t *testing.T) {
	t.Parallel()
	parser, err := kong.New(&commands{})
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, leaf := range parser.Model.Leaves(true) {
		path := []string{leaf.Name}
		for n := leaf.Parent; n != nil && n.Type == kong.CommandNode; n = n.Parent {
			path = append([]string{n.Name}, path...)
		}
		want = append(want, strings.Join(path, " "))
	}
	for _, row := range commandRow.FindAllStringSubmatch(readPage(t, "README.md"), -1) {
		got = append(got, row[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("README's table has the commands %q, the program has %q", got, want)
	}
}

var variableName = regexp.MustCompile(`\bTIDEMARK_[A-Z][A-Z_]*[A-Z]\b`)

func TestVariablesInPagesExist(t *testing.T) {
	t.Parallel()
	for _, page := range pages(t) {
		for _, name := range variableName.FindAllString(readPage(t, page), -1) {
			// An empty variable counts as not set, but must be known.
			if _, err := config.Load("", []string{name + "="}); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}

var (
	makeTarget = regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):`)
	makeCall   = regexp.MustCompile("(?m)(?:^|`)make ([a-z][a-z0-9-]*)")
)

func TestMakeTargetsInPagesExist(t *testing.T) {
	t.Parallel()
	var targets []string
	for _, m := range makeTarget.FindAllStringSubmatch(readPage(t, "Makefile"), -1) {
		targets = append(targets, m[1])
	}
	for _, page := range []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md"} {
		for _, m := range makeCall.FindAllStringSubmatch(readPage(t, page), -1) {
			if !slices.Contains(targets, m[1]) {
				t.Errorf("%s names make %s, the Makefile has %q", page, m[1], targets)
			}
		}
	}
}

// Each command block of README is run by a test, but for those that only call make.
func TestReadmeBlocksAreTested(t *testing.T) {
	t.Parallel()
	for _, b := range readBlocks(t, "README.md") {
		if test, _, _ := b.kind(); b.lang != "sh" || slices.Contains([]string{"tour", "example", "segment", "routing"}, test) {
			continue
		}
		for line := range strings.Lines(b.text) {
			if !strings.HasPrefix(line, "make ") && !strings.HasPrefix(line, "export PATH=") {
				t.Errorf("README.md:%d: nothing tests %q", b.line, line)
			}
		}
	}
}
