package main

import (
	"errors"
	"fmt"

	"tidemark/pkg/app"
)

type topicsCmd struct {
	Create topicsCreateCmd `cmd:"" help:"Make the topics that are missing."`
	Sniff  topicsSniffCmd  `cmd:"" help:"Read a sample of a topic and say what it is: its format, what the model matches and what not, a mapping to start from."`
}

type topicsCreateCmd struct{ configFlags }

// Run makes the missing topics and says what became of each.
func (c *topicsCreateCmd) Run(s *streams) error {
	cfg, err := c.load(s)
	if err != nil {
		return err
	}
	results, err := app.CreateTopics(s.ctx, cfg)
	var faults []error
	for _, r := range results {
		switch {
		case r.Err != nil:
			faults = append(faults, fmt.Errorf("topic %s: %w", r.Name, r.Err))
		case r.Created:
			fmt.Fprintf(s.out, "%s: created, %d partitions\n", r.Name, r.Partitions)
		default:
			fmt.Fprintf(s.out, "%s: exists, %d partitions\n", r.Name, r.Partitions)
		}
	}
	return errors.Join(append(faults, err)...)
}
