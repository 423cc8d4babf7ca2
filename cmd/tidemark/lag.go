package main

import (
	"fmt"
	"strings"
	"time"

	"tidemark/pkg/app"
)

type lagCmd struct {
	configFlags
	Window time.Duration `help:"For how long to watch before judging whether anybody works; 0: one look." default:"5s"`
	Sample int64         `help:"The most waiting records to read for accounts at risk, the oldest of each partition." default:"10000"`
	JSON   bool          `help:"Print JSON."`
}

// Help says what the words and the exit codes mean.
func (c *lagCmd) Help() string {
	return strings.TrimSpace(`
It asks Kafka and Redis only, joins no group and writes nothing, so it works when serve is dead. A status is Burrow's: OK
(nothing waits, or fewer and fewer records), WARN (they are taken and no fewer wait), STALL (instances run and the partition
stays where it is), STOP (nobody works), REWIND (Redis was set back and the log is read again). Seconds behind are the age of
the oldest record that waits, by its Kafka timestamp. Accounts at risk are those that the waiting events, applied to a copy,
would take into an mqa tier.

Exit code: 0 accounts are scored in time; 1 it cannot be told; 2 wrong usage or configuration; 3 late: a partition is in STALL, STOP or REWIND,
something waits for more than a minute, records were lost by retention, or Redis or a topic is not there.`)
}

// Run watches, and prints how late it is.
func (c *lagCmd) Run(s *streams) error {
	cfg, log, err := c.loadLogged(s)
	if err != nil {
		return err
	}
	if c.Window < 0 || c.Sample < 0 {
		return usageError{fmt.Errorf("--window %s and --sample %d: must not be negative", c.Window, c.Sample)}
	}
	r, err := app.Lag(s.ctx, cfg, app.LagOptions{Window: c.Window, Sample: c.Sample}, faultsOnly(log))
	if err != nil {
		return err
	}
	if c.JSON {
		err = writeJSON(s.out, r)
	} else {
		err = r.Write(s.out)
	}
	if err == nil && r.Late {
		return found(exitFound)
	}
	return err
}
