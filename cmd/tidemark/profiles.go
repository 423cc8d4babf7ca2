package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"tidemark/pkg/app"
	"tidemark/pkg/profilecsv"
)

type profilesCmd struct {
	Import profilesImportCmd `cmd:"" help:"Publish a profile for each row of a CSV file."`
}

type profilesImportCmd struct {
	configFlags
	File   string `arg:"" help:"CSV file with a header: account, domains (apart by semicolons), parent; every other column is an attribute, as in employees, zip:text, technologies:list." type:"path"`
	Time   string `help:"When the file was true, RFC 3339. Older profiles give way to it. Default: when the file was written."`
	Source string `default:"tidemark/import" help:"The source that the events name."`
}

// Run checks the whole file first, so that a faulty one publishes nothing.
func (c *profilesImportCmd) Run(s *streams) error {
	cfg, log, err := c.loadLogged(s)
	if err != nil {
		return err
	}
	file, err := os.Open(c.File)
	if err != nil {
		return usageError{err}
	}
	defer file.Close() //nolint:errcheck // only read from
	at, err := c.at(file)
	if err != nil {
		return err
	}
	profiles, err := profilecsv.Check(c.File, file)
	if err != nil {
		return usageError{err}
	}
	again := func(take func(profilecsv.Event) error) error {
		if _, err := file.Seek(0, 0); err != nil {
			return err
		}
		return profiles.Events(file, c.Source, at, take)
	}
	if err := again(func(profilecsv.Event) error { return nil }); err != nil {
		return usageError{err}
	}
	bar := countBar(s, c.File, profiles.Rows())
	err = app.PublishProfiles(s.ctx, cfg, log, func(put func(string, []byte) error) error {
		return again(func(e profilecsv.Event) error {
			bar.Add(1) //nolint:errcheck // a progress bar that can't be drawn is no failure
			return put(e.Account, e.Value)
		})
	})
	if err := errors.Join(err, bar.Finish()); err != nil {
		return fmt.Errorf("%w\nimport the same file again: what is published already changes nothing", err)
	}
	fmt.Fprintf(s.out, "%d profiles published to %s, as of %s\n", profiles.Rows(), cfg.Kafka.Topics.Profiles, at.UTC().Format(time.RFC3339))
	return nil
}

// at is when the file was true.
func (c *profilesImportCmd) at(file *os.File) (time.Time, error) {
	if c.Time != "" {
		return parseInstant("--time", c.Time)
	}
	info, err := file.Stat()
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime().Truncate(time.Millisecond), nil
}

// countBar is a bar on a terminal and nothing elsewhere.
func countBar(s *streams, what string, n int) *progressbar.ProgressBar {
	f, ok := s.err.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return progressbar.DefaultSilent(int64(n))
	}
	return progressbar.NewOptions(n, progressbar.OptionSetWriter(f), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
		progressbar.OptionSetDescription(what), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
}
