package main

import "tidemark/pkg/app"

type serveCmd struct{ configFlags }

// Run serves until the context ends.
func (c *serveCmd) Run(s *streams) error {
	cfg, err := c.load(s)
	if err != nil {
		return err
	}
	if _, _, err := openModel(cfg.Model); err != nil {
		return err
	}
	log, err := newLogger(cfg.Log, s.err)
	if err != nil {
		return err
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
