package main

import (
	"cmp"
	"fmt"
	"time"

	"tidemark/pkg/modelfile"
)

type modelCmd struct {
	Check modelCheckCmd `cmd:"" help:"Check a model file: every fault, and what is hardly meant."`
	Show  modelShowCmd  `cmd:"" help:"Print a model file and its hash."`
	Diff  modelDiffCmd  `cmd:"" help:"Say what differs between two model files, and what that does to the past."`

	Precision modelPrecisionCmd `cmd:"" help:"Say which part of the MQAs was rejected, by the signal that led them and the model's version."`
}

// modelFlags name a model file, as an argument or by --model as elsewhere.
type modelFlags struct {
	File  string `arg:"" optional:"" help:"Model file. Without it, the reference model." type:"path"`
	Model string `help:"The same as the argument." type:"path"`
}

func (f *modelFlags) path() (string, error) {
	if f.File != "" && f.Model != "" && f.File != f.Model {
		return "", usageError{fmt.Errorf("--model: %q and the argument %q name two files, give one", f.Model, f.File)}
	}
	return cmp.Or(f.File, f.Model), nil
}

type modelCheckCmd struct {
	modelFlags
	Date string `help:"The day to check the review date against, YYYY-MM-DD. Default: today."`
}

// Run reports faults as an error and warnings on the way.
func (c *modelCheckCmd) Run(s *streams) error {
	today := time.Now()
	if c.Date != "" {
		var err error
		if today, err = time.Parse(time.DateOnly, c.Date); err != nil {
			return usageError{fmt.Errorf("--date: %q is not a date such as 2026-11-22", c.Date)}
		}
	}
	path, err := c.path()
	if err != nil {
		return err
	}
	m, file, err := openModel(path)
	if err != nil {
		return err
	}
	warnings := 0
	warn := func(path, text string) {
		warnings++
		fmt.Fprintf(s.out, "warning: %s: %s: %s\n", file.Name, path, text)
	}
	for _, w := range m.Advice() {
		warn(w.Path, w.Text)
	}
	for _, w := range modelfile.Warnings(&file.Spec) {
		warn(w.Path, w.Text)
	}
	if text := overdue(file, today); text != "" {
		warn("reviewed", text)
	}
	_, err = fmt.Fprintf(s.out, "%s: model %q version %d is valid, %d warnings (hash %s)\n", file.Name, m.Name(), m.Version(), warnings, m.Hash())
	return err
}

// overdue says since when the model's review is late, or nothing.
func overdue(file *modelfile.File, today time.Time) string {
	reviewed, err := time.Parse(time.DateOnly, file.Spec.Reviewed)
	if err != nil || file.Spec.ReviewEvery == 0 {
		return ""
	}
	due := reviewed.Add(time.Duration(file.Spec.ReviewEvery) * time.Millisecond)
	if !today.After(due) {
		return ""
	}
	return fmt.Sprintf("last on %s, due since %s: an ICP of last year describes last year's customers", file.Spec.Reviewed, due.Format(time.DateOnly))
}

type modelShowCmd struct{ modelFlags }

// Run prints the model as written, under a line that names it.
func (c *modelShowCmd) Run(s *streams) error {
	path, err := c.path()
	if err != nil {
		return err
	}
	m, file, err := openModel(path)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "# %s: model %q version %d, hash %s\n%s", file.Name, m.Name(), m.Version(), m.Hash(), file.Source)
	return err
}
