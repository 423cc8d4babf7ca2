package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the top of the checkout.
var root = filepath.Join("..", "..")

// block is a fenced block of a page, with what the comment in front of it says:
// <!-- test: NAME WORD … --> for commands, <!-- output --> for what they print.
type block struct {
	line int // of the opening fence
	lang string
	mark string
	text string
	// want is the output block that follows, or nil.
	want *string
}

// kind splits a mark "test: tour until "x"" into the test's name, a word and its
// argument.
func (b *block) kind() (test, word, argument string) {
	rest, ok := strings.CutPrefix(b.mark, "test: ")
	if !ok {
		return "", "", ""
	}
	test, rest, _ = strings.Cut(rest, " ")
	word, argument, _ = strings.Cut(rest, " ")
	return test, word, strings.Trim(argument, `"`)
}

var markLine = regexp.MustCompile(`^<!-- (.*) -->$`)

// readBlocks returns the fenced blocks of a page, output blocks folded into the
// commands before them.
func readBlocks(t *testing.T, page string) []*block {
	t.Helper()
	var out []*block
	var open *block
	mark := ""
	for i, line := range strings.Split(readPage(t, page), "\n") {
		switch {
		case open != nil && line == "```":
			if last := len(out) - 1; open.mark == "output" {
				if last < 0 || out[last].want != nil {
					t.Fatalf("%s:%d: an output without a command", page, open.line)
				}
				out[last].want = &open.text
			} else {
				out = append(out, open)
			}
			open = nil
		case open != nil:
			open.text += line + "\n"
		case strings.HasPrefix(line, "```"):
			open, mark = &block{line: i + 1, lang: line[3:], mark: mark}, ""
		case markLine.MatchString(line):
			mark = markLine.FindStringSubmatch(line)[1]
		default:
			mark = ""
		}
	}
	if open != nil {
		t.Fatalf("%s:%d: the block has no end", page, open.line)
	}
	return out
}

func readPage(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pages are all Markdown files of the checkout, by their path in it.
func pages(t *testing.T) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata" || d.Name() == "bin" || d.Name() == "dist"):
			return filepath.SkipDir
		case filepath.Ext(path) == ".md":
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			out = append(out, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
