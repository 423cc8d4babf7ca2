package main

import (
	"fmt"

	"github.com/rs/zerolog"

	"tidemark/pkg/app"
	"tidemark/pkg/config"
)

// configFlags are shared by all commands that need the configuration.
type configFlags struct {
	Config string `short:"c" help:"Configuration file. Without it, defaults and TIDEMARK_… variables." type:"path"`
}

// load reads the configuration; every fault is a usageError.
func (f *configFlags) load(s *streams) (config.Config, error) {
	c, err := config.Load(f.Config, s.environ)
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return config.Config{}, usageError{err}
	}
	return c, nil
}

// loadLogged is load for a command that works on the servers: it makes its log too.
func (f *configFlags) loadLogged(s *streams) (config.Config, zerolog.Logger, error) {
	c, err := f.load(s)
	if err != nil {
		return config.Config{}, zerolog.Nop(), err
	}
	log, err := newLogger(c.Log, s.err)
	return c, log, err
}

// open is loadLogged for a command that scores: the model and the mappings that the
// configuration names are sound, too.
func (f *configFlags) open(s *streams) (config.Config, zerolog.Logger, error) {
	c, log, err := f.loadLogged(s)
	if err == nil {
		_, _, err = openModel(c.Model)
	}
	if err == nil {
		err = checkInputs(c)
	}
	if err == nil {
		err = checkRouting(c)
	}
	if err == nil {
		if faults := app.CheckSubscribers(c); faults != nil {
			err = usageError{faults}
		}
	}
	return c, log, err
}

// checkInputs reads the mapping files; every fault is a usageError.
func checkInputs(c config.Config) error {
	if _, err := app.Formats(c); err != nil {
		return usageError{err}
	}
	return nil
}

// checkRouting reads the routing file; every fault is a usageError.
func checkRouting(c config.Config) error {
	if _, err := app.ReadRouting(c); err != nil {
		return usageError{err}
	}
	return nil
}

type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Check the configuration and the files it names."`
	Print configPrintCmd `cmd:"" help:"Print the configuration in force, secrets redacted."`
}

type configCheckCmd struct{ configFlags }

// Run reports every fault of the configuration, of its model and of its mappings.
func (c *configCheckCmd) Run(s *streams) error {
	cfg, err := c.load(s)
	if err != nil {
		return err
	}
	if _, _, err := openModel(cfg.Model); err != nil {
		return err
	}
	if err := checkInputs(cfg); err != nil {
		return err
	}
	if err := checkRouting(cfg); err != nil {
		return err
	}
	if err := app.CheckSubscribers(cfg); err != nil {
		return usageError{err}
	}
	_, err = fmt.Fprintln(s.out, "configuration ok")
	return err
}

type configPrintCmd struct{ configFlags }

// Run prints the configuration as a file would say it.
func (c *configPrintCmd) Run(s *streams) error {
	cfg, err := c.load(s)
	if err != nil {
		return err
	}
	return cfg.Print(s.out)
}
