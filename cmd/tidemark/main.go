// Command tidemark scores accounts from intent and engagement events and
// publishes each change of tier at the instant it happens.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// Set by the linker.
var (
	version = "dev"
	commit  = "unknown"
	date    = "unknown"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1 // failed at work
	exitUsage  = 2 // wrong usage, configuration or model
	exitFound  = 3 // lag and doctor: somebody must act
	exitWarned = 4 // doctor: somebody should, one day
)

// commands are what the binary can do; one file for each.
type commands struct {
	Demo        demoCmd        `cmd:"" help:"Run everything in this process on generated traffic, and watch tiers change."`
	Serve       serveCmd       `cmd:"" help:"Score events from Kafka and publish tier changes."`
	Score       scoreCmd       `cmd:"" help:"Score a history from files: JSON lines in, tier changes and scores out."`
	Backtest    backtestCmd    `cmd:"" help:"Say what a model, or each of two, would have made of a history: tiers, MQAs a week, what a tier foretold."`
	Model       modelCmd       `cmd:"" help:"Check, show or compare models."`
	Accounts    accountsCmd    `cmd:"" help:"Look at accounts: where they stand and why."`
	Lag         lagCmd         `cmd:"" help:"Say how late it is: what waits and since when, whether anybody works, which accounts are at risk."`
	Doctor      doctorCmd      `cmd:"" help:"Examine the deployment: Kafka, rights, Redis, memory, clocks, the model; each finding with its way out."`
	Mqas        mqasCmd        `cmd:"" name:"mqas" help:"See who has which MQA, and act on it."`
	Rebuild     rebuildCmd     `cmd:"" help:"Score the whole log again beside the live state, compare, and switch."`
	Topics      topicsCmd      `cmd:"" help:"Make the Kafka topics, or look into one."`
	Profiles    profilesCmd    `cmd:"" help:"Import profiles of accounts."`
	DeadLetters deadLettersCmd `cmd:"" help:"Look at what could not be used, and replay it."`
	Webhooks    webhooksCmd    `cmd:"" help:"Look at webhooks, send events again, enable endpoints."`
	Bench       benchCmd       `cmd:"" help:"Measure it on real servers: throughput, latency, memory, the cost of time."`
	Config      configCmd      `cmd:"" help:"Check or print the configuration."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

// streams is what a command reads, writes and lives in, so that tests can call it.
type streams struct {
	ctx     context.Context
	in      io.Reader
	out     io.Writer
	err     io.Writer
	environ []string
}

// usageError is a mistake in what the caller gave: exit code 2.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(&streams{ctx: ctx, in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ()}, os.Args[1:])
	stop()
	os.Exit(code)
}

// run does one command and returns the exit code.
func run(s *streams, args []string) int {
	exit := -1
	var cli commands
	parser, err := kong.New(&cli,
		kong.Name("tidemark"),
		kong.Description("Tidemark scores accounts from intent and engagement events, right to the millisecond."),
		kong.Writers(s.out, s.err),
		kong.Exit(func(code int) { exit = code }),
		kong.UsageOnError(),
		kong.Bind(s),
	)
	if err != nil {
		fmt.Fprintln(s.err, "tidemark:", err)
		return exitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 {
		return exit
	}
	if err != nil {
		fmt.Fprintf(s.err, "tidemark: %v\ntry `tidemark --help`\n", err)
		return exitUsage
	}
	return report(s, parsed.Run())
}

// report says what went wrong and turns it into an exit code.
func report(s *streams, err error) int {
	var usage usageError
	var seen found
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &seen):
		return int(seen)
	case errors.As(err, &usage):
		fmt.Fprintln(s.err, usage.Error())
		return exitUsage
	default:
		fmt.Fprintln(s.err, "tidemark:", err)
		return exitFailed
	}
}
