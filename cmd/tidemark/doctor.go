package main

import (
	"fmt"
	"strings"
	"time"

	"tidemark/pkg/app"
	"tidemark/pkg/doctor"
)

type doctorCmd struct {
	configFlags
	Accounts int64         `help:"Forecast the memory of Redis for so many accounts. Default: as many as there are."`
	Window   time.Duration `help:"For how long to watch whether anybody works." default:"3s"`
	JSON     bool          `help:"Print JSON."`
}

// Help says what is looked at and what the exit codes mean.
func (c *doctorCmd) Help() string {
	return strings.TrimSpace(`
It looks at brokers, topics (partitions, copies, compaction, retention), what this user may do, Redis (version, eviction,
append-only file, memory), clocks, how late the group is, the model and people.secret, and says of each what was found, why it
matters and the way out. It writes nothing. UNKNOWN is what could not be found out: mostly a right that serve does not need.

Exit code: 0 all is OK or UNKNOWN; 1 it could not be examined; 2 wrong usage or configuration; 3 something is FAIL; 4 the worst is WARN.`)
}

// Run examines, and prints what was found.
func (c *doctorCmd) Run(s *streams) error {
	cfg, log, err := c.loadLogged(s)
	if err != nil {
		return err
	}
	if c.Window < 0 || c.Accounts < 0 {
		return usageError{fmt.Errorf("--window %s and --accounts %d: must not be negative", c.Window, c.Accounts)}
	}
	findings, err := app.Doctor(s.ctx, cfg, app.DoctorOptions{Accounts: c.Accounts, Window: c.Window}, faultsOnly(log))
	if err != nil {
		return err
	}
	if c.JSON {
		err = writeJSON(s.out, findings)
	} else {
		err = doctor.Write(s.out, findings)
	}
	if err != nil {
		return err
	}
	switch doctor.Worst(findings) {
	case doctor.Fail:
		return found(exitFound)
	case doctor.Warn:
		return found(exitWarned)
	}
	return nil
}

// found is the end of a command that did its work and found what somebody must see to. It
// was printed already; the number is the exit code.
type found int

func (found) Error() string { return "somebody must act" }
