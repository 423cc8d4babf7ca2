package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"tidemark/pkg/modelfile"
	"tidemark/scoring"
)

type modelDiffCmd struct {
	A    string `arg:"" help:"Model file, such as the one in force." type:"path"`
	B    string `arg:"" help:"The model file to compare with it." type:"path"`
	JSON bool   `help:"Print JSON."`
}

// exitDiffer is what diff says of two files that differ.
const exitDiffer = 1

// Help says what the words and the exit codes mean.
func (c *modelDiffCmd) Help() string {
	return strings.TrimSpace(`
What is only written differently (comments, 7d and 168h, a default) is no difference. The last column says what the difference does to the
past: "at once" applies to history when the model comes into force; "from then on" applies to later events, and to the past only by
tidemark rebuild. Where there is nothing, nothing is scored by it.

Exit code: 0 no difference, 1 they differ, 2 one of them is no model.`)
}

// modelSide is one of the two models.
type modelSide struct {
	File    string `json:"file"`
	Name    string `json:"name"`
	Version int    `json:"version"`
	Hash    string `json:"hash"`
}

func sideOf(m *scoring.Model, file *modelfile.File) modelSide {
	return modelSide{file.Name, m.Name(), m.Version(), m.Hash()}
}

// Run compares two model files.
func (c *modelDiffCmd) Run(s *streams) error {
	before, a, err := openModel(c.A)
	if err != nil {
		return err
	}
	after, b, err := openModel(c.B)
	if err != nil {
		return err
	}
	differences := append([]modelfile.Difference{}, modelfile.Diff(a, b)...)
	if c.JSON {
		err = writeJSON(s.out, map[string]any{"a": sideOf(before, a), "b": sideOf(after, b), "differences": differences})
	} else {
		err = c.table(s, differences, before.Hash() == after.Hash())
	}
	if err == nil && len(differences) > 0 {
		return found(exitDiffer)
	}
	return err
}

func (c *modelDiffCmd) table(s *streams, differences []modelfile.Difference, equal bool) error {
	if len(differences) == 0 {
		text := "no difference"
		if !equal {
			text = "no difference but in how it is written; the hashes differ, so serve takes it for a new model"
		}
		_, err := fmt.Fprintln(s.out, text)
		return err
	}
	say := func(value *string) string {
		if value == nil {
			return "-"
		}
		return *value
	}
	t := table.NewWriter()
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 1, WidthMax: 60}, {Number: 2, WidthMax: 50}, {Number: 3, WidthMax: 50}})
	t.AppendHeader(table.Row{"where", filepath.Base(c.A), filepath.Base(c.B), "takes effect"})
	for _, d := range differences {
		t.AppendRow(table.Row{d.Path, say(d.Before), say(d.After), cmp.Or(string(d.Effect), "-")})
	}
	t.Style().Format.Header = 0
	_, err := fmt.Fprintf(s.out, "%s\n%d differences\n", t.Render(), len(differences))
	return err
}
