package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/pprof"

	"tidemark/pkg/app"
)

type serveCmd struct {
	configFlags
	CPUProfile string `name:"cpu-profile" placeholder:"FILE" help:"Write a CPU profile of the whole run, for go tool pprof."`
}

// Run serves until the context ends.
func (c *serveCmd) Run(s *streams) (err error) {
	cfg, log, err := c.open(s)
	if err != nil {
		return err
	}
	defer collectAt(s.environ, serveGC)()
	if c.CPUProfile != "" {
		stop, err := startCPUProfile(c.CPUProfile)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	log.Info().Str("version", version).Str("namespace", cfg.Namespace).Strs("kafka", cfg.Kafka.Brokers).
		Strs("redis", cfg.Redis.Addrs).Msg("starting")
	err = app.Serve(s.ctx, cfg, log, app.Options{Ready: func(addr string) {
		log.Info().Str("http", "http://"+addr).Msg("serving")
	}})
	if err == nil {
		log.Info().Msg("stopped")
	}
	return err
}

func startCPUProfile(path string) (stop func() error, err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, usageError{fmt.Errorf("--cpu-profile: %w", err)}
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("--cpu-profile: %w", err), f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
