package main

import (
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"

	"tidemark/pkg/config"
)

// newLogger writes to w as the configuration says: for people on a terminal, JSON
// lines elsewhere.
func newLogger(c config.Log, w io.Writer) (zerolog.Logger, error) {
	level, err := zerolog.ParseLevel(c.Level)
	if err != nil {
		return zerolog.Nop(), usageError{err}
	}
	f, isFile := w.(*os.File)
	if c.Format == "console" || c.Format == "auto" && isFile && term.IsTerminal(int(f.Fd())) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.RFC3339}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger(), nil
}

// faultsOnly is the log of a command that tells in sentences what goes well.
func faultsOnly(log zerolog.Logger) zerolog.Logger {
	return log.Level(max(log.GetLevel(), zerolog.WarnLevel))
}
